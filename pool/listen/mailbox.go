package listen

import (
	"slices"
	"sync"
	"sync/atomic"
)

// keptNotes is how many places a mailbox keeps while it is empty, and how many notes are copied under its lock at most.
const keptNotes = 16

// mailbox holds what waits for one Member, in the server's order.
type mailbox struct {
	waiting atomic.Bool // len(notes) > 0, for those who only look

	mu    sync.Mutex
	notes []*note
	size  int // of the notes' messages, in bytes
}

// put adds a note, unless that makes the box larger than limit; an empty box takes any. first says that the box was empty.
func (b *mailbox) put(n *note, limit int) (first, fits bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	first = len(b.notes) == 0
	if !first && b.size+len(n.message) > limit {
		return false, false
	}
	b.notes = append(b.notes, n)
	b.size += len(n.message)
	if first {
		b.waiting.Store(true)
	}
	return first, true
}

// take empties the box into dst. A long copy is made without the lock, for which the delivery to everybody would wait.
func (b *mailbox) take(dst []byte, from, as uint32) []byte {
	if !b.waiting.Load() {
		return dst
	}
	b.mu.Lock()
	notes, size := b.notes, b.size
	b.size = 0
	b.waiting.Store(false)
	if cap(notes) > keptNotes {
		b.notes = nil
		b.mu.Unlock()
		return appendNotes(slices.Grow(dst, size), notes, from, as)
	}
	defer b.mu.Unlock()
	dst = appendNotes(slices.Grow(dst, size), notes, from, as)
	clear(notes)
	b.notes = notes[:0]
	return dst
}

func appendNotes(dst []byte, notes []*note, from, as uint32) []byte {
	for _, n := range notes {
		dst = n.append(dst, from, as)
	}
	return dst
}

// forget takes out what waits of one channel.
func (b *mailbox) forget(channel string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.notes = slices.DeleteFunc(b.notes, func(n *note) bool {
		if n.channel != channel {
			return false
		}
		b.size -= len(n.message)
		return true
	})
	b.waiting.Store(len(b.notes) > 0)
}

// empty throws away what waits, and tells how many notes that were.
func (b *mailbox) empty() (dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	dropped = len(b.notes)
	b.notes, b.size = nil, 0
	b.waiting.Store(false)
	return dropped
}
