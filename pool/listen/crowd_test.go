package listen

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// TestCrowd lets thousands come, listen, stop and leave while notifications arrive and the connection is lost now and then. Nobody may hear what it does not listen to.
func TestCrowd(t *testing.T) {
	const people, rounds, channels = 2000, 6, 7
	f := newFake(t)
	h := f.hub(t, Options{})
	starter := join(h)
	must(t, starter.Listen(within(t), "c0"))

	stop := make(chan struct{})
	var noise, crowd sync.WaitGroup
	noise.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Microsecond):
				f.notify(fmt.Sprintf("c%d", i%channels), "")
				if i%200 == 199 {
					f.cut()
				}
			}
		}
	})
	ctx := within(t)
	for range people {
		crowd.Go(func() {
			m := join(h)
			defer m.Leave()
			for i := 0; ctx.Err() == nil && (i < rounds || h.Info().Losses < 2); i++ {
				if err := m.visit(ctx, t, rand.IntN(channels), channels); err != nil {
					var login *pgconn.ConnectError // the connection was lost before its login was over
					var read *net.OpError          // or right behind it
					if !errors.Is(err, ErrLost) && !errors.As(err, &login) && !errors.As(err, &read) && !errors.Is(err, io.ErrUnexpectedEOF) {
						t.Error(err)
					}
					m.Leave()
					m = join(h)
				}
			}
			m.Leave()
		})
	}
	crowd.Wait()
	close(stop)
	noise.Wait()
	starter.Leave()
	eventually(t, "everybody has gone", func() bool {
		i := h.Info()
		return i.Members == 0 && i.Listeners == 0 && i.Channels == 0
	})
	if i := h.Info(); i.Put == 0 || i.Losses < 2 {
		t.Errorf("nothing happened: %+v", i)
	}
}

// visit listens to two channels, and then to one of them only.
func (p *person) visit(ctx context.Context, t *testing.T, c, channels int) error {
	a, b := fmt.Sprintf("c%d", c), fmt.Sprintf("c%d", (c+1)%channels)
	for _, name := range []string{a, b} {
		if err := p.Listen(ctx, name); err != nil {
			return err
		}
	}
	if err := p.Barrier(ctx); err != nil {
		return err
	}
	p.Unlisten(a)
	if err := p.Barrier(ctx); err != nil {
		return err
	}
	for _, n := range decode(t, p.Take(nil, 0, 0)) {
		if n.Channel != b {
			t.Errorf("heard of %s while listening to %s", n.Channel, b)
		}
	}
	p.UnlistenAll()
	if p.Waiting() || p.Listening() {
		t.Error("something waits for who listens to nothing")
	}
	return nil
}
