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
	kept  int // how many of the notes, from the first on, are told whatever happens to their channels
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
	b.size, b.kept = 0, 0
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

// keep saves what waits now from forget.
func (b *mailbox) keep() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept = len(b.notes)
}

// forget takes out what waits of one channel and is not kept.
func (b *mailbox) forget(channel string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	rest := slices.DeleteFunc(b.notes[b.kept:], func(n *note) bool {
		if n.channel != channel {
			return false
		}
		b.size -= len(n.message)
		return true
	})
	b.notes = b.notes[:b.kept+len(rest)]
	b.waiting.Store(len(b.notes) > 0)
}

// forgetAll takes out what is not kept.
func (b *mailbox) forgetAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.notes[b.kept:] {
		b.size -= len(n.message)
	}
	clear(b.notes[b.kept:])
	b.notes = b.notes[:b.kept]
	b.waiting.Store(len(b.notes) > 0)
}

// empty throws away what waits, and tells how many notes that were.
func (b *mailbox) empty() (dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	dropped = len(b.notes)
	b.notes, b.size, b.kept = nil, 0, 0
	b.waiting.Store(false)
	return dropped
}
