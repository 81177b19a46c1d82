package advice

import (
	"context"
	"errors"
	"fmt"
	"time"

	"poolerd/bench/report"
)

// Options say what is looked at. Only URL must be set.
type Options struct {
	// URL is of PostgreSQL itself, not of a pooler, and of the database that the workload uses. Its role should be a superuser or a member of
	// pg_read_all_stats (pg_monitor is); with less, the advice says what it could not see.
	URL string

	// Log receives a line, without a line feed, for what a person may wait for. Nil is silent.
	Log func(format string, args ...any)

	// Private tells that the server is the bench's own and is thrown away afterwards: pg_stat_statements may be created in it, statements that write may be
	// run and rolled back, remedies tried and rolled back. Its settings were chosen for the bench and are not judged.
	Private bool

	PoolSize int    // servers that the pool may hold; 0: not known, or several sizes were measured
	Clients  int    // of the workload; 0: not known
	Cores    int    // of the database's machine; 0: not known
	Protocol string // "prepared", "unprepared", "simple", "http"; "": not known

	// Examples are statements of the workload with parameters as it sends them, so that their plans can be had. Several of one SQL are averaged. Statements
	// without an example get parameters from the columns' statistics.
	Examples []Example
}

// Example is one statement of the workload.
type Example struct {
	Name   string   // what the report calls it: "get-list"
	SQL    string   // as it is sent, with $1 for parameters
	Params [][]byte // in text format; nil is NULL
	Types  []uint32 // OIDs of the parameters' types as the workload sends them; may be shorter than Params or nil, 0 lets the server decide
	// Setup runs before it, in the same transaction: `SET LOCAL ROLE web_anon`, `SELECT set_config('search_path', ...)`.
	Setup []string
	// Weight is how often its SQL runs beside that of the other examples. It counts only where pg_stat_statements cannot be read; 0 means 1.
	Weight float64
}

// Watcher looks at a server during a run.
type Watcher struct {
	o      Options
	server *server
	before *counters
	began  time.Time
	watch  *activityWatch
}

// connectLimit is how long a connection may take.
const connectLimit = 10 * time.Second

// Begin notes where the counters stand and starts to sample, on one connection of its own, until Finish is called or ctx ends. It fails only where the server
// cannot be reached or is older than PostgreSQL 12; what else is lacking is said in the advice.
func Begin(ctx context.Context, o Options) (*Watcher, error) {
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	conn, err := connect(ctx, o.URL)
	if err != nil {
		return nil, err
	}
	w := &Watcher{o: o}
	w.server, err = examine(ctx, conn, o.Private)
	if err == nil {
		w.before, err = readCounters(ctx, conn, w.server, false)
	}
	if err != nil {
		hangUp(conn)
		return nil, err
	}
	w.began = time.Now()
	w.watch = watchActivity(ctx, conn, w.server)
	return w, nil
}

// Finish ends the sampling and returns what was found, the costliest first; call it once. There is always at least one advice: where nothing costs much,
// that says so. With an error the findings are those that could still be had. It takes as long as the slowest statements' plans, up to ctx's deadline.
func (w *Watcher) Finish(ctx context.Context) ([]report.Advice, error) {
	seen, problem := w.watch.end()
	seconds := time.Since(w.began).Seconds()
	conn, err := connect(ctx, w.o.URL)
	if err != nil {
		return nil, errors.Join(problem, err)
	}
	defer hangUp(conn)
	after, err := readCounters(ctx, conn, w.server, true)
	if err != nil {
		return nil, errors.Join(problem, err)
	}
	c := &run{o: w.o, server: w.server, seconds: seconds, activity: seen, counters: after.since(w.before)}
	if c.schema, err = readSchema(ctx, conn); err != nil {
		return nil, errors.Join(problem, err)
	}
	e := &explainer{conn: conn, server: w.server, schema: c.schema}
	c.works = e.works(ctx, c.counters.statements, w.o.Examples)
	w.o.Log("judging %s, %s at the sessions, %.0f s of counters", plural(len(c.works), "statement"), plural(seen.samples, "look"), seconds)
	findings := judge(c)
	if w.o.Private {
		try(ctx, e, findings)
	}
	return advise(c, findings), errors.Join(problem, cut(ctx))
}

// cut tells that the time was not enough.
func cut(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return fmt.Errorf("the time for looking at the database ran out, some plans are missing: %w", context.Cause(ctx))
}

// run is all that was seen of one run; findings are made from it.
type run struct {
	o        Options
	server   *server
	seconds  float64
	activity *activity
	counters *counters // differences over the run
	schema   *schema
	works    []*work // the slowest statements, with plans
}
