package listen

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/wire"
)

// maxStatements bounds a batch, and so the time that a round trip takes.
const maxStatements = 256

// neverIdle keeps a server from closing the session because nobody says anything (idle_session_timeout, PostgreSQL 14), without an error where there is no such setting.
const neverIdle = "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name = 'idle_session_timeout'"

// request is one Listen or Barrier that somebody waits for. All but done is guarded by Hub.mu.
type request struct {
	member   *Member
	channel  *channel // nil for a Barrier
	done     chan error
	answered bool
}

// batch is what one round trip carries: statements, each a Query, and a Sync.
type batch struct {
	statements []statement
	at         int // of the statements, how many have been answered
	requests   []*request
	done       chan struct{} // closed when all of it has been answered
}

// statement is a LISTEN if it has a channel. The others' failures change nothing.
type statement struct {
	sql     string
	channel *channel
	failed  *pgconn.PgError
}

// await waits for a request's answer.
func (h *Hub) await(ctx context.Context, r *request) error {
	h.poke()
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if r.answered {
		err := <-r.done
		if err == nil && r.channel != nil { // too late: the caller is told that it does not listen
			h.roster.remove(&r.member.listener, r.channel.name)
			r.member.box.forget(r.channel.name)
		}
	} else {
		h.answer(r, context.Cause(ctx))
	}
	h.poke() // the channel may have become unwanted
	return context.Cause(ctx)
}

// answer ends a request, once. Without an error a Listen takes effect. h.mu is held.
func (h *Hub) answer(r *request, err error) {
	if r.answered {
		return
	}
	r.answered = true
	if err == nil {
		err = r.member.end
	}
	if r.channel != nil {
		if err == nil {
			h.roster.add(&r.member.listener, r.channel)
		}
		h.roster.answered(r.channel)
	}
	r.done <- err
}

// nextBatch makes a batch of what is to be done. first says that the connection has not had any. It returns nil if there is nothing. h.mu is held.
func (h *Hub) nextBatch(first bool) *batch {
	b := &batch{done: make(chan struct{})}
	if first {
		b.statements = append(b.statements, statement{sql: neverIdle})
	}
	taken := 0
	for _, r := range h.queue {
		if c := r.channel; c != nil && !r.answered && !c.told {
			if len(b.statements) >= maxStatements {
				break
			}
			c.told = true
			b.statements = append(b.statements, statement{sql: "LISTEN " + quote(c.name), channel: c})
		}
		if !r.answered {
			b.requests = append(b.requests, r)
		}
		taken++
	}
	clear(h.queue[:taken])
	if h.queue = h.queue[taken:]; len(h.queue) == 0 {
		h.queue = nil
	}
	for _, name := range h.roster.unlistens(maxStatements - len(b.statements)) {
		b.statements = append(b.statements, statement{sql: "UNLISTEN " + quote(name)})
	}
	if len(b.statements) == 0 && len(b.requests) == 0 {
		return nil
	}
	return b
}

// append adds the batch's messages to dst.
func (b *batch) append(dst []byte) []byte {
	for i := range b.statements {
		dst = wire.AppendQuery(dst, b.statements[i].sql)
	}
	return wire.AppendEmpty(dst, wire.ClientSync)
}

// fail notes an ErrorResponse. It reports false if there is nothing that could have failed.
func (b *batch) fail(err *pgconn.PgError) bool {
	if b == nil || b.at == len(b.statements) {
		return false
	}
	b.statements[b.at].failed = err
	return true
}

// ready notes a ReadyForQuery, and reports whether it was the Sync's.
func (b *batch) ready() (last bool) {
	if b.at < len(b.statements) {
		b.at++
		return false
	}
	return true
}

// settle answers the requests of a batch whose last reply was read: from the next message on, the Members hear what they have asked for. h.mu is held.
func (h *Hub) settle(b *batch) {
	refused := map[*channel]error{}
	for i := range b.statements {
		if s := &b.statements[i]; s.channel != nil && s.failed != nil {
			refused[s.channel] = s.failed
		}
	}
	for _, r := range b.requests {
		h.answer(r, refused[r.channel])
	}
	for c := range refused {
		h.roster.refused(c)
	}
	close(b.done)
}

// failAll answers requests with the same error. h.mu is held.
func (h *Hub) failAll(list []*request, err error) {
	for _, r := range list {
		h.answer(r, err)
	}
}

// lostWith is ErrLost with what is known of its cause.
func lostWith(cause error) error { return fmt.Errorf("%w: %w", ErrLost, cause) }

// quote makes an identifier of a name (PostgreSQL's documentation, "Identifiers and Key Words").
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }
