package listen

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// errLinger ends a session that nobody needs any longer.
var errLinger = errors.New("nobody listens")

// run is the Hub's goroutine.
func (h *Hub) run() {
	defer close(h.ended)
	for h.life.Err() == nil {
		if h.asked() {
			h.serve()
			continue
		}
		select {
		case <-h.work:
		case <-h.life.Done():
		}
	}
	h.mu.Lock()
	h.failAll(h.queue, ErrClosed)
	h.queue = nil
	var told []*Member
	for m := range h.members {
		m.end = ErrLost
		h.roster.removeAll(&m.listener)
		told = append(told, m)
	}
	clear(h.members)
	h.mu.Unlock()
	for _, m := range told {
		m.tell(ErrLost)
	}
}

// asked tells whether somebody waits for what needs a connection.
func (h *Hub) asked() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.queue) > 0
}

// serve connects, and does what is asked for until the connection ends.
func (h *Hub) serve() {
	s, err := h.connect()
	if err != nil {
		h.notConnected(err)
		return
	}
	cause := s.talk()
	s.close()
	var farewell *pgconn.PgError
	if cause == nil || !errors.Is(cause, ErrClosed) && errors.As(s.cause, &farewell) { // what the server said tells more than a write that failed
		cause = s.cause
	}
	h.lose(s, cause)
}

// notConnected tells those who wait that there is no connection to be had. Whoever asks from now on makes the next attempt.
func (h *Hub) notConnected(err error) {
	if h.life.Err() != nil {
		return // run answers with ErrClosed
	}
	h.opts.Log.Warn().Err(err).Msg("cannot open the listening connection")
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failAll(h.queue, fmt.Errorf("open the listening connection: %w", err))
	h.queue = nil
}

// talk sends batches. It returns why it has ended the session, and nil if the reader has.
func (s *session) talk() error {
	h := s.hub
	for first := true; ; first = false {
		b, err := s.next(first)
		if b == nil {
			return err
		}
		if err := s.write(b); err != nil {
			return fmt.Errorf("write to the server: %w", err)
		}
		limit := time.NewTimer(h.opts.Timeout)
		select {
		case <-b.done:
		case <-s.ended:
			err = nil
		case <-h.life.Done():
			err = ErrClosed
		case <-limit.C:
			err = fmt.Errorf("the server has not answered for %v", h.opts.Timeout)
		}
		limit.Stop()
		select {
		case <-b.done:
		default:
			return err
		}
	}
}

// next waits until there is something to send, and makes it the session's batch. Without a batch it says, as talk, why the session ends.
func (s *session) next(first bool) (*batch, error) {
	h := s.hub
	linger := time.NewTimer(h.opts.Linger)
	defer linger.Stop()
	for {
		select {
		case <-s.ended:
			return nil, nil
		default:
		}
		h.mu.Lock()
		s.batch = h.nextBatch(first)
		b, deserted := s.batch, len(h.roster.channels) == 0
		if b != nil {
			h.info.Trips++
		}
		h.mu.Unlock()
		if b != nil {
			return b, nil
		}
		var leave <-chan time.Time
		if deserted {
			leave = linger.C
		} else {
			linger.Reset(h.opts.Linger)
		}
		select {
		case <-h.work:
		case <-s.ended:
			return nil, nil
		case <-h.life.Done():
			return nil, ErrClosed
		case <-leave:
			return nil, errLinger
		}
	}
}

// lose ends everybody who heard through a session that is over, and answers who waited for it. Requests of others stay for the next session.
func (h *Hub) lose(s *session, cause error) {
	h.mu.Lock()
	h.info.Connected, h.info.PID, h.info.Since = false, 0, time.Time{}
	var told []*Member
	for _, l := range h.roster.reset() {
		l.member.end = ErrLost
		delete(h.members, l.member)
		told = append(told, l.member)
	}
	if s.batch != nil {
		answer := lostWith(cause)
		if errors.Is(cause, ErrClosed) {
			answer = ErrClosed
		}
		h.failAll(s.batch.requests, answer)
	}
	stay := h.queue[:0]
	for _, r := range h.queue {
		if r.member.end != nil {
			h.answer(r, r.member.end)
		} else if !r.answered {
			stay = append(stay, r)
		}
	}
	clear(h.queue[len(stay):])
	h.queue = stay
	if len(told) > 0 {
		h.info.Losses++
	}
	h.mu.Unlock()
	h.logEnd(s, cause, len(told))
	for _, m := range told {
		m.tell(ErrLost)
	}
}

func (h *Hub) logEnd(s *session, cause error, listeners int) {
	event := h.opts.Log.Warn()
	if errors.Is(cause, errLinger) || errors.Is(cause, ErrClosed) || errors.Is(cause, context.Canceled) {
		event = h.opts.Log.Debug()
	}
	event.Err(cause).Uint32("pid", s.pid).Int("listeners", listeners).Msg("the listening connection has ended")
}
