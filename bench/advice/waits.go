package advice

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// fewSamples is how many sessions in transactions must have been seen before their shares mean something.
const fewSamples = 20

// seenEnough is whether the samples can be judged.
func (c *run) seenEnough() bool { return c.activity.held() >= fewSamples }

// lockWaits finds statements that waited for each other's locks.
func lockWaits(c *run) []*finding {
	waited := c.activity.waiting("Lock")
	cost := c.activity.share(waited)
	if !c.seenEnough() || severe(cost) == nothing {
		return nil
	}
	f := &finding{severity: severe(cost), cost: cost, title: "statements wait for each other's locks"}
	f.prove("%s of the time that sessions were in transactions, they waited for a lock", percent(cost))
	keys := slices.SortedFunc(maps.Keys(c.activity.blocked), func(a, b blocked) int {
		return cmp.Or(c.activity.blocked[b]-c.activity.blocked[a], strings.Compare(a.text, b.text), strings.Compare(a.event, b.event))
	})
	for _, key := range keys[:min(3, len(keys))] {
		f.prove("%s of the waits (%s): %s", percent(float64(c.activity.blocked[key])/float64(waited)), lockOf(key.event), c.textOf(key))
	}
	if c.activity.byThinker > 0 {
		f.prove("in %s of the waits, the lock's holder was idle in its transaction: it waited for its client", percent(float64(c.activity.byThinker)/float64(waited)))
	}
	f.remedy = "-- who waits for whom, while it happens\nSELECT pid, pg_blocking_pids(pid) AS waits_for, wait_event, state, query FROM pg_stat_activity WHERE cardinality(pg_blocking_pids(pid)) > 0;\n" +
		"-- then: change rows late in the transaction, in one order everywhere, and let no client think between the change and COMMIT"
	f.pool = "a session that waits for a lock holds its server: with many waiting, the pool is full of them and the others queue. A larger pool only makes the queue for the lock longer; " +
		"a smaller one moves it into the pooler, where it costs nothing. transaction_timeout and idle_transaction_timeout bound how long a lock's holder may take."
	return []*finding{f}
}

// lockOf says what a wait event of type Lock is about (Monitoring Database Activity: Wait Events of Type Lock).
func lockOf(event string) string {
	switch event {
	case "transactionid", "tuple":
		return "a row that another transaction has changed"
	case "relation":
		return "a whole table"
	case "advisory":
		return "an advisory lock"
	case "extend":
		return "a table's growth"
	}
	return event
}

// textOf is the statement that waited: as pg_stat_statements knows it, or masked.
func (c *run) textOf(b blocked) string {
	for _, s := range c.counters.statements {
		if b.queryID != 0 && s.QueryID == b.queryID {
			return short(s.Query)
		}
	}
	return short(b.text)
}

// slowPause is how many seconds a pause must have lasted, on average of all looks, to be more than a round trip between busy machines.
const slowPause = 0.05

// thinkTime finds transactions that wait for their client.
func thinkTime(c *run) []*finding {
	const lookPart, costlyPart = 0.4, 0.6
	a := c.activity
	part := a.share(a.thinking + a.aborted)
	if !c.seenEnough() || part < lookPart {
		return nil
	}
	thinking, held := float64(a.thinking+a.aborted)/float64(a.samples), float64(a.held())/float64(a.samples)
	f := &finding{severity: look, cost: part, title: "servers are held while their client says nothing"}
	// It is costly where others could have used those servers, and where it is not just the round trips of a machine that is busy.
	pause := a.paused / max(1, float64(a.thinking))
	full := c.o.PoolSize == 0 || held >= 0.8*float64(c.o.PoolSize)
	if part >= costlyPart && full && pause >= slowPause {
		f.severity = costly
	}
	f.prove("%s of the time that sessions were in transactions, they were idle in them: of %.1f servers in use on average, %.1f waited for their client", percent(part), held, thinking)
	f.prove("when it was looked at, such a pause had lasted %s on average, the longest %s", seconds(pause), seconds(a.longest))
	f.remedy = "-- on the client's side: fewer round trips between BEGIN and COMMIT, and nothing slow (HTTP calls, files, people) in between"
	if a.longest >= 1 {
		f.remedy += "\n-- ends transactions whose client has gone quiet\nALTER DATABASE " + databaseOf(c.o.URL) + " SET idle_in_transaction_session_timeout = '10s';"
	}
	f.pool = "this is what a pool in transaction mode pays for round trips: a server is bound from BEGIN to COMMIT. Put the pooler close to PostgreSQL and the client close to the pooler, keep " +
		"statements prepared (an unprepared one may take more round trips), let BEGIN wait for the first statement. Since such a server uses no core, a larger pool does help here, up to about the " +
		"cores divided by the part of the time that servers work."
	return []*finding{f}
}

