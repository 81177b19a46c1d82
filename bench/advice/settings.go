package advice

import (
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

// databaseOf is the database's name in an URL, as SQL has it.
func databaseOf(url string) string {
	config, err := pgx.ParseConfig(url)
	if err != nil || config.Database == "" {
		return "..."
	}
	return plainName(config.Database)
}

// statementLack says what could not be seen of statements, and how it can be.
func statementLack(c *run) (all []*finding) {
	if c.server.lack != "" {
		f := &finding{severity: look, title: "pg_stat_statements cannot be read, so statements are not known by their cost"}
		f.prove("%s", c.server.lack)
		f.proveInstead(c)
		f.remedy = c.server.remedy
		f.pool = "nothing: what statements cost is counted by PostgreSQL."
		all = append(all, f)
	}
	if !c.server.all {
		f := &finding{severity: look, title: "other sessions' statements and waits could not be seen"}
		f.prove("the role that asked is no member of pg_read_all_stats")
		f.proveInstead(c)
		f.remedy = "GRANT pg_read_all_stats TO " + userOf(c.o.URL) + ";"
		f.pool = "nothing."
		all = append(all, f)
	}
	return all
}

// proveInstead tells what the advice rests on without the statements' own figures.
func (f *finding) proveInstead(c *run) {
	if len(c.o.Examples) > 0 {
		f.prove("in its place the workload's own statements were explained, and weighed by how often it sends them: what others run stays unseen")
	}
}

func userOf(url string) string {
	config, err := pgx.ParseConfig(url)
	if err != nil || config.User == "" {
		return "..."
	}
	return plainName(config.User)
}

// compiling finds statements that are compiled for longer than it can pay.
func compiling(c *run) []*finding {
	var jit, exec float64
	for _, s := range c.counters.statements {
		jit += s.jit()
		exec += s.Exec
	}
	cost := 0.0
	if exec > 0 {
		cost = jit / exec
	}
	f := &finding{title: "short statements are compiled before they run (JIT)"}
	for _, w := range c.works {
		for _, p := range w.plans {
			if p.ran && p.JIT != nil && p.JIT.Timing.Total > 0 {
				f.prove("%s: %s of %s went into compiling", w.name, ms(p.JIT.Timing.Total), ms(p.Execution))
				if jit == 0 { // an older server, which does not count it
					cost += w.share * min(1, p.JIT.Timing.Total/max(p.Execution, 1e-9)) / float64(len(w.plans))
				}
				break
			}
		}
	}
	if f.severity = severe(cost); f.severity == nothing {
		return nil
	}
	f.cost = cost
	f.evidence = append([]string{fmt.Sprintf("%s of the time that statements ran went into compiling them", percent(cost))}, f.evidence[:min(3, len(f.evidence))]...)
	f.remedy = "ALTER DATABASE " + databaseOf(c.o.URL) + " SET jit = off; -- or raise jit_above_cost"
	f.pool = "nothing: what is compiled is thrown away when the statement ends, also where it was prepared."
	return []*finding{f}
}

// planning finds workloads whose statements take longer to plan than to run.
func planning(c *run) []*finding {
	var plan, exec float64
	counted := false
	for _, s := range c.counters.statements {
		plan += s.Plan
		counted = counted || s.Plans > 0
		exec += s.Exec
	}
	how := "pg_stat_statements counted it"
	if !counted {
		// It is not counted (pg_stat_statements.track_planning is off by default). Where each call is planned, EXPLAIN tells about how long that takes.
		if c.o.Protocol == "prepared" || c.o.Protocol == "" {
			return nil
		}
		how = "as EXPLAIN took to plan the slowest of them, each call being planned anew"
		exec = 0
		for _, w := range c.works {
			if w.ran() {
				plan += w.plans[0].Planning * w.calls
				exec += w.total
			}
		}
	}
	if plan <= 0 || plan < exec {
		return nil
	}
	cost := plan / (plan + exec)
	f := &finding{severity: look, cost: cost, title: "statements take longer to plan than to run"}
	f.prove("%s of the time that they took was planning: %s beside %s (%s)", percent(cost), ms(plan), ms(exec), how)
	f.remedy = "-- send statements prepared: in PostgREST db-prepared-statements = true, in pgx its default, in JDBC prepareThreshold=1\n" +
		"-- and where a plan does not depend on the parameters\nALTER DATABASE " + databaseOf(c.o.URL) + " SET plan_cache_mode = force_generic_plan;"
	f.pool = "this is the pool's to keep: poolerd lets clients use prepared statements in transaction mode, and shares each server's plans between all clients that send the same text."
	return []*finding{f}
}

// cacheMisses finds a cache that is too small for what is read.
func cacheMisses(c *run) []*finding {
	const many, enough = 10000, 0.95
	d := c.counters.database
	hit := float64(d.Hit) / max(1, float64(d.Hit+d.Read))
	if d.Read < many || hit >= enough {
		return nil
	}
	f := &finding{severity: look, cost: 1 - hit, title: "pages are read from outside PostgreSQL's cache"}
	f.prove("%s of the pages that were read were in the cache; %s came from the system, %s in this run", percent(hit), percent(1-hit), bytes(float64(d.Read)*8192))
	if pages, err := strconv.ParseFloat(c.server.settings["shared_buffers"], 64); err == nil {
		f.prove("shared_buffers is %s", bytes(pages*8192))
	}
	f.remedy = "-- about a quarter of the machine's memory; wants a restart\nALTER SYSTEM SET shared_buffers = '...';"
	f.pool = "little: fewer servers leave more memory for the cache."
	return []*finding{f}
}

// checkpoints finds checkpoints that came early because the write-ahead log was full.
func checkpoints(c *run) []*finding {
	if c.server.private || c.counters.writer.Requested < 2 {
		return nil
	}
	f := &finding{severity: look, title: "checkpoints come before their time"}
	f.prove("%s in %.0f s came because the write-ahead log was full: each makes the next writes larger, by whole pages", plural(c.counters.writer.Requested, "checkpoint"), c.seconds)
	f.prove("max_wal_size is %s MB", c.server.settings["max_wal_size"])
	f.remedy = "ALTER SYSTEM SET max_wal_size = '8GB';\nSELECT pg_reload_conf();"
	f.pool = "nothing: it is what is written that counts."
	return []*finding{f}
}

// connectionsUsed finds a server that is about to refuse connections.
func connectionsUsed(c *run) []*finding {
	most, err := strconv.ParseFloat(c.server.settings["max_connections"], 64)
	if err != nil || c.server.private || float64(c.counters.database.Backends) < 0.8*most {
		return nil
	}
	f := &finding{severity: look, title: "nearly all of PostgreSQL's connections are used"}
	f.prove("%d are open to this database, and max_connections is %.0f", c.counters.database.Backends, most)
	f.remedy = "-- let everything connect through the pooler; or, with a restart\nALTER SYSTEM SET max_connections = '...';"
	f.pool = "this is what a pool is for: the sum of all pools' sizes, over all poolers, must stay below max_connections less superuser_reserved_connections."
	return []*finding{f}
}
