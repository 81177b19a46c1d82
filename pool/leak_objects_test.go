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

// More of what the clients of TestNothingLeaks do: what they make and throw away.

func (w *leakWorld) temp(t *rapid.T, c *leakClient) {
	name := "t" + strconv.Itoa(rapid.IntRange(0, 2).Draw(t, "n"))
	texts := []string{"CREATE TEMP TABLE %s (n int)", "CREATE TEMPORARY TABLE %s AS SELECT 1 AS n", "SELECT 1 AS n INTO TEMP %s", "CREATE TABLE pg_temp.%s (n int)", "CREATE TEMP VIEW %s AS SELECT 1 AS n", "SELECT public.leak_temp('%s')"}
	if w.mayPin(c) {
		texts = append(texts, "DO $$ BEGIN EXECUTE 'CREATE TEMP TABLE %s (n int)'; END $$")
	}
	sql := fmt.Sprintf(rapid.SampledFrom(texts).Draw(t, "text"), name)
	if _, ok := c.do(t, sql, append(w.limits(c), "42P07")...); !ok {
		return
	}
	if c.model.now.temps[name] {
		t.Fatalf("%s: %s was gone", c.name, name)
	}
	c.model.now.temps[name] = true
}

func (w *leakWorld) dropTemp(t *rapid.T, c *leakClient) {
	m := c.model
	if len(m.now.temps) == 0 {
		t.Skip("no temporary tables")
	}
	if m.before == nil && rapid.Bool().Draw(t, "all") {
		c.do(t, "DISCARD TEMP")
		clear(m.now.temps)
		return
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(m.now.temps))).Draw(t, "name")
	// 42809: it is a view; 42501: another role's
	sql := fmt.Sprintf("DO $$ BEGIN DROP TABLE %[1]s; EXCEPTION WHEN wrong_object_type THEN DROP VIEW %[1]s; END $$", name)
	if rapid.Bool().Draw(t, "plain") {
		sql = "DROP TABLE " + name
	}
	if _, ok := c.do(t, sql, "42809", "42501"); ok {
		delete(m.now.temps, name)
	}
}

// tempForAMoment makes what is gone with its transaction.
func (w *leakWorld) tempForAMoment(t *rapid.T, c *leakClient) {
	if c.model.before != nil {
		t.Skip("in a transaction")
	}
	c.query(t, rapid.SampledFrom([]string{
		"CREATE TEMP TABLE moment (n int) ON COMMIT DROP", "BEGIN; CREATE TEMP TABLE moment (n int); ROLLBACK", "BEGIN; DECLARE moment CURSOR WITH HOLD FOR SELECT 1; ROLLBACK",
		"CREATE TEMP TABLE moment (n int); DROP TABLE moment", "SELECT pg_advisory_xact_lock(99)", "BEGIN; DECLARE moment CURSOR FOR SELECT 1; FETCH moment; COMMIT",
		"PREPARE moment AS SELECT 1; EXECUTE moment; DEALLOCATE moment",
	}).Draw(t, "text"), w.limits(c)...)
}

func (w *leakWorld) hold(t *rapid.T, c *leakClient) {
	name := "h" + strconv.Itoa(rapid.IntRange(0, 1).Draw(t, "n"))
	if _, ok := c.do(t, "DECLARE "+name+" CURSOR WITH HOLD FOR SELECT 1", append(w.limits(c), "42P03")...); ok {
		if c.model.now.holds[name] {
			t.Fatalf("%s: cursor %s was gone", c.name, name)
		}
		c.model.now.holds[name] = true
	}
}

// closeCursors closes outside transactions only: no rollback brings a cursor back.
func (w *leakWorld) closeCursors(t *rapid.T, c *leakClient) {
	m := c.model
	if m.before != nil || len(m.now.holds) == 0 {
		t.Skip("nothing to close")
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(m.now.holds))).Draw(t, "name")
	if rapid.Bool().Draw(t, "all") {
		c.do(t, "CLOSE ALL")
		clear(m.now.holds)
		return
	}
	c.do(t, "CLOSE "+name)
	delete(m.now.holds, name)
}

var leakNames = rapid.SampledFrom([]string{"p", "q", "r"})

