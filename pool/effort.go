package pool

import (
	"context"
	"time"
)

// effort bounds what logins take of the processors to half of them, so that a flood leaves the rest to those who are in. The signature of a TLS handshake, and the keys of a password, take about
// a millisecond each.
//
// With one processor (threads = 1) that is half of its time: whoever has computed leaves it alone for as long. Without such a rest there would always be something to run, and the runtime, which
// asks the network who can go on when it has nothing to run, would get to that only every 10 ms.
type effort struct {
	places chan struct{}
	rests  bool
}

const (
	leastEffort = 200 * time.Microsecond // what takes less needs no rest
	longestRest = 2 * time.Millisecond   // a machine that has no time for us makes efforts look long
)

func newEffort(processors int) effort {
	return effort{places: make(chan struct{}, max(1, processors/2)), rests: processors == 1}
}

// Begin waits until a login may compute, until ctx ends at most. end says that it has.
func (e *effort) Begin(ctx context.Context) (end func(), _ error) {
	select {
	case e.places <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		<-e.places
		return nil, err
	}
	began := time.Now()
	return func() { e.end(time.Since(began)) }, nil
}

func (e *effort) end(took time.Duration) {
	if !e.rests || took < leastEffort {
		<-e.places
		return
	}
	time.AfterFunc(min(took, longestRest), func() { <-e.places })
}
