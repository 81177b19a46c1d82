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

func (c *Console) showStats() (result, *wire.Error) {
	return rows(statRows(c.pooler.Pools(), figures.totals, figures.averages))
}

func (c *Console) showTotals() (result, *wire.Error) {
	return rows(statRows(c.pooler.Pools(), figures.totals))
}

func (c *Console) showAverages() (result, *wire.Error) {
	return rows(statRows(c.pooler.Pools(), figures.averages))
}

// figures are what the pools of one database come to.
type figures struct {
	database    string
	total, last metrics.Totals // since the start, and in the last full stats_period
	second      rates
}

// rates are counts a second in the last full stats_period.
type rates struct {
	assigns, xacts, queries, received, sent, parses, serverParses, binds float64
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
		f := &all[len(all)-1]
		f.total = plus(f.total, p.Totals)
		f.last = plus(f.last, p.Last)
		if p.LastTook > 0 {
			f.second.add(p.Last, p.LastTook)
		}
	}
	return all
}

// plus adds what SHOW STATS shows.
func plus(a, b metrics.Totals) metrics.Totals {
	a.ServerAssigns += b.ServerAssigns
	a.Transactions += b.Transactions
	a.Queries += b.Queries
	a.Received += b.Received
	a.Sent += b.Sent
	a.TxTime += b.TxTime
	a.QueryTime += b.QueryTime
	a.WaitTime += b.WaitTime
	a.Parses += b.Parses
	a.ServerParses += b.ServerParses
	a.Binds += b.Binds
	return a
}

func (r *rates) add(t metrics.Totals, took time.Duration) {
	s := took.Seconds()
	r.assigns += float64(t.ServerAssigns) / s
	r.xacts += float64(t.Transactions) / s
	r.queries += float64(t.Queries) / s
	r.received += float64(t.Received) / s
	r.sent += float64(t.Sent) / s
	r.parses += float64(t.Parses) / s
	r.serverParses += float64(t.ServerParses) / s
	r.binds += float64(t.Binds) / s
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
	r, t := f.second, f.last
	return []any{
		uint64(r.assigns), uint64(r.xacts), uint64(r.queries), uint64(r.received), uint64(r.sent),
		each(t.TxTime, t.Transactions), each(t.QueryTime, t.Queries), each(t.WaitTime, t.ServerAssigns),
		uint64(r.parses), uint64(r.serverParses), uint64(r.binds),
	}
}

// each gives the microseconds that one of n took.
func each(d time.Duration, n uint64) int64 {
	if n == 0 {
		return 0
	}
	return d.Microseconds() / int64(n)
}
