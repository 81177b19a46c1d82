package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// The clients of TestChaos.

const (
	chaosClients  = 45
	chaosPatience = 25 * time.Second // within which each step must have ended, whatever goes on
)

var chaosDatabases = []string{"forced", "own", "keeping", "single", "extra", "anything"}

// fate is what a client knows of a row that it has written.
type fate uint8

const (
	undone  fate = iota // it must not be there
	inDoubt             // nobody can tell
	kept                // it must be there, once
)

// rowLedger knows what must be in the table. Each row has a key of its own.
type rowLedger struct {
	mu   sync.Mutex
	fate map[string]fate
}

func (l *rowLedger) note(to fate, keys ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, key := range keys {
		l.fate[key] = to
	}
}

// judge compares the ledger with the table.
func (l *rowLedger) judge(t *testing.T, watch *pgx.Conn) {
	t.Helper()
	rows, err := watch.Query(within(t, time.Minute), "SELECT key, count(*) FROM deeds GROUP BY key")
	if err != nil {
		t.Fatal(err)
	}
	there := map[string]int{}
	var key string
	var n int
	if _, err := pgx.ForEachRow(rows, []any{&key, &n}, func() error { there[key] = n; return nil }); err != nil {
		t.Fatal(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	sums := map[fate]int{}
	for key, to := range l.fate {
		sums[to]++
		switch n := there[key]; {
		case n > 1:
			t.Errorf("row %s was written %d times", key, n)
		case n == 1 && to == undone:
			t.Errorf("row %s is there, and its client was told that it was not written", key)
		case n == 0 && to == kept:
			t.Errorf("row %s is lost, and its client was told that it was written", key)
		}
		delete(there, key)
	}
	for key := range there {
		t.Errorf("row %s was written by nobody", key)
	}
	t.Logf("%d rows kept, %d in doubt, %d undone", sums[kept], sums[inDoubt], sums[undone])
	if sums[kept] == 0 {
		t.Error("no row was kept")
	}
}

// tallies count by name.
type tallies struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *tallies) add(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[name]++
}

func (c *tallies) of(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[name]
}

func (c *tallies) all() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

// opinion is what all clients say together.
type opinion struct {
	calm   atomic.Bool  // nothing may fail any more
	losses atomic.Int64 // steps that ended with an error that a client has to expect
	wrongs atomic.Int64 // others
	fail   func(error)
	tally  tallies
}

// chaosGuest is one client of the storm.
type chaosGuest struct {
	h        *havoc
	tag      string
	number   int
	dice     *rand.Rand
	conn     *pgx.Conn
	serial   int
	single   bool // statement mode
	database string
	asked    bool // it has sent a cancel request for the step under way
	listed   bool // it listens
	stormy   bool // it logged in during the storm, and may have been told of its end then without having read it
}

// next is a text that no other statement has.
func (g *chaosGuest) next() string {
	g.serial++
	return fmt.Sprintf("%s/%d", g.tag, g.serial)
}

// client does one step after another until ctx ends.
func (h *havoc) client(ctx context.Context, number int) {
	g := &chaosGuest{h: h, number: number, tag: fmt.Sprintf("client-%d", number), dice: rand.New(rand.NewPCG(h.seed, uint64(number)))}
	defer func() {
		if g.conn != nil {
			leave(g.conn)
		}
	}()
	for ctx.Err() == nil && h.wrongs.Load() < 10 {
		name, err := g.step()
		if err == nil {
			h.tally.add(name)
			continue
		}
		h.losses.Add(1)
		if h.calm.Load() && !g.stormy || !g.expected(err) {
			h.wrongs.Add(1)
			h.fail(fmt.Errorf("%s of database %s at %s: %s: %w", g.tag, g.database, time.Now().UTC().Format(time.RFC3339Nano), name, err))
			return
		}
		h.tally.add("lost: " + brief(err))
		g.recover(err)
	}
}

// step does one thing, at the beginning a login.
func (g *chaosGuest) step() (name string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), chaosPatience)
	defer cancel()
	g.asked = false
	if g.conn == nil || g.conn.IsClosed() {
		database := chaosDatabases[g.dice.IntN(len(chaosDatabases))]
		if database == "anything" {
			database = fmt.Sprintf("anything%d", g.dice.IntN(4))
		}
		g.database, g.single, g.listed, g.stormy = database, database == "single", false, !g.h.calm.Load()
		g.conn, err = g.h.connect(ctx, g.number, g.tag, database, []string{"postgres", "scribe", "clerk"}[g.dice.IntN(3)])
		return "login", err
	}
	steps := chaosSteps
	if g.single {
		steps = chaosSteps[:chaosSingle]
	}
	s := steps[g.dice.IntN(len(steps))]
	return s.name, s.do(g, ctx)
}

// recover brings a client that was told of an error to where it can go on: out of its transaction, or away.
func (g *chaosGuest) recover(err error) {
	if g.conn == nil || g.conn.IsClosed() {
		time.Sleep(time.Duration(g.dice.IntN(30)) * time.Millisecond) // who is refused does not hammer
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), chaosPatience)
	defer cancel()
	if sqlState(err) == "57014" && !g.asked {
		// Nobody but a client itself cancels its query, unless the whole client is ended.
		if _, err := g.conn.Exec(ctx, "SELECT 1", pgx.QueryExecModeSimpleProtocol); err == nil {
			g.h.wrongs.Add(1)
			g.h.fail(fmt.Errorf("%s: a query was cancelled that nobody has cancelled", g.tag))
		}
		leave(g.conn)
		return
	}
	if g.conn.PgConn().TxStatus() != 'I' {
		if _, err := g.conn.Exec(ctx, "ROLLBACK", pgx.QueryExecModeSimpleProtocol); err != nil {
			leave(g.conn)
		}
	}
}

// expected tells whether an error is one that a client has to expect in this storm.
func (g *chaosGuest) expected(err error) bool {
	if errors.Is(err, errWrong) {
		return false
	}
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return isLoss(err)
	}
	switch pg.Code {
	case "57P01", "57P02", "57P03", "57014", "08006", "08007", "08001", "08003", "25P02", "53400":
		return true
	case "08P01", "53300", "3D000":
		for _, said := range chaosSaid {
			if strings.Contains(pg.Message, said) {
				return true
			}
		}
	}
	return false
}

// chaosSaid is what errors say whose SQLSTATE could mean anything.
var chaosSaid = []string{"query_wait_timeout", "no such database: extra", "server login has been failing", "too many clients", "database removed", "server conn crashed"}

func brief(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		message := pg.Message
		if len(message) > 60 {
			message = message[:60]
		}
		return pg.Code + " " + message
	}
	return "connection"
}
