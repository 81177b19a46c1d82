package pool

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"pgregory.net/rapid"

	"poolerd/wire"
)

// What the clients of TestNothingLeaks do. The model follows what succeeded.

type leakAction = func(w *leakWorld, t *rapid.T, c *leakClient)

var leakActions = map[string]leakAction{
	"begin": (*leakWorld).begin, "commit": (*leakWorld).commit, "rollback": (*leakWorld).rollback, "chain": (*leakWorld).chain, "end of what failed": (*leakWorld).endFailed,
	"savepoint": (*leakWorld).savepoint, "rollback to": (*leakWorld).rollbackTo, "release": (*leakWorld).release,
	"set": (*leakWorld).set, "set local": (*leakWorld).setLocal, "reset": (*leakWorld).reset, "reset all": (*leakWorld).resetAll, "set in code": (*leakWorld).setInCode,
	"set with an error": (*leakWorld).setWithError, "role": (*leakWorld).role, "session authorization": (*leakWorld).sessionAuthorization,
	"temp": (*leakWorld).temp, "temp again": (*leakWorld).temp, "drop temp": (*leakWorld).dropTemp, "temp for a moment": (*leakWorld).tempForAMoment,
	"lock": (*leakWorld).lock, "unlock": (*leakWorld).unlock, "hold": (*leakWorld).hold, "close": (*leakWorld).closeCursors,
	"prepare": (*leakWorld).prepare, "parse": (*leakWorld).parse, "run": (*leakWorld).run, "run again": (*leakWorld).run, "parse again": (*leakWorld).parse, "deallocate": (*leakWorld).deallocate,
	"discard": (*leakWorld).discard, "listen": (*leakWorld).listen, "unlisten": (*leakWorld).unlisten, "notify": (*leakWorld).notify,
	"listen again": (*leakWorld).listen, "unlisten again": (*leakWorld).unlisten, "notify again": (*leakWorld).notify, "notify once more": (*leakWorld).notify,
	"error": (*leakWorld).fails, "copy": (*leakWorld).copies, "sequence": (*leakWorld).sequence, "ddl": (*leakWorld).changeTable,
	"set by a function": (*leakWorld).setByFunction, "unnamed": (*leakWorld).unnamed, "portal": (*leakWorld).portal,
	"vanish": (*leakWorld).vanish, "compare": (*leakWorld).compare, "compare once more": (*leakWorld).compare,
}

func (w *leakWorld) begin(t *rapid.T, c *leakClient) {
	if c.model.before != nil {
		t.Skip("in a transaction")
	}
	c.model.begin()
	c.do(t, rapid.SampledFrom([]string{"BEGIN", "START TRANSACTION", "begin isolation level repeatable read"}).Draw(t, "text"))
}

func (w *leakWorld) commit(t *rapid.T, c *leakClient) {
	w.finish(t, c, rapid.SampledFrom([]string{"COMMIT", "END"}).Draw(t, "text"), true)
}

func (w *leakWorld) rollback(t *rapid.T, c *leakClient) {
	w.finish(t, c, rapid.SampledFrom([]string{"ROLLBACK", "ABORT"}).Draw(t, "text"), false)
}

// endFailed keeps clients from staying in failed transactions.
func (w *leakWorld) endFailed(t *rapid.T, c *leakClient) {
	if !c.model.failed {
		t.Skip("not in a failed transaction")
	}
	w.rollback(t, c)
}

func (w *leakWorld) finish(t *rapid.T, c *leakClient, sql string, commit bool) {
	m := c.model
	if m.before == nil {
		t.Skip("not in a transaction")
	}
	notified := m.end(commit)
	if _, ok := c.do(t, sql); !ok {
		t.Fatalf("%s: %s failed", c.name, sql)
	}
	w.ended(t, c, notified)
}

func (w *leakWorld) chain(t *rapid.T, c *leakClient) {
	m := c.model
	if m.before == nil {
		t.Skip("not in a transaction")
	}
	commit := rapid.Bool().Draw(t, "commit")
	notified := m.end(commit)
	m.begin()
	c.do(t, map[bool]string{true: "COMMIT AND CHAIN", false: "ROLLBACK AND CHAIN"}[commit])
	w.hearLater(c, notified)
}

// ended deals with the notifications of a transaction that is over, and with those that were held back meanwhile.
func (w *leakWorld) ended(t *rapid.T, c *leakClient, notified []string) {
	for _, n := range c.pending {
		if channel, _, _ := strings.Cut(n, " "); c.model.now.channels[channel] {
			c.expected = append(c.expected, n)
		}
	}
	c.pending = nil
	w.tell(t, notified)
}