// prepare is SQL's PREPARE.
func (w *leakWorld) prepare(t *rapid.T, c *leakClient) {
	name := leakNames.Draw(t, "name")
	_, taken := c.model.prepared[name]
	w.serial++
	answer := "by SQL " + strconv.Itoa(w.serial)
	_, ok := c.query(t, "PREPARE "+name+" AS SELECT "+quoted(answer), append(w.limits(c), wire.CodeDuplicatePreparedStatement)...)
	switch {
	case ok && taken:
		t.Fatalf("%s: PREPARE of %s, which is taken", c.name, name)
	case ok:
		c.model.prepared[name] = statementModel{answer: answer, sql: true}
	}
}

func (w *leakWorld) parse(t *rapid.T, c *leakClient) {
	name := leakNames.Draw(t, "name")
	_, taken := c.model.prepared[name]
	p := statementModel{where: c.model.where()}
	sql := "SELECT whose FROM leak_where"
	if n := rapid.IntRange(0, 8).Draw(t, "text"); n < 5 { // more than a server keeps
		p.answer = "by Parse " + strconv.Itoa(n)
		sql = "SELECT " + quoted(p.answer)
	}
	failed := c.model.failed
	ok := c.judge(t, "Parse", c.flight(t, parse(name, sql), 1), wire.CodeDuplicatePreparedStatement)
	switch {
	case ok && taken:
		t.Fatalf("%s: Parse of %s, which is taken", c.name, name)
	case !ok && !taken && !failed:
		t.Fatalf("%s: %s is free, and cannot be given", c.name, name)
	case ok:
		c.model.prepared[name] = p
	}
}

// run carries out a prepared statement.
func (w *leakWorld) run(t *rapid.T, c *leakClient) {
	name := leakNames.Draw(t, "name")
	p, known := c.model.prepared[name]
	var r leakReply
	if rapid.Bool().Draw(t, "EXECUTE") {
		r = c.flight(t, wire.AppendQuery(nil, "EXECUTE "+name), 1)
	} else {
		r = c.flight(t, prepared(name), 1)
	}
	failed, allowed := c.model.failed, []wire.Code{wire.CodeUndefinedPreparedStatement}
	if known && p.answer == "" && p.where != c.model.where() {
		allowed = append(allowed, wire.CodeFeatureNotSupported) // PostgreSQL looks at the other table, whose column is of another type, and refuses
	}
	ok := c.judge(t, "a prepared statement", r, allowed...)
	want := p.answer
	if want == "" {
		want = c.model.where()
	}
	switch {
	case ok && (!known || r.rows[0] != want):
		t.Fatalf("%s: statement %s answers %q, want %q", c.name, name, r.rows, want)
	case r.code == wire.CodeUndefinedPreparedStatement && known && !failed:
		t.Fatalf("%s: statement %s is lost: %s", c.name, name, r.message)
	}
}

func (w *leakWorld) deallocate(t *rapid.T, c *leakClient) {
	m := c.model
	name := leakNames.Draw(t, "name")
	switch rapid.IntRange(0, 3).Draw(t, "how") {
	case 0:
		if r := c.flight(t, wire.AppendEmpty(wire.AppendClose(nil, 'S', name), wire.ClientSync), 1); r.code != "" { // in a failed transaction too
			t.Fatalf("%s: Close: %s", c.name, r.message)
		}
		delete(m.prepared, name)
	case 1:
		if _, ok := c.query(t, "DEALLOCATE ALL"); ok {
			clear(m.prepared)
		}
	default:
		if _, ok := c.do(t, "DEALLOCATE "+name, wire.CodeUndefinedPreparedStatement); ok {
			delete(m.prepared, name)
		}
	}
}

func (w *leakWorld) discard(t *rapid.T, c *leakClient) {
	if c.model.before != nil {
		t.Skip("in a transaction")
	}
	if rapid.IntRange(0, 3).Draw(t, "all") > 0 {
		c.query(t, "DISCARD PLANS")
		return
	}
	c.query(t, "DISCARD ALL")
	c.model.clear()
}

