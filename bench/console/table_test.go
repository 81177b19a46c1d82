package console

import (
	"strings"
	"testing"
	"time"
)

// tableOf makes a table of lines with values between blanks; "-" is NULL.
func tableOf(what, columns string, lines ...string) *table {
	t := &table{what: what, columns: strings.Fields(columns)}
	for _, line := range lines {
		var row [][]byte
		for _, v := range strings.Fields(line) {
			if v == "-" {
				row = append(row, nil)
			} else {
				row = append(row, []byte(v))
			}
		}
		t.rows = append(t.rows, row)
	}
	return t
}

func TestTotals(t *testing.T) {
	want := Totals{
		Transactions: 30, Queries: 70, Received: 1100, Sent: 2200,
		TransactionTime: 5 * time.Second, QueryTime: 3 * time.Second, Wait: 60 * time.Millisecond,
	}
	const console = "pgbouncer 1 1 0 0 0 0 0"
	for name, c := range map[string]*table{
		"1.18": tableOf("SHOW STATS", "database total_xact_count total_query_count total_received total_sent total_xact_time total_query_time total_wait_time avg_xact_count",
			"shop 10 20 100 200 1000000 1000000 20000 9", "stock 20 50 1000 2000 4000000 2000000 40000 9", console+" 9"),
		"1.25": tableOf("SHOW STATS", "database total_server_assignment_count total_xact_count total_query_count total_received total_sent total_xact_time total_query_time total_wait_time total_client_parse_count",
			"shop 10 10 20 100 200 1000000 1000000 20000 7", "pgbouncer 0 1 1 0 0 0 0 0 0", "stock 20 20 50 1000 2000 4000000 2000000 40000 7", "idle - - - - - - - - -"),
	} {
		got, err := totals(c)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, want)
		}
	}
}

func TestTotalsThatCannotBeRead(t *testing.T) {
	for _, c := range []struct {
		t    *table
		want string
	}{
		{tableOf("SHOW STATS", "database requests", "shop 1"), "no column total_xact_count among database, requests"},
		{tableOf("SHOW STATS", "database total_xact_count", "shop 1"), "SHOW STATS: there is no column total_"},
		{tableOf("SHOW STATS", "total_xact_count"), ""},
		{tableOf("SHOW STATS", "total_xact_count", "1"), "no column database"},
		{tableOf("SHOW STATS", "database total_xact_count total_query_count total_received total_sent total_xact_time total_query_time total_wait_time", "shop 1 2 3 4 5 6 many"), `column total_wait_time: "many" is not a whole number`},
		{tableOf("SHOW STATS", "database total_xact_count total_query_count total_received total_sent total_xact_time total_query_time total_wait_time", "shop 1 2 3 4 5 6"), "row 1 has 7 values for 8 columns"},
	} {
		_, err := totals(c.t)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%v: %v", c.t.columns, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%v: %v; want %q in it", c.t.columns, err, c.want)
		}
	}
}

func TestMeanWait(t *testing.T) {
	early := Totals{Transactions: 100, Wait: time.Second}
	for _, c := range []struct {
		name  string
		later Totals
		want  time.Duration
		ok    bool
	}{
		{"some waited", Totals{Transactions: 110, Wait: 1500 * time.Millisecond}, 50 * time.Millisecond, true},
		{"nobody waited", Totals{Transactions: 110, Wait: time.Second}, 0, true},
		{"nothing ran", early, 0, false},
		{"started anew", Totals{Transactions: 5, Wait: time.Millisecond}, 0, false},
		{"started anew and busy", Totals{Transactions: 500, Wait: time.Millisecond}, 0, false},
	} {
		got, ok := c.later.Minus(early).MeanWait()
		if got != c.want || ok != c.ok {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, got, ok, c.want, c.ok)
		}
		if got := c.later.Since(early); got != c.want {
			t.Errorf("%s: %v since then, want %v", c.name, got, c.want)
		}
	}
}

func TestPools(t *testing.T) {
	got, err := pools(tableOf("SHOW POOLS", "database user cl_active cl_waiting sv_active sv_idle maxwait maxwait_us pool_mode",
		"shop ann 5 2 3 0 1 250000 transaction", "pgbouncer pgbouncer 1 0 0 0 0 0 statement"))
	if err != nil {
		t.Fatal(err)
	}
	want := Pool{Database: "shop", User: "ann", Active: 5, Waiting: 2, ServersActive: 3, LongestWait: 1250 * time.Millisecond}
	if len(got) != 1 || got[0] != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	got, err = pools(tableOf("SHOW POOLS", "database user cl_active cl_waiting sv_active sv_idle maxwait", "shop ann 5 2 3 0 1"))
	if err != nil || len(got) != 1 || got[0].LongestWait != time.Second {
		t.Errorf("without maxwait_us: %+v, %v", got, err)
	}
	if _, err = pools(tableOf("SHOW POOLS", "database user", "shop ann")); err == nil {
		t.Error("SHOW POOLS without its counts was accepted")
	}
}

func TestPoolSize(t *testing.T) {
	databases := tableOf("SHOW DATABASES", "name host port pool_size", "* - 5432 20", "shop - 5432 7")
	for name, want := range map[string]int{"shop": 7, "stock": 0} {
		if got, err := poolSize(databases, name); err != nil || got != want {
			t.Errorf("%s: %d, %v; want %d", name, got, err, want)
		}
	}
	if got, err := defaultPoolSize(tableOf("SHOW CONFIG", "key value default changeable", "admin_users root - yes", "default_pool_size 33 20 yes")); err != nil || got != 33 {
		t.Errorf("%d, %v; want 33", got, err)
	}
	for _, line := range []string{"default_pool_size many 20 yes", "admin_users root - yes"} {
		if got, err := defaultPoolSize(tableOf("SHOW CONFIG", "key value default changeable", line)); err == nil {
			t.Errorf("%q: %d was accepted", line, got)
		}
	}
}
