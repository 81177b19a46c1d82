package admin

import (
	"slices"
	"time"

	"poolerd/pool"
	"poolerd/pool/metrics"
	"poolerd/wire"
)

func statsColumns() []column {
	return slices.Concat(columnsOf(text, "database"), columnsOf(numeric,
		"total_server_assignment_count", "total_xact_count", "total_query_count", "total_received", "total_sent",
		"total_xact_time", "total_query_time", "total_wait_time", "total_client_parse_count", "total_server_parse_count", "total_bind_count",
		"avg_server_assignment_count", "avg_xact_count", "avg_query_count", "avg_recv", "avg_sent",
		"avg_xact_time", "avg_query_time", "avg_wait_time", "avg_client_parse_count", "avg_server_parse_count", "avg_bind_count"))
}

func totalsColumns() []column {
	return slices.Concat(columnsOf(text, "database"), columnsOf(numeric,
		"server_assignment_count", "xact_count", "query_count", "bytes_received", "bytes_sent",
		"xact_time", "query_time", "wait_time", "client_parse_count", "server_parse_count", "bind_count"))
}

// averagesColumns has PgBouncer's names: three of them bear the prefix that the others lack.
func averagesColumns() []column {
	return slices.Concat(columnsOf(text, "database"), columnsOf(numeric,
		"server_assignment_count", "xact_count", "query_count", "bytes_received", "bytes_sent",
		"xact_time", "query_time", "wait_time", "avg_client_parse_count", "avg_server_parse_count", "avg_bind_count"))
}

// sumNames are those of SHOW TOTALS, behind total_ and avg_: PgBouncer's own fields, which the other commands call otherwise.
func sumNames() []string {
	return []string{
		"server_assignment_count", "xact_count", "query_count", "client_bytes", "server_bytes", "xact_time", "query_time", "wait_time",
		"ps_client_parse_count", "ps_server_parse_count", "ps_bind_count",
	}
}

func sumColumns() []column {
	return []column{{name: "name", kind: text}, {name: "value", kind: numeric}}
}

func (c *Console) showStats() (result, *wire.Error) {
	return rows(statRows(c.pools(), figures.totals, figures.averages))
}

func (c *Console) showStatsTotals() (result, *wire.Error) {
	return rows(statRows(c.pools(), figures.totals))
}

func (c *Console) showAverages() (result, *wire.Error) {
	return rows(statRows(c.pools(), figures.averages))
}

func (c *Console) showTotals() (result, *wire.Error) { return rows(sumRows(c.pools())) }

// sumRows gives the figures of all databases together, a row each.
func sumRows(pools []pool.PoolInfo) [][]any {
	var sum figures
	for _, p := range pools {
		sum.add(p)
	}
	var all [][]any
	for _, part := range []struct {
		prefix string
		values []any
	}{{"total_", sum.totals()}, {"avg_", sum.averages()}} {
		for i, name := range sumNames() {
			all = append(all, []any{part.prefix + name, part.values[i]})
		}
	}
	return all
}

// figures are what the pools of one database come to.
type figures struct {
	database    string
	total, last metrics.Totals // since the start, and in the time of the averages
	took        time.Duration  // that time, which is the same for all pools
}

func (f *figures) add(p pool.PoolInfo) {
	f.total, f.last, f.took = f.total.Plus(p.Totals), f.last.Plus(p.Last), p.LastTook
}

// statRows gives a row a database, in the order of the pools, which is by database.
func statRows(pools []pool.PoolInfo, parts ...func(figures) []any) [][]any {
	var all [][]any
	for _, f := range byDatabase(pools) {
		row := []any{f.database}
		for _, part := range parts {
			row = append(row, part(f)...)
		}
		all = append(all, row)
	}
	return all
}

func byDatabase(pools []pool.PoolInfo) []figures {
	var all []figures
	for _, p := range pools {
		if n := len(all); n == 0 || all[n-1].database != p.Database {
			all = append(all, figures{database: p.Database})
		}
		all[len(all)-1].add(p)
	}
	return all
}

// totals are counts, and times in microseconds.
func (f figures) totals() []any {
	t := f.total
	return []any{
		t.ServerAssigns, t.Transactions, t.Queries, t.Received, t.Sent,
		t.TxTime.Microseconds(), t.QueryTime.Microseconds(), t.WaitTime.Microseconds(), t.Parses, t.ServerParses, t.Binds,
	}
}

// averages are counts a second, and the microseconds that one transaction, one query, one wait took.
func (f figures) averages() []any {
	a := f.last.Averages(f.took)
	return []any{
		a.ServerAssigns, a.Transactions, a.Queries, a.Received, a.Sent, a.TxTime, a.QueryTime, a.WaitTime, a.Parses, a.ServerParses, a.Binds,
	}
}
