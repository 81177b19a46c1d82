package delay

import "sync"

const (
	smallBlock = 512
	readBlock  = 64 << 10
	keepBlock  = 16 << 10 // from here on the block that was read into is kept, rather than copied
)

// block is memory for bytes on their way.
type block struct {
	bytes []byte // whole
	home  *sync.Pool
}

// blocks lends blocks of three sizes, so that a short message that waits long does not hold much.
type blocks struct {
	small, middle, large sync.Pool
}

func newBlocks() *blocks {
	b := &blocks{}
	for pool, size := range map[*sync.Pool]int{&b.small: smallBlock, &b.middle: keepBlock, &b.large: readBlock} {
		pool.New = func() any { return &block{bytes: make([]byte, size), home: pool} }
	}
	return b
}

// forRead lends a block to read into.
func (b *blocks) forRead() *block { return b.large.Get().(*block) }

// fit returns a block that begins with the first n bytes of read and is no larger than need be. The caller owns it, and no longer owns read.
func (b *blocks) fit(read *block, n int) *block {
	var pool *sync.Pool
	switch {
	case n <= smallBlock:
		pool = &b.small
	case n <= keepBlock:
		pool = &b.middle
	default:
		return read
	}
	fit := pool.Get().(*block)
	copy(fit.bytes, read.bytes[:n])
	read.free()
	return fit
}

// free gives the block back.
func (b *block) free() { b.home.Put(b) }
