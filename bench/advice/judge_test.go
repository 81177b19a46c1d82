package advice

import (
	"slices"
	"strings"
	"testing"
)

// quiet is a run in which nothing is wrong.
func quiet() *run {
	return &run{
		o:        Options{URL: "postgres://app@db/shop", Cores: 2},
		server:   &server{version: 150000, all: true, settings: map[string]string{"max_connections": "100", "shared_buffers": "16384", "work_mem": "4096", "autovacuum": "on"}},
		seconds:  60,
		activity: &activity{samples: 600, active: 600, running: 600, waits: map[string]map[string]int{}, blocked: map[blocked]int{}},
		counters: &counters{database: database{Hit: 1000000, Read: 10, Commits: 60000, Backends: 10}},
		schema:   small(),
	}
}

// TestJudge: each trouble gives its advice, and only that.
func TestJudge(t *testing.T) {
	for _, test := range []struct {
		name     string
		trouble  func(*run)
		title    string // "" for none
		severity string
		evidence string
	}{
		{"none", func(*run) {}, "", "", ""},
		{"no connection cap", func(c *run) { c.server.settings = map[string]string{} }, "", "", ""},
		{"crowd", func(c *run) { c.activity.active, c.activity.running = 6000, 6000 }, "more statements run at once than the machine has cores", "worth a look", "10.0 sessions ran"},
		{"crowd of unknown cores", func(c *run) { c.activity.active, c.activity.running, c.o.Cores = 6000, 6000, 0 }, "", "", ""},
		{"LWLock", func(c *run) {
			c.activity.running = 300
			c.activity.waits["LWLock"] = map[string]int{"WALWrite": 200, "BufferContent": 100}
		}, "sessions stand in each other's way inside PostgreSQL", "costly", "50% of the time that sessions were in transactions, they waited for one of the server's own locks: WALWrite 67%, BufferContent 33%"},
		{"commits", func(c *run) { c.activity.waits["IO"] = map[string]int{"WALSync": 30} }, "sessions wait for the disk", "worth a look", "WALSync 100%"},
		{"reads", func(c *run) { c.activity.waits["IO"] = map[string]int{"DataFileRead": 300} }, "sessions wait for the disk", "costly", "DataFileRead"},
		{"too few samples", func(c *run) {
			c.activity.active = 10
			c.activity.waits["IO"] = map[string]int{"DataFileRead": 10}
		}, "", "", ""},
		{"cache", func(c *run) { c.counters.database.Hit, c.counters.database.Read = 100000, 100000 }, "pages are read from outside PostgreSQL's cache", "worth a look", "50% of the pages"},
		{"deadlocks", func(c *run) { c.counters.database.Deadlocks = 2 }, "transactions lock rows in different orders", "worth a look", "2 deadlocks"},
		{"churn", func(c *run) { c.counters.database.Sessions = 20000 }, "connections are opened for a few transactions each", "worth a look", "20,000 sessions"},
		{"checkpoints", func(c *run) { c.counters.writer.Requested = 3 }, "checkpoints come before their time", "worth a look", "3 checkpoints"},
		{"connections", func(c *run) { c.counters.database.Backends = 95 }, "nearly all of PostgreSQL's connections are used", "worth a look", "95 are open"},
		{"dead rows", func(c *run) {
			c.counters.tables = map[string]*table{"1": {OID: "1", Root: "1", Schema: "public", Name: "review", Dead: 50000, Live: 20000}}
		}, "public.review is full of dead rows", "worth a look", "50,000 rows dead beside 20,000 rows live"},
		{"scans", func(c *run) {
			c.counters.tables = map[string]*table{"1": {OID: "1", Root: "1", Schema: "public", Name: "review", SeqScan: 50, SeqRead: 10_000_000}}
		}, "public.review is read from end to end", "worth a look", "50 sequential scans"},
		{"scans that cost nothing", func(c *run) {
			c.counters.tables = map[string]*table{"1": {OID: "1", Root: "1", Schema: "public", Name: "review", SeqScan: 50, SeqRead: 100_000}}
		}, "", "", ""},
		{"JIT", func(c *run) {
			c.counters.statements = []*statement{{Query: "SELECT 1", Calls: 10, Exec: 100, JITGeneration: 20, JITEmission: 40}}
		}, "short statements are compiled", "costly", "60% of the time"},
		{"planning", func(c *run) {
			c.counters.statements = []*statement{{Query: "SELECT 1", Calls: 10, Exec: 10, Plans: 10, Plan: 30}}
		}, "statements take longer to plan than to run", "worth a look", "75% of the time"},
		{"planning as EXPLAIN tells", func(c *run) {
			c.o.Protocol = "unprepared"
			c.works = []*work{{calls: 100, total: 10, plans: []planned{{plan: &plan{Planning: 0.3, Root: &node{processes: 1}, ran: true}}}}}
		}, "statements take longer to plan than to run", "worth a look", "30 ms beside 10 ms"},
		{"planning of prepared ones", func(c *run) {
			c.o.Protocol = "prepared"
			c.works = []*work{{calls: 100, total: 10, plans: []planned{{plan: &plan{Planning: 0.3, Root: &node{processes: 1}, ran: true}}}}}
		}, "", "", ""},
		{"a foreign key", func(c *run) {
			c.schema.foreign = []*foreignKey{{Name: "k", Table: "1", References: "2", Columns: []string{"ref"}}}
		}, "foreign keys without an index", "worth a look", "public.review (ref) references api.playwright: 20,000 rows"},
		{"a foreign key with an index", func(c *run) {
			c.schema.foreign = []*foreignKey{{Name: "k", Table: "1", References: "2", Columns: []string{"ref"}}}
			c.schema.byName["public.review"].Indexes = []indexDefinition{{Method: "btree", Columns: []string{"ref", "id"}}}
		}, "", "", ""},
		{"a small table's foreign key", func(c *run) {
			c.schema.foreign = []*foreignKey{{Name: "k", Table: "2", References: "1", Columns: []string{"id"}}}
		}, "", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := quiet()
			test.trouble(c)
			all := advise(c, judge(c))
			if test.title == "" {
				if len(all) != 1 || all[0].Severity != "fine" {
					t.Fatalf("got %+v", all)
				}
				return
			}
			if !strings.HasPrefix(all[0].Title, test.title) || all[0].Severity != test.severity || all[0].Remedy == "" || all[0].Pool == "" {
				t.Fatalf("got %+v", all)
			}
			if !strings.Contains(strings.Join(all[0].Evidence, "\n"), test.evidence) {
				t.Errorf("the evidence is %q", all[0].Evidence)
			}
			if len(all) > 2 || len(all) == 2 && all[1].Severity != "fine" {
				t.Errorf("beside it there is %+v", all[1:])
			}
		})
	}
}