// hearLater is ended where the next transaction has begun already.
func (w *leakWorld) hearLater(c *leakClient, notified []string) {
	for _, l := range w.clients {
		for _, n := range notified {
			channel, _, _ := strings.Cut(n, " ")
			switch m := l.model; {
			case m.before == nil && m.now.channels[channel]:
				l.expected = append(l.expected, n)
			case m.before != nil && m.before.channels[channel]:
				l.pending = append(l.pending, n)
			}
		}
	}
}

// tell lets every client hear what was committed.
func (w *leakWorld) tell(t *rapid.T, notified []string) {
	w.hearLater(nil, notified)
	for _, l := range w.clients {
		if l.model.before == nil {
			l.hear(t)
		}
	}
}

var leakSavepoints = rapid.SampledFrom([]string{"s", "u", `"S"`})

func (w *leakWorld) savepoint(t *rapid.T, c *leakClient) {
	name := leakSavepoints.Draw(t, "name")
	if c.model.before == nil {
		t.Skip("not in a transaction")
	}
	if _, ok := c.do(t, "SAVEPOINT "+name); ok {
		c.model.savepoint(name)
	}
}

func (w *leakWorld) rollbackTo(t *rapid.T, c *leakClient) {
	m := c.model
	name := leakSavepoints.Draw(t, "name")
	at := m.find(name)
	if m.before == nil || at < 0 {
		t.Skip("no such savepoint")
	}
	m.rollbackTo(at)
	if _, ok := c.do(t, "ROLLBACK TO "+name); !ok {
		t.Fatalf("%s: ROLLBACK TO failed", c.name)
	}
}

func (w *leakWorld) release(t *rapid.T, c *leakClient) {
	m := c.model
	name := leakSavepoints.Draw(t, "name")
	at := m.find(name)
	if m.before == nil || at < 0 {
		t.Skip("no such savepoint")
	}
	if _, ok := c.do(t, "RELEASE SAVEPOINT "+name); ok {
		m.saves = m.saves[:at]
	}
}

// aParameter draws one, and a value for it.
func aParameter(t *rapid.T) (name, value string) {
	p := leakParameters[rapid.IntRange(0, len(leakParameters)-1).Draw(t, "parameter")]
	return p.name, rapid.SampledFrom(p.values).Draw(t, "value")
}

func (w *leakWorld) set(t *rapid.T, c *leakClient) {
	name, value := aParameter(t)
	sql := rapid.SampledFrom([]string{"SET %[1]s TO %[2]s", "set session %[1]s = %[2]s", "SELECT set_config(%[3]s, %[4]s, false)", "SELECT set_config(%[3]s, %[4]s, 'f'::bool)"}).Draw(t, "text")
	if _, ok := c.do(t, fmt.Sprintf(sql, name, literal(name, value), quoted(name), quoted(value))); ok {
		c.model.set(name, value)
	}
}

func (w *leakWorld) setLocal(t *rapid.T, c *leakClient) {
	name, value := aParameter(t)
	sql := rapid.SampledFrom([]string{"SET LOCAL %[1]s TO %[2]s", "SELECT set_config(%[3]s, %[4]s, true)"}).Draw(t, "text")
	if _, ok := c.do(t, fmt.Sprintf(sql, name, literal(name, value), quoted(name), quoted(value))); ok && c.model.before != nil {
		c.model.now.local[name] = value
	}
}

func (w *leakWorld) reset(t *rapid.T, c *leakClient) {
	name, _ := aParameter(t)
	if _, ok := c.do(t, fmt.Sprintf(rapid.SampledFrom([]string{"RESET %s", "SET %s TO DEFAULT"}).Draw(t, "text"), name)); ok {
		c.model.reset(name)
	}
}

func (w *leakWorld) resetAll(t *rapid.T, c *leakClient) {
	if _, ok := c.do(t, "RESET ALL"); ok {
		c.model.resetAll()
	}
}

func (w *leakWorld) setInCode(t *rapid.T, c *leakClient) {
	name, value := aParameter(t)
	sql := rapid.SampledFrom([]string{"DO $$ BEGIN SET %[1]s TO %[2]s; END $$", "DO $x$ BEGIN PERFORM set_config(%[3]s, %[4]s, false); END $x$"}).Draw(t, "text")
	if _, ok := c.do(t, fmt.Sprintf(sql, name, literal(name, value), quoted(name), quoted(value))); ok {
		c.model.set(name, value)
	}
}

