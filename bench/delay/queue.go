package delay

// queue holds chunks first in, first out, in a ring that grows.
type queue struct {
	ring  []chunk // its length is 0 or a power of 2
	head  int
	count int
}

func (q *queue) empty() bool { return q.count == 0 }

// first is the oldest chunk; there must be one.
func (q *queue) first() *chunk { return &q.ring[q.head] }

func (q *queue) push(c chunk) {
	if q.count == len(q.ring) {
		q.grow()
	}
	q.ring[(q.head+q.count)&(len(q.ring)-1)] = c
	q.count++
}

// pop takes the oldest chunk; there must be one.
func (q *queue) pop() chunk {
	c := q.ring[q.head]
	q.ring[q.head] = chunk{}
	q.head = (q.head + 1) & (len(q.ring) - 1)
	q.count--
	return c
}

func (q *queue) grow() {
	ring := make([]chunk, max(4, 2*len(q.ring)))
	n := copy(ring, q.ring[q.head:])
	copy(ring[n:], q.ring[:q.head])
	q.ring, q.head = ring, 0
}
