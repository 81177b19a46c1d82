package load

import (
	"sync"
	"time"
)

// queue brings arrivals and free clients together, both in the order in which they came.
type queue struct {
	mu       sync.Mutex
	waiting  int       // arrivals that found no client free; if any, then nobody is idle
	schedule *schedule // of the next arrival that has not been handed out: the first of those that wait
	idle     []*worker // a ring
	first, n int
	over     bool
}

func newQueue(s *schedule, clients int) *queue {
	return &queue{schedule: s, idle: make([]*worker, clients)}
}

// arrive tells that one more has come.
func (q *queue) arrive() {
	q.mu.Lock()
	if q.n == 0 {
		q.waiting++
		q.mu.Unlock()
		return
	}
	w := q.idle[q.first]
	q.first = (q.first + 1) % len(q.idle)
	q.n--
	at := q.schedule.next()
	q.mu.Unlock()
	w.handed <- at
}

// take waits for an arrival that w shall serve. ok is false when there will be none.
func (q *queue) take(w *worker) (at time.Duration, ok bool) {
	q.mu.Lock()
	if q.over {
		q.mu.Unlock()
		return 0, false
	}
	if q.waiting > 0 {
		q.waiting--
		at := q.schedule.next()
		q.mu.Unlock()
		return at, true
	}
	q.idle[(q.first+q.n)%len(q.idle)] = w
	q.n++
	q.mu.Unlock()
	at, ok = <-w.handed
	return at, ok
}

// end sends the idle clients home. Those that are busy find out at their next take.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.over = true
	for ; q.n > 0; q.n-- {
		close(q.idle[q.first].handed)
		q.first = (q.first + 1) % len(q.idle)
	}
}

// pace lets transactions arrive on schedule until the window closes, or the run is stopped.
func (r *run) pace(clock sleeper) {
	s := newSchedule(r.Arrivals, r.Rate, r.Seed)
	for at := s.next(); at < r.close; at = s.next() {
		if wait := at - r.now(); wait > 0 && !clock.Sleep(wait) {
			return
		}
		r.queue.arrive()
	}
}

// openLoop runs the transactions that the queue hands to the client.
func (w *worker) openLoop() {
	for {
		at, ok := w.queue.take(w)
		if !ok {
			return
		}
		start := w.now()
		done := w.client.Run(w.ctx)
		end := w.now()
		belongs := w.inWindow(at)
		if belongs {
			w.rec.lag.add(start - at)
		}
		if done.Code != "" && w.ctx.Err() != nil {
			if belongs {
				w.rec.unfinished.add(end - at)
			}
			return
		}
		w.note(&done, end-at, end, belongs)
		w.rest()
	}
}

// abandon counts those arrivals of the window, up to cut, that nobody has begun.
func (r *run) abandon(rec *recorder, cut time.Duration) {
	for range r.queue.waiting {
		if at := r.queue.schedule.next(); at >= r.open && at < cut {
			rec.unfinished.add(r.now() - at)
		}
	}
}

// scheduled counts the arrivals between the window's opening and cut.
func (r *run) scheduled(cut time.Duration) (n int64) {
	s := newSchedule(r.Arrivals, r.Rate, r.Seed)
	for at := s.next(); at < cut; at = s.next() {
		if at >= r.open {
			n++
		}
	}
	return n
}
