package delay

import (
	"container/heap"
	"math"
	"sync"
	"time"
)

const (
	awake = 0             // the clock's goroutine runs, and will look at the heap before it sleeps
	never = math.MaxInt64 // it sleeps until it is woken
)

// clock hands on the bytes of its pipes when they are due.
type clock struct {
	proxy *Proxy
	alarm *alarm

	mu     sync.Mutex // guards what follows and the queues of the clock's pipes
	due    pipeHeap   // pipes in state queued
	armed  int64      // when the alarm rings; or awake, or never
	paused bool
	closed bool

	deliveries int64
	late       time.Duration // all of them together
	latest     time.Duration
}

func newClock(p *Proxy) (*clock, error) {
	a, err := newAlarm()
	if err != nil {
		return nil, err
	}
	return &clock{proxy: p, alarm: a}, nil
}

// run delivers until the clock is closed.
func (c *clock) run() {
	ready := c.ready
	for c.alarm.wait(ready) == nil {
		for p := c.pop(); p != nil; p = c.pop() {
			p.deliver()
		}
	}
}

// ready tells whether a pipe is due; if not, it sets the alarm.
func (c *clock) ready(uintptr) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = awake
	if c.overdue() {
		return true
	}
	c.armed = never
	c.arm()
	return false
}

// overdue tells whether the first pipe is due. c.mu is held.
func (c *clock) overdue() bool {
	return !c.paused && len(c.due) > 0 && c.due[0].dueAt() <= c.proxy.now()
}

// arm sets the alarm when it would ring too late. c.mu is held.
func (c *clock) arm() {
	if c.paused || c.closed || len(c.due) == 0 || c.due[0].dueAt() >= c.armed {
		return
	}
	c.armed = c.due[0].dueAt()
	c.alarm.set(max(time.Duration(c.armed-c.proxy.now()), 1))
}

// pop takes the first pipe that is due, for its bytes to be written by the caller; nil when there is none.
func (c *clock) pop() *pipe {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = awake
	if !c.overdue() {
		return nil
	}
	p := heap.Pop(&c.due).(*pipe)
	p.state = writing
	return p
}

// push puts a pipe with bytes into the heap. c.mu is held.
func (c *clock) push(p *pipe) {
	p.state = queued
	heap.Push(&c.due, p)
	c.arm()
}

// delivered counts a delivery that begins now. c.mu is held.
func (c *clock) delivered(late time.Duration) {
	c.deliveries++
	c.late += late
	c.latest = max(c.latest, late)
}

func (c *clock) lateness() (n int64, sum, worst time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.deliveries, c.late, c.latest
}

func (c *clock) pause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = true
}

func (c *clock) resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.paused = false
	c.arm()
}

// close ends run.
func (c *clock) close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	return c.alarm.close()
}

// pipeHeap orders pipes by when their first bytes are due. It implements heap.Interface.
type pipeHeap []*pipe

func (h pipeHeap) Len() int           { return len(h) }
func (h pipeHeap) Less(i, j int) bool { return h[i].dueAt() < h[j].dueAt() }
func (h pipeHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *pipeHeap) Push(x any)        { *h = append(*h, x.(*pipe)) }

func (h *pipeHeap) Pop() any {
	old := *h
	p := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return p
}