// setWithError: what was set before an error in the same text or flight holds only where it was committed.
func (w *leakWorld) setWithError(t *rapid.T, c *leakClient) {
	m := c.model
	if m.before != nil {
		t.Skip("in a transaction")
	}
	a, av := aParameter(t)
	b, bv := aParameter(t)
	one, two := "SET "+a+" TO "+literal(a, av), "SET "+b+" TO "+literal(b, bv)
	kind := rapid.IntRange(0, 4).Draw(t, "kind")
	switch kind {
	case 0:
		c.query(t, one+"; SELECT 1/0; "+two, "22012")
	case 1:
		c.query(t, one+"; COMMIT; "+two+"; SELECT 1/0", "22012")
		m.set(a, av)
	case 2:
		c.query(t, "BEGIN; "+one+"; COMMIT; "+two+"; SELECT 1")
		m.set(a, av)
		m.set(b, bv)
	case 3:
		flight := slices.Concat(unsynced(one), unsynced("SELECT 1/0"), unprepared(two))
		c.judge(t, "a flight with an error", c.flight(t, flight, 1), "22012")
	default:
		flight := slices.Concat(unprepared(one), unsynced(two), unprepared("SELECT 1/0"), wire.AppendQuery(nil, "SELECT 1"))
		c.judge(t, "three flights", c.flight(t, flight, 3), "22012")
		m.set(a, av)
	}
}

// unsynced is Parse, Bind, Execute.
func unsynced(sql string) []byte {
	b := unprepared(sql)
	return b[:len(b)-wire.HeaderLen]
}

func (w *leakWorld) role(t *rapid.T, c *leakClient) {
	role := rapid.SampledFrom([]string{"web_anon", "web_user", "none"}).Draw(t, "role")
	sql := rapid.SampledFrom([]string{"SET ROLE %s", "SET LOCAL ROLE %s", "SELECT set_config('role', '%s', false)", "RESET ROLE"}).Draw(t, "text")
	if sql == "RESET ROLE" {
		role = "none"
	} else {
		sql = fmt.Sprintf(sql, role)
	}
	_, ok := c.do(t, sql, "42501") // whom the session belongs to may not be a member
	switch {
	case !ok:
	case strings.Contains(sql, "LOCAL"):
		if c.model.before != nil {
			c.model.now.local["role"] = role
		}
	case role == "none":
		c.model.reset("role")
	default:
		c.model.set("role", role)
	}
}

// sessionAuthorization is only changed where a rollback, or the role, does not come into it.
func (w *leakWorld) sessionAuthorization(t *rapid.T, c *leakClient) {
	m := c.model
	if m.before != nil || m.show("role") != "none" {
		t.Skip("in a transaction or a role")
	}
	who := rapid.SampledFrom([]string{"authenticator", "web_user", "DEFAULT"}).Draw(t, "who")
	c.do(t, "SET SESSION AUTHORIZATION "+who)
	if m.reset("session_authorization"); who != "DEFAULT" {
		m.set("session_authorization", who)
	}
}

func (w *leakWorld) lock(t *rapid.T, c *leakClient) {
	m := c.model
	key := strconv.Itoa(rapid.IntRange(1, 3).Draw(t, "key"))
	free := true
	for _, o := range w.clients {
		free = free && (o == c || o.model.locks[key] == 0)
	}
	text := rapid.SampledFrom([]string{"SELECT pg_try_advisory_lock(%s)", "SELECT public.leak_try(%s)"}).Draw(t, "text")
	r, ok := c.do(t, fmt.Sprintf(text, key), w.limits(c)...)
	if !ok {
		return
	}
	if want := map[bool]string{true: "t", false: "f"}[free]; r.rows[0] != want {
		t.Fatalf("%s: lock %s: %s, want %s", c.name, key, r.rows[0], want)
	}
	if free {
		m.locks[key]++
	}
}

func (w *leakWorld) unlock(t *rapid.T, c *leakClient) {
	m := c.model
	if len(m.locks) == 0 {
		t.Skip("no locks")
	}
	if rapid.Bool().Draw(t, "all") {
		if _, ok := c.do(t, "SELECT pg_advisory_unlock_all()", w.limits(c)...); ok {
			clear(m.locks)
		}
		return
	}
	key := rapid.SampledFrom(slices.Sorted(maps.Keys(m.locks))).Draw(t, "key")
	r, ok := c.do(t, "SELECT pg_advisory_unlock("+key+")", w.limits(c)...)
	if !ok {
		return
	}
	if r.rows[0] != "t" {
		t.Fatalf("%s: has lost lock %s", c.name, key)
	}
	if m.locks[key]--; m.locks[key] == 0 {
		delete(m.locks, key)
	}
}

// limits allows max_pinned_servers' error where it applies.
func (w *leakWorld) limits(c *leakClient) []wire.Code {
	if w.mayPin(c) {
		return nil
	}
	return []wire.Code{wire.CodeConfigurationLimitExceeded}
}
