package pool

import (
	"context"
	"sync"
)

// bell wakes those who wait until something about the pooler is so, whenever it may have become so. The zero value is silent; its lock is taken last.
type bell struct {
	mu     sync.Mutex
	struck chan struct{} // closed by the next ring; nil while nobody waits
}

// next gives what the next ring closes. Ask for it before looking whether waiting is needed: no ring is missed then.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.struck == nil {
		b.struck = make(chan struct{})
	}
	return b.struck
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.struck != nil {
		close(b.struck)
		b.struck = nil
	}
}

// await waits until done reports true, and reports false when ctx or the pooler ends before. done is called without a lock held.
func (p *Pooler) await(ctx context.Context, done func() bool) bool {
	for {
		next := p.changed.next()
		if done() {
			return true
		}
		select {
		case <-next:
		case <-ctx.Done():
			return false
		case <-p.life.Done():
			return false
		}
	}
}
