package advice

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// interval is the time between two looks at pg_stat_activity. A look takes the server about a third of a millisecond with 40 sessions.
const interval = 100 * time.Millisecond

// session is one row of a look.
type session struct {
	PID      int
	State    string
	WaitType string // "" where it waits for nothing
	Wait     string
	QueryID  int64   // from PostgreSQL 14 on
	InState  float64 // seconds
	Blockers []int   // only where it waits for a lock
	Query    string  // likewise; masked as soon as it is read
}

const sessionsQuery = `
	SELECT a.pid, a.state, coalesce(a.wait_event_type, '') AS waittype, coalesce(a.wait_event, '') AS wait, %s AS queryid,
	       extract(epoch FROM clock_timestamp() - a.state_change)::float8 AS instate,
	       CASE WHEN a.wait_event_type = 'Lock' THEN pg_blocking_pids(a.pid) END AS blockers,
	       CASE WHEN a.wait_event_type = 'Lock' THEN left(a.query, 4000) ELSE '' END AS query
	  FROM pg_stat_activity a
	 WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.state IS NOT NULL
	   AND a.application_name <> '` + applicationName + `'`

// activity is what many looks saw, in sessions times looks.
type activity struct {
	samples  int // looks
	sessions int
	idle     int // in no transaction
	active   int
	thinking int // idle in transaction: a server is held while the client says nothing
	aborted  int // the same after an error

	running int                       // active and waiting for nothing
	waits   map[string]map[string]int // of active ones, by type and event

	longest float64 // seconds that one was idle in transaction
	paused  float64 // the same of all that were, added up
	most    int     // sessions in a transaction at once

	blocked   map[blocked]int
	byThinker int // waits for a lock whose holder was idle in transaction
}

// blocked is a statement that waited for a lock.
type blocked struct {
	queryID int64
	event   string // "transactionid", "tuple", "relation", ...
	text    string // masked
}

// held is how many sessions were in a transaction.
func (a *activity) held() int { return a.active + a.thinking + a.aborted }

// share is a part of the sessions that were in a transaction.
func (a *activity) share(part int) float64 {
	if a.held() == 0 {
		return 0
	}
	return float64(part) / float64(a.held())
}

// waiting is how many active ones waited for an event type.
func (a *activity) waiting(kind string) (n int) {
	for _, count := range a.waits[kind] {
		n += count
	}
	return n
}

// look adds one look.
func (a *activity) look(sessions []session) {
	a.samples++
	states := map[int]string{}
	for i := range sessions {
		states[sessions[i].PID] = sessions[i].State
	}
	held := 0
	for i := range sessions {
		s := &sessions[i]
		a.sessions++
		switch s.State {
		case "idle":
			a.idle++
			continue
		case "idle in transaction":
			a.thinking++
			a.longest = max(a.longest, s.InState)
			a.paused += s.InState
		case "idle in transaction (aborted)":
			a.aborted++
		default: // active, fastpath function call
			a.active++
			a.wait(s, states)
		}
		held++
	}
	a.most = max(a.most, held)
}

// wait notes what an active session waits for.
func (a *activity) wait(s *session, states map[int]string) {
	// A session shown as active that waits for its client has just been asked, or has just answered.
	if s.WaitType == "" || s.WaitType == "Client" {
		a.running++
		return
	}
	if a.waits[s.WaitType] == nil {
		a.waits[s.WaitType] = map[string]int{}
	}
	a.waits[s.WaitType][s.Wait]++
	if s.WaitType != "Lock" {
		return
	}
	a.blocked[blocked{s.QueryID, s.Wait, Mask(s.Query)}]++
	for _, pid := range s.Blockers {
		if state := states[pid]; state == "idle in transaction" {
			a.byThinker++
			return
		}
	}
}

// activityWatch looks until it is ended.
type activityWatch struct {
	stop context.CancelFunc
	done chan struct{}
	seen *activity // the goroutine's until done is closed
	err  error
}

// watchActivity starts to look, on conn, which it closes at the end.
func watchActivity(ctx context.Context, conn *pgx.Conn, s *server) *activityWatch {
	ctx, stop := context.WithCancel(ctx)
	w := &activityWatch{
		stop: stop, done: make(chan struct{}),
		seen: &activity{waits: map[string]map[string]int{}, blocked: map[blocked]int{}},
	}
	queryID := "coalesce(a.query_id, 0)"
	if s.version < 140000 {
		queryID = "0"
	}
	go func() {
		defer close(w.done)
		defer hangUp(conn)
		w.err = w.loop(ctx, conn, fmt.Sprintf(sessionsQuery, queryID))
	}()
	return w
}

func (w *activityWatch) loop(ctx context.Context, conn *pgx.Conn, query string) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		sessions, err := ask[session](ctx, conn, query)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("looking at pg_stat_activity: %w: waits are known only until then", err)
		}
		w.seen.look(sessions)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// end ends the looking and returns what was seen.
func (w *activityWatch) end() (*activity, error) {
	w.stop()
	<-w.done
	return w.seen, w.err
}
