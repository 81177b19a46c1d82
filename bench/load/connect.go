package load

import (
	"context"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// atOnce is how many clients are being connected, or closed, at a time: servers fork for each, and poolers log in for each.
const atOnce = 16

// connect makes all clients, or none.
func connect(ctx context.Context, c *Config) (_ []Client, err error) {
	each := max(c.Descriptors, 1)
	if c.Think > 0 {
		each++ // a timer
	}
	if err := descriptors(c.Clients * each); err != nil {
		return nil, err
	}
	clients := make([]Client, c.Clients)
	defer func() {
		if err != nil {
			closeAll(clients)
		}
	}()
	group, all := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i := range clients {
		if all.Err() != nil {
			break // one has failed: its error is the one to tell
		}
		group.Go(func() error {
			client, err := c.Connect(all, i)
			if err != nil {
				return fmt.Errorf("client %d of %d: %w", i+1, c.Clients, err)
			}
			clients[i] = client
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return clients, ctx.Err()
}

// closeAll closes those clients that were made. What goes wrong now no longer matters: the figures are taken.
func closeAll(clients []Client) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, c := range clients {
		if c != nil {
			group.Go(func() error {
				_ = c.Close()
				return nil
			})
		}
	}
	_ = group.Wait()
}

// spare is how many descriptors this process may want for other things: logs, results, timers, /proc.
const spare = 24

// descriptors makes room for so many more file descriptors.
func descriptors(need int) error {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return nil //nolint:nilerr // not known: a client that finds none left says so
	}
	want := uint64(need + openFiles() + spare)
	if limit.Cur >= want {
		return nil
	}
	hard := limit.Max
	if hard >= want {
		limit.Cur = hard
		err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
		if err == nil {
			return nil
		}
		return fmt.Errorf("the clients need %d file descriptors, and raising this process's limit to %d failed: %w", want, hard, err)
	}
	return fmt.Errorf("the clients need %d file descriptors, and this process may have %d: use fewer clients, or raise the hard limit "+
		"(`ulimit -Hn %d` as root, LimitNOFILE= of a systemd unit)", want, hard, want)
}

// openFiles is how many descriptors this process has; where that is not known, few.
func openFiles() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return spare
	}
	return len(entries)
}
