package pool

import (
	"sync/atomic"
	"time"

	"poolerd/wire"
)

// waiter is one client's place in the queue of a pool. It is part of the client and used again for each wait.
type waiter struct {
	granted    chan grant    // holds one: whoever takes the waiter out of the queue sends, once
	tell       chan struct{} // holds one: the client is to be told that it waits
	since      time.Time
	patient    bool // it waits out an outage: see Client.meet
	told       atomic.Bool
	in         *queue // nil: in none
	prev, next *waiter
}

// grant ends a wait: a server, or the reason why there is none.
type grant struct {
	server *Server
	err    *wire.Error
}

func newWaiter() *waiter { return &waiter{granted: make(chan grant, 1), tell: make(chan struct{}, 1)} }

// queue is first in, first out. The zero value is empty. The pool's lock guards it.
type queue struct {
	first, last *waiter
	len         int
}

func (q *queue) push(w *waiter) {
	w.in, w.prev, w.next = q, q.last, nil
	if q.last == nil {
		q.first = w
	} else {
		q.last.next = w
	}
	q.last = w
	q.len++
}

// remove takes w out, and reports whether it was in.
func (q *queue) remove(w *waiter) bool {
	if w.in != q {
		return false
	}
	if w.prev == nil {
		q.first = w.next
	} else {
		w.prev.next = w.next
	}
	if w.next == nil {
		q.last = w.prev
	} else {
		w.next.prev = w.prev
	}
	w.in, w.prev, w.next = nil, nil, nil
	q.len--
	return true
}

func (q *queue) pop() *waiter {
	w := q.first
	if w != nil {
		q.remove(w)
	}
	return w
}

// takeAll takes everyone out, or everyone but the patient.
func (q *queue) takeAll(butPatient bool) []*waiter {
	var all []*waiter
	for w := q.first; w != nil; {
		next := w.next
		if !butPatient || !w.patient {
			q.remove(w)
			all = append(all, w)
		}
		w = next
	}
	return all
}
