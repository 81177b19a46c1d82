package metrics

import (
	"testing"
	"time"
)

// TestAverages: counts are by the second, times by what they were spent on; the text is PgBouncer's.
func TestAverages(t *testing.T) {
	sums := Totals{
		ServerAssigns: 4, Transactions: 10, Queries: 20, Received: 3001, Sent: 5000, TxTime: 100 * time.Microsecond, QueryTime: 60 * time.Microsecond, WaitTime: 10 * time.Microsecond,
		Parses: 6, ServerParses: 8, Binds: 12,
	}
	for _, test := range []struct {
		sums Totals
		took time.Duration
		want string
	}{
		{sums, 2 * time.Second, "5 xacts/s, 10 queries/s, 3 client parses/s, 4 server parses/s, 6 binds/s, in 1500 B/s, out 2500 B/s, xact 10 us, query 3 us, wait 2 us"},
		{sums, 0, "0 xacts/s, 0 queries/s, 0 client parses/s, 0 server parses/s, 0 binds/s, in 0 B/s, out 0 B/s, xact 0 us, query 0 us, wait 0 us"},
		{Totals{}, time.Second, "0 xacts/s, 0 queries/s, 0 client parses/s, 0 server parses/s, 0 binds/s, in 0 B/s, out 0 B/s, xact 0 us, query 0 us, wait 0 us"},
	} {
		if got := test.sums.Averages(test.took).String(); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
	if got := sums.Plus(sums).Minus(sums); got != sums {
		t.Errorf("%+v", got)
	}
}