func TestOrder(t *testing.T) {
	table := &relation{}
	all := advise(quiet(), []*finding{
		{title: "d", severity: look, cost: 0.9},
		{title: "no", severity: nothing, cost: 1},
		{title: "b", severity: costly, cost: 0.3, table: table},
		{title: "c", severity: costly, cost: 0.8},
		{title: "a", severity: costly, cost: 0.5, table: table},
	})
	var titles []string
	for _, a := range all {
		titles = append(titles, a.Title)
	}
	if !slices.Equal(titles, []string{"a", "b", "c", "d"}) {
		t.Errorf("got %v", titles)
	}
}

func TestStatementsSince(t *testing.T) {
	inner := false
	reading := func(all ...*statement) map[statementKey]*statement {
		m := map[statementKey]*statement{}
		for _, s := range all {
			m[s.key()] = s
		}
		return m
	}
	before := reading(
		&statement{UserID: "1", QueryID: 1, Calls: 10, Exec: 100},
		&statement{UserID: "1", QueryID: 2, Calls: 10, Exec: 100},
		&statement{UserID: "1", QueryID: 3, Calls: 100, Exec: 1000},
	)
	after := reading(
		&statement{UserID: "1", QueryID: 1, Calls: 15, Exec: 130, Query: "one"},
		&statement{UserID: "2", QueryID: 1, Calls: 5, Exec: 20, Query: "one"},
		&statement{UserID: "1", QueryID: 2, Calls: 10, Exec: 100, Query: "not in this run"},
		&statement{UserID: "1", QueryID: 3, Calls: 4, Exec: 90, Query: "thrown out meanwhile"},
		&statement{UserID: "1", QueryID: 4, Calls: 4, Exec: 90, Query: "SELECT " + tag},
		&statement{UserID: "1", QueryID: 5, Calls: 4, Exec: 90, Query: "inside", TopLevel: &inner},
	)
	all := statementsSince(before, after)
	if len(all) != 2 || all[0].QueryID != 3 || all[0].Exec != 90 || all[1].QueryID != 1 || all[1].Calls != 10 || all[1].Exec != 50 {
		for _, s := range all {
			t.Errorf("got %+v", *s)
		}
	}
}

func TestWords(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{count(0), "0"},
		{count(999), "999"},
		{count(-1234567), "-1,234,567"},
		{count(4120.4), "4,120"},
		{percent(0), "0%"},
		{percent(0.0001), "under 0.1%"},
		{percent(0.004), "0.4%"},
		{percent(0.083), "8%"},
		{ms(0.0314), "0.031 ms"},
		{ms(0.314), "0.31 ms"},
		{ms(3.14), "3.1 ms"},
		{ms(31.4), "31 ms"},
		{ms(3140), "3.1 s"},
		{seconds(31), "31 s"},
		{bytes(12), "12 bytes"},
		{bytes(2048), "2.0 kB"},
		{bytes(64 << 20), "64 MB"},
		{plural(1, "row"), "1 row"},
		{plural(2000, "row"), "2,000 rows"},
		{plainName("scene"), "scene"},
		{plainName("Scene"), `"Scene"`},
		{plainName("user"), `"user"`},
		{plainName(`a"b`), `"a""b"`},
		{plainName("1a"), `"1a"`},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}