// crowd finds more statements running at once than there are cores.
func crowd(c *run) []*finding {
	if c.o.Cores <= 0 || !c.seenEnough() {
		return nil
	}
	running := float64(c.activity.running) / float64(c.activity.samples)
	if running < 2*float64(c.o.Cores) {
		return nil
	}
	f := &finding{severity: look, cost: 1 - float64(c.o.Cores)/running, title: "more statements run at once than the machine has cores"}
	f.prove("%.1f sessions ran and waited for nothing, on average, on %s", running, plural(c.o.Cores, "core"))
	f.prove("at most %s were in a transaction at once", plural(c.activity.most, "session"))
	f.remedy = fmt.Sprintf("-- a smaller pool, in poolerd.ini\ndefault_pool_size = %d", 2*c.o.Cores)
	f.pool = "this is the pool's to solve: with fewer servers each statement runs alone on its core and ends sooner, and the rest wait in the pooler's queue, where waiting is cheap. Take the size " +
		"that the bench recommends."
	return []*finding{f}
}

// contention finds waits for the server's own short locks.
func contention(c *run) []*finding {
	waited := c.activity.waiting("LWLock")
	cost := c.activity.share(waited)
	if !c.seenEnough() || severe(cost) == nothing {
		return nil
	}
	f := &finding{severity: severe(cost), cost: cost, title: "sessions stand in each other's way inside PostgreSQL"}
	f.prove("%s of the time that sessions were in transactions, they waited for one of the server's own locks: %s", percent(cost), c.topEvents("LWLock", waited))
	f.remedy = "-- WALWrite, WALInsert: fewer and larger transactions, or synchronous_commit = off where the last moments may be lost\n" +
		"-- LockManager: statements that touch many partitions and indexes: prune partitions, drop unused indexes\n" +
		"-- BufferMapping, BufferContent: the same pages at once: a larger shared_buffers, a missing index"
	f.pool = "such waits grow with the number of servers that work at once: a smaller pool often does as much with less of them."
	return []*finding{f}
}

// topEvents lists the wait events of a type by their share.
func (c *run) topEvents(kind string, all int) string {
	events := c.activity.waits[kind]
	names := slices.SortedFunc(maps.Keys(events), func(a, b string) int { return cmp.Or(events[b]-events[a], strings.Compare(a, b)) })
	var parts []string
	for _, name := range names[:min(3, len(names))] {
		parts = append(parts, fmt.Sprintf("%s %s", name, percent(float64(events[name])/float64(max(1, all)))))
	}
	return strings.Join(parts, ", ")
}

// diskWaits finds waits for files.
func diskWaits(c *run) []*finding {
	waited := c.activity.waiting("IO")
	cost := c.activity.share(waited)
	if !c.seenEnough() || severe(cost) == nothing {
		return nil
	}
	f := &finding{severity: severe(cost), cost: cost, title: "sessions wait for the disk"}
	f.prove("%s of the time that sessions were in transactions, they waited for files: %s", percent(cost), c.topEvents("IO", waited))
	wal := 0
	for event, n := range c.activity.waits["IO"] {
		if strings.HasPrefix(strings.ToUpper(event), "WAL") {
			wal += n
		}
	}
	if 2*wal > waited {
		f.remedy = "-- where the last moments before a crash may be lost\nALTER ROLE ... SET synchronous_commit = off;\n-- else let commits share a flush\nALTER SYSTEM SET commit_delay = 1000;"
		f.pool = "a server that waits for its commit's flush uses no core: a larger pool helps, as more commits share each flush."
	} else {
		f.remedy = "-- about a quarter of the machine's memory; wants a restart\nALTER SYSTEM SET shared_buffers = '...';\n-- and see whether statements read rows that an index would spare them"
		f.pool = "a server that waits for a page uses no core: a larger pool keeps the disk busier, up to what it can do at once."
	}
	return []*finding{f}
}

// deadlocks finds transactions that PostgreSQL had to end.
func deadlocks(c *run) []*finding {
	n := c.counters.database.Deadlocks
	if n <= 0 {
		return nil
	}
	f := &finding{severity: look, title: "transactions lock rows in different orders: deadlocks"}
	f.prove("%s in this run: each ended a transaction with SQLSTATE 40P01 after deadlock_timeout, a second by default", plural(n, "deadlock"))
	f.remedy = "-- lock rows in one order everywhere\nSELECT ... FROM ... WHERE ... ORDER BY id FOR UPDATE;"
	f.pool = "nothing but to make them rarer by running fewer transactions at once."
	return []*finding{f}
}

// churn finds connections that are made for a transaction or two.
func churn(c *run) []*finding {
	const few, part = 50, 0.1
	d := c.counters.database
	transactions := d.Commits + d.Rollbacks
	if d.Sessions < few || float64(d.Sessions) < part*float64(transactions) {
		return nil
	}
	f := &finding{severity: look, cost: part, title: "connections are opened for a few transactions each"}
	f.prove("%s were opened in this run for %s: each starts a process, checks a password and fills its caches anew", plural(d.Sessions, "session"), plural(transactions, "transaction"))
	f.remedy = "-- connect through the pooler, and let it keep its servers, in poolerd.ini\nserver_lifetime = 3600\nserver_idle_timeout = 600"
	f.pool = "this is what a pool is for: clients come and go at the pooler, servers stay. If these came through the pooler, its server_lifetime or server_idle_timeout is too short, or the " +
		"minimum of its pool too small."
	return []*finding{f}
}