func (w *leakWorld) listen(t *rapid.T, c *leakClient) {
	channel := "ch" + strconv.Itoa(rapid.IntRange(0, 1).Draw(t, "n"))
	if _, ok := c.do(t, "LISTEN "+channel); ok {
		c.model.now.channels[channel] = true
	}
}

func (w *leakWorld) unlisten(t *rapid.T, c *leakClient) {
	m := c.model
	channel := "ch" + strconv.Itoa(rapid.IntRange(0, 1).Draw(t, "n"))
	if rapid.IntRange(0, 3).Draw(t, "all") == 0 {
		if _, ok := c.do(t, "UNLISTEN *"); ok {
			clear(m.now.channels)
		}
		return
	}
	if _, ok := c.do(t, "UNLISTEN "+channel); ok {
		delete(m.now.channels, channel)
	}
}

func (w *leakWorld) notify(t *rapid.T, c *leakClient) {
	m := c.model
	w.serial++
	channel, payload := "ch"+strconv.Itoa(rapid.IntRange(0, 2).Draw(t, "n")), strconv.Itoa(w.serial)
	sql := rapid.SampledFrom([]string{"NOTIFY %s, '%s'", "SELECT pg_notify('%s', '%s')", "DO $$ BEGIN PERFORM pg_notify('%s', '%s'); END $$"}).Draw(t, "text")
	if _, ok := c.do(t, fmt.Sprintf(sql, channel, payload)); !ok {
		return
	}
	n := channel + " " + payload
	if m.before != nil {
		m.notified = append(m.notified, n)
		return
	}
	if m.now.channels[channel] && !slices.Contains(c.heard, n) {
		t.Fatalf("%s: its own notification did not come ahead of ReadyForQuery", c.name)
	}
	w.tell(t, []string{n})
}

func (w *leakWorld) fails(t *rapid.T, c *leakClient) {
	c.do(t, rapid.SampledFrom([]string{"SELECT 1/0", "SELECT nothing", "selec", "SET work_mem TO '1 stone'"}).Draw(t, "text"), "22012", "42703", "42601", "22023")
}

func (w *leakWorld) copies(t *rapid.T, c *leakClient) {
	if c.model.failed || len(c.model.now.temps) == 0 {
		c.query(t, "COPY (SELECT generate_series(1, 1000)) TO STDOUT")
		return
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(c.model.now.temps))).Draw(t, "name")
	r := c.flight(t, wire.AppendQuery(nil, "COPY "+name+" FROM STDIN"), 1)
	if r.code != "" { // a view, or another role's
		c.judge(t, "COPY", r, "42809", "42501")
		return
	}
	end := wire.AppendEmpty(nil, wire.ClientCopyDone)
	if rapid.Bool().Draw(t, "fail") {
		end = []byte{wire.ClientCopyFail, 0, 0, 0, 6, 'n', 0}
	}
	c.judge(t, "COPY", c.flight(t, end, 1), "57014", "42809") // that it is a view is only found out when rows come
}

// changeTable changes the result of a statement that clients have prepared.
func (w *leakWorld) changeTable(t *rapid.T, c *leakClient) {
	m := c.model
	for _, o := range w.clients {
		if o.model.before != nil {
			t.Skip("a lock may be held")
		}
	}
	if m.show("session_authorization") != "postgres" || m.show("role") != "none" {
		t.Skip("not its own table")
	}
	has := w.house.sql(t, "SELECT count(*) FROM pg_attribute WHERE attrelid = 'public.leak_ddl'::regclass AND attname = 'more' AND NOT attisdropped")
	change := "ADD COLUMN more int"
	if has == "1" {
		change = "DROP COLUMN more"
	}
	c.do(t, "ALTER TABLE public.leak_ddl "+change)
	for _, o := range w.clients {
		if !w.mayAct(o) {
			continue
		}
		b := wire.AppendEmpty(wire.AppendExecute(wire.AppendBind(nil, "", "ddl"), ""), wire.ClientSync)
		if r := o.flight(t, b, 1); r.code == wire.CodeUndefinedPreparedStatement {
			o.judge(t, "Parse", o.flight(t, parse("ddl", "SELECT * FROM public.leak_ddl"), 1))
			o.judge(t, "the first use after Parse", o.flight(t, b, 1))
		} else if r.code != "" {
			t.Fatalf("%s: after a DDL: %s %s", o.name, r.code, r.message)
		}
	}
}

