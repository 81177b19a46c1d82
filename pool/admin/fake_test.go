package admin

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"poolerd/wire"
)

// fakeControl writes down what it is told. A wait takes until release is closed, or its context ends.
type fakeControl struct {
	mu      sync.Mutex
	told    []string
	refusal *wire.Error   // of whatever comes
	release chan struct{} // nil: nothing waits
	waiting chan struct{} // a token when a wait has begun; may be nil
}

func (f *fakeControl) note(format string, args ...any) *wire.Error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, fmt.Sprintf(format, args...))
	return f.refusal
}

func (f *fakeControl) notes() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.told)
}

func (f *fakeControl) wait(ctx context.Context, what string) *wire.Error {
	if err := f.note("%s", what); err != nil || f.release == nil {
		return err
	}
	if f.waiting != nil {
		f.waiting <- struct{}{}
	}
	select {
	case <-f.release:
		return nil
	case <-ctx.Done():
		f.note("%s ended", what)
		return wire.Errorf(wire.CodeQueryCanceled, "the wait was ended")
	}
}

func (f *fakeControl) Pause(ctx context.Context, db string) *wire.Error {
	return f.wait(ctx, "pause "+db)
}
func (f *fakeControl) Suspend(ctx context.Context) *wire.Error { return f.wait(ctx, "suspend") }
func (f *fakeControl) WaitClose(ctx context.Context, db string) *wire.Error {
	return f.wait(ctx, "wait_close "+db)
}
func (f *fakeControl) Resume(db string) *wire.Error     { return f.note("resume %s", db) }
func (f *fakeControl) Reconnect(db string) *wire.Error  { return f.note("reconnect %s", db) }
func (f *fakeControl) Kill(db string) *wire.Error       { return f.note("kill %s", db) }
func (f *fakeControl) KillClient(id uint64) *wire.Error { return f.note("kill_client %d", id) }
func (f *fakeControl) Disable(db string) *wire.Error    { return f.note("disable %s", db) }
func (f *fakeControl) Enable(db string) *wire.Error     { return f.note("enable %s", db) }
func (f *fakeControl) DrainServers()                    { f.note("drain servers") }
func (f *fakeControl) DrainClients()                    { f.note("drain clients") }
func (f *fakeControl) Close()                           { f.note("close") }
