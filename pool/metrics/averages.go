package metrics

import (
	"fmt"
	"time"
)

// Averages is what sums come to: counts a second, and the microseconds that one transaction, one query, one wait took. Fractions are cut off.
type Averages struct {
	ServerAssigns, Transactions, Queries, Received, Sent uint64
	TxTime, QueryTime, WaitTime                          uint64
	Parses, ServerParses, Binds                          uint64
}

// Averages gives the averages of sums that came together in a time; all are 0 when there was none.
func (t Totals) Averages(took time.Duration) Averages {
	if took <= 0 {
		return Averages{}
	}
	second := func(n uint64) uint64 { return uint64(float64(n) / took.Seconds()) }
	return Averages{
		ServerAssigns: second(t.ServerAssigns), Transactions: second(t.Transactions), Queries: second(t.Queries),
		Received: second(t.Received), Sent: second(t.Sent),
		TxTime: each(t.TxTime, t.Transactions), QueryTime: each(t.QueryTime, t.Queries), WaitTime: each(t.WaitTime, t.ServerAssigns),
		Parses: second(t.Parses), ServerParses: second(t.ServerParses), Binds: second(t.Binds),
	}
}

// each gives the microseconds that one of n took.
func each(d time.Duration, n uint64) uint64 {
	if n == 0 || d <= 0 {
		return 0
	}
	return uint64(d.Microseconds()) / n
}

// String is the text that PgBouncer logs each stats_period, behind "stats: ".
func (a Averages) String() string {
	return fmt.Sprintf("%d xacts/s, %d queries/s, %d client parses/s, %d server parses/s, %d binds/s, in %d B/s, out %d B/s, xact %d us, query %d us, wait %d us",
		a.Transactions, a.Queries, a.Parses, a.ServerParses, a.Binds, a.Received, a.Sent, a.TxTime, a.QueryTime, a.WaitTime)
}