// vanish ends a connection in one of many ways, and opens another in its place.
func (w *leakWorld) vanish(t *rapid.T, c *leakClient) {
	sleep := wire.AppendQuery(nil, "SELECT pg_sleep(0.02)")
	switch rapid.SampledFrom([]string{"cut", "in a query", "in a message", "in a COPY", "in a flight", "Terminate", "in a deferred Parse"}).Draw(t, "how") {
	case "in a query":
		c.send(t, append(wire.AppendQuery(nil, "SET work_mem TO '77MB'"), sleep...))
	case "in a message":
		c.send(t, sleep[:len(sleep)-5])
	case "in a COPY":
		c.flight(t, wire.AppendQuery(nil, "CREATE TEMP TABLE c (n int); COPY c FROM STDIN"), 1)
		c.send(t, []byte{wire.ClientCopyData, 0, 0, 0, 99, '1'})
	case "in a flight":
		c.send(t, wire.AppendEmpty(append(unsynced("SET work_mem TO '78MB'"), unsynced("SELECT pg_advisory_lock(98)")...), wire.ClientFlush))
		var r leakReply
		c.message(t, &r)
	case "in a deferred Parse":
		c.send(t, parse("late", "SELECT 1"))
	case "Terminate":
		c.send(t, wire.AppendEmpty(nil, wire.ClientTerminate))
		c.drained(t)
	}
	c.cut()
	pid := c.pid
	leakUntil(t, "the pooler lets go of a client that has gone", func() bool {
		busy := 0
		for _, p := range w.pooler.allClients() {
			if p.key.pid == pid {
				return false
			}
			if has, _ := p.holds(); has {
				busy++
			}
		}
		return w.busy() == busy
	})
	locks := 0
	for _, o := range w.clients {
		if o != c {
			locks += len(o.model.locks)
		}
	}
	leakUntil(t, "its locks are free", func() bool {
		return w.house.sql(t, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == strconv.Itoa(locks)
	})
	w.clients[slices.Index(w.clients, c)] = w.logIn(t, c.n)
}

// busy counts the servers that somebody has.
func (w *leakWorld) busy() int {
	n := 0
	for _, p := range w.pooler.allPools() {
		p.mu.Lock()
		n += p.busy
		p.mu.Unlock()
	}
	return n
}

// compare looks at the whole session through the pooler.
func (w *leakWorld) compare(t *rapid.T, c *leakClient) {
	m := c.model
	parts := []string{"session_user", "current_setting('role')"}
	want := []string{m.show("session_authorization"), m.show("role")}
	for _, p := range leakParameters {
		parts = append(parts, "coalesce(current_setting('"+p.name+"', true), '')")
		want = append(want, m.show(p.name))
	}
	for _, q := range [][2]string{
		{"relname", "pg_class WHERE relnamespace = pg_my_temp_schema()"},
		{"name", "pg_cursors WHERE name <> ''"},
		{"name", "pg_prepared_statements WHERE from_sql"},
		{"objid", "pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"},
	} {
		parts = append(parts, "coalesce((SELECT string_agg("+q[0]+"::text, ' ' ORDER BY "+q[0]+`::text COLLATE "C") FROM `+q[1]+"), '')")
	}
	var bySQL []string
	for name, p := range m.prepared {
		if p.sql {
			bySQL = append(bySQL, name)
		}
	}
	slices.Sort(bySQL)
	for _, names := range [][]string{slices.Sorted(maps.Keys(m.now.temps)), slices.Sorted(maps.Keys(m.now.holds)), bySQL, slices.Sorted(maps.Keys(m.locks))} {
		want = append(want, strings.Join(names, " "))
	}
	r, ok := c.do(t, "SELECT concat_ws(' / ', "+strings.Join(parts, ", ")+")")
	if ok && r.rows[0] != strings.Join(want, " / ") {
		t.Fatalf("%s: its session shows\n\t%s\nand should\n\t%s", c.name, r.rows[0], strings.Join(want, " / "))
	}
	if m.before == nil {
		c.hear(t)
	}
}
