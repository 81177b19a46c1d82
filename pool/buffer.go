package pool

import (
	"sync"

	"poolerd/wire"
)

const (
	bufferSize = 16 << 10
	// keepReply is the most that a resting client keeps for its next answer.
	keepReply = 512
	// largestWhole bounds a message that must be in memory as a whole: a Parse, whose text is kept.
	largestWhole = 64 << 20
)

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }} // a cache: what is in it has no meaning

// buffer holds bytes that were read: b[r:w] are not used yet. The zero value holds none, and takes memory from the common stock when it reads.
type buffer struct {
	b     []byte
	stock *[bufferSize]byte
	r, w  int
}

func (b *buffer) len() int      { return b.w - b.r }
func (b *buffer) bytes() []byte { return b.b[b.r:b.w] }

// space gives room for a read, at least one byte.
func (b *buffer) space() []byte {
	switch {
	case b.b == nil:
		b.stock, _ = buffers.Get().(*[bufferSize]byte)
		b.b, b.r, b.w = b.stock[:], 0, 0
	case b.r == b.w:
		b.r, b.w = 0, 0
	case b.w == len(b.b):
		if b.r == 0 {
			b.grow(2 * len(b.b))
		} else {
			b.w = copy(b.b, b.b[b.r:b.w])
			b.r = 0
		}
	}
	return b.b[b.w:]
}

// whole tells whether the first message is there to its last byte.
func (b *buffer) whole() bool {
	if b.len() < wire.HeaderLen {
		return false
	}
	_, size, ok := wire.Header(b.bytes())
	return ok && size <= b.len()
}

// full tells whether nothing can be read without growing.
func (b *buffer) full() bool { return b.b != nil && b.r == 0 && b.w == len(b.b) }

func (b *buffer) grow(size int) {
	bigger := make([]byte, size)
	b.w = copy(bigger, b.b[b.r:b.w])
	b.r = 0
	b.giveBack()
	b.b = bigger
}

// settle gives the memory back when nothing is in it.
func (b *buffer) settle() {
	if b.r == b.w {
		b.free()
	}
}

func (b *buffer) free() {
	b.giveBack()
	*b = buffer{}
}

func (b *buffer) giveBack() {
	if b.stock != nil {
		buffers.Put(b.stock)
		b.stock = nil
	}
}
