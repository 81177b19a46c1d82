package pool

import (
	"context"
	"crypto/tls"
	"errors"
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/wire/secure"
)

// TestEffort: half of the processors are for logins, and of a single one half of the time.
func TestEffort(t *testing.T) {
	over, stop := context.WithCancel(context.Background())
	stop()
	for processors, places := range map[int]int{1: 1, 2: 1, 3: 1, 4: 2, 16: 8} {
		e := newEffort(processors)
		var ends []func()
		for range places {
			end, err := e.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			ends = append(ends, end)
		}
		if _, err := e.Begin(over); !errors.Is(err, context.Canceled) {
			t.Errorf("%d processors: one more than %d places: %v", processors, places, err)
		}
		for _, end := range ends {
			end()
		}
		within(t, "all have rested", func() bool { return len(e.places) == 0 })
		if _, err := e.Begin(over); !errors.Is(err, context.Canceled) || len(e.places) != 0 {
			t.Errorf("%d processors: a login that is over computes: %v", processors, err)
		}
	}
	e := newEffort(1)
	for _, test := range []struct {
		took  time.Duration
		rests bool
	}{{leastEffort / 2, false}, {time.Hour, true}} {
		e.places <- struct{}{}
		began := time.Now()
		e.end(test.took)
		switch rests := len(e.places) > 0; {
		case rests && !test.rests:
			t.Errorf("after %v it rests", test.took)
		case !rests && test.rests && time.Since(began) < longestRest:
			t.Errorf("after %v it does not rest", test.took)
		}
		within(t, "the rest is over", func() bool { return len(e.places) == 0 })
	}
}

// TestHandshakesWait: a handshake computes only when it is its turn, which its login's time includes.
func TestHandshakesWait(t *testing.T) {
	const limit = 500 * time.Millisecond
	h, _ := secureHouse(t, secure.Require, func(c *config.Config, _ string) { c.ClientLoginTimeout = limit })
	places := cap(h.pooler.effort.places)
	for range places {
		h.pooler.effort.places <- struct{}{}
	}
	shake := func() error {
		nc := h.dial(sslRequest())
		answer(t, nc, 'S')
		return tls.Client(nc, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(t.Context()) //nolint:gosec // a test
	}
	if err := shake(); err == nil {
		t.Error("a handshake without a place")
	}
	h.log.wants(t, reasonLoginTimeout)
	for range places {
		<-h.pooler.effort.places
	}
	within(t, "a handshake with a place", func() bool { return shake() == nil }) // a loaded machine may need more than the limit
}
