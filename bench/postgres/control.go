package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// patience is how long Stop waits for each of its steps, when ctx does not
// end earlier.
const patience = 10 * time.Second

// Stop ends the cluster with a fast shutdown (a hard one when that takes too
// long or ctx ends first) and removes its folder. A Halt, Resume or Restart
// under way is broken off. Stop may be called again, and then does nothing. An
// error means that something may be left behind.
func (c *Cluster) Stop(ctx context.Context) error {
	c.endLife(errStopped)
	// The holder of the turn has just been told to end, so this wait is
	// short. It is not ctx's: also a Stop that comes late has to clean up.
	<-c.turn
	defer func() { c.turn <- struct{}{} }()
	if c.stopped {
		return nil
	}
	c.stopped = true

	var errEnd error
	if c.server != nil {
		errEnd = c.server.end(ctx)
		c.server = nil
	}
	errRemove := os.RemoveAll(c.dir)
	// Where that went wrong the watcher tries too.
	return errors.Join(errEnd, errRemove, c.watcher.dismiss(errEnd == nil && errRemove == nil))
}

// Halt shuts the server down and keeps its data, as pg_ctl stop -m mode does:
// "smart" waits until all clients have gone, "fast" ends their transactions,
// "immediate" is a crash, and Resume then recovers. It returns when the
// postmaster has gone. A server that has died already is halted.
func (c *Cluster) Halt(ctx context.Context, mode string) error {
	sig, ok := map[string]os.Signal{
		"smart": syscall.SIGTERM, "fast": syscall.SIGINT, "immediate": syscall.SIGQUIT,
	}[mode]
	if !ok {
		return fmt.Errorf(`shutdown mode %q: must be "smart", "fast" or "immediate"`, mode)
	}
	ctx, release, err := c.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	return c.halt(ctx, sig)
}

// Resume starts a halted (or crashed) server again, on the same port with the
// same data. It returns when the server accepts connections.
func (c *Cluster) Resume(ctx context.Context) error {
	ctx, release, err := c.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	return c.resume(ctx)
}

// Restart is a fast Halt and a Resume.
func (c *Cluster) Restart(ctx context.Context) error {
	ctx, release, err := c.takeTurn(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := c.halt(ctx, syscall.SIGINT); err != nil {
		return err
	}
	return c.resume(ctx)
}

func (c *Cluster) halt(ctx context.Context, sig os.Signal) error {
	if c.server == nil {
		return nil
	}
	if err := c.server.signal(sig); err != nil {
		return err
	}
	if err := c.server.wait(ctx); err != nil {
		return c.explain(fmt.Errorf("waiting for PostgreSQL to shut down: %w", err))
	}
	c.server = nil
	return nil
}

func (c *Cluster) resume(ctx context.Context) error {
	if c.server != nil && !c.server.gone() {
		return fmt.Errorf("PostgreSQL on port %d is running already", c.port)
	}
	return c.launch(ctx)
}

// takeTurn waits until nobody else starts or stops the cluster. Its context
// ends with ctx, or when Stop is called; release gives the turn back.
func (c *Cluster) takeTurn(ctx context.Context) (_ context.Context, release func(), err error) {
	select {
	case <-c.turn:
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if c.life.Err() != nil {
		c.turn <- struct{}{}
		return nil, nil, errStopped
	}
	turn, cancel := context.WithCancelCause(ctx)
	forget := context.AfterFunc(c.life, func() { cancel(errStopped) })
	return turn, func() {
		forget()
		cancel(nil)
		c.turn <- struct{}{}
	}, nil
}
