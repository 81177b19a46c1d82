package vars

import (
	"runtime"
	"slices"
	"testing"
	"time"
)

func item(name, value string) Item { return Item{Name: name, Value: value} }
func raw(name, value string) Item  { return Item{Name: name, Value: value, Raw: true} }

func TestSetsAreInterned(t *testing.T) {
	s := NewSpace()
	a := s.Empty().With(item("timezone", "UTC")).With(raw("work_mem", "'1MB'"))
	b := s.Empty().With(raw("work_mem", "'1MB'")).With(item("timezone", "UTC"))
	if a != b {
		t.Error("the same settings in another order are another Set")
	}
	if a.With(item("timezone", "UTC")) != a {
		t.Error("setting what is set makes another Set")
	}
	if c := a.With(raw("timezone", "UTC")); c == a {
		t.Error("SQL and plain values are the same")
	}
	if a.Without("work_mem", s.Empty()).Without("timezone", s.Empty()) != s.Empty() {
		t.Error("nothing set is not the empty Set")
	}
}

func TestReset(t *testing.T) {
	s := NewSpace()
	base := s.Empty().With(item("timezone", "UTC"))
	now := base.With(raw("timezone", "'CET'")).With(raw("role", "web_anon")).With(raw("work_mem", "'1MB'"))
	if got := now.Without("timezone", base); got != base.With(raw("role", "web_anon")).With(raw("work_mem", "'1MB'")) {
		t.Error("RESET does not lead back to the startup packet")
	}
	if got := now.Without("", base); got != base.With(raw("role", "web_anon")) {
		t.Error("RESET ALL leaves role, and nothing else")
	}
}

func TestReplay(t *testing.T) {
	s := NewSpace()
	e := s.Empty()
	for _, test := range []struct {
		from, to *Set
		want     string
	}{
		{e, e, ""},
		{e, e.With(item("search_path", "a, b")), "SELECT pg_catalog.set_config('search_path','a, b',false)"},
		{e, e.With(raw("search_path", "a, b")), `SET "search_path" TO a, b`},
		{e, e.With(raw("timezone", "LOCAL")), "SET TIME ZONE LOCAL"},
		{e, e.With(item("application_name", `it's\`)), `SELECT pg_catalog.set_config('application_name', E'it''s\\',false)`},
		{e.With(raw("work_mem", "'1MB'")), e, `RESET "work_mem"`},
		{e.With(raw("my.setting", "1")), e, `RESET "my"."setting"`},
		{e.With(raw("work_mem", "'1MB'")), e.With(raw("work_mem", "'2MB'")), `SET "work_mem" TO '2MB'`},
		{e, e.With(raw("role", "r")).With(raw("work_mem", "'1MB'")), `SET "work_mem" TO '1MB';SET "role" TO r`},
		{e.With(raw("role", "r")).With(raw("work_mem", "1")), e, `RESET "role";RESET "work_mem"`},
		{e.With(raw("role", "r")), e.With(raw("role", "q")), `RESET "role";SET "role" TO q`},
		{e, e.With(raw("role", "r")).With(raw("session_authorization", "s")), `SET "session_authorization" TO s;SET "role" TO r`},
		{
			e.With(raw("role", "r")).With(raw("session_authorization", "s")), e.With(raw("role", "r")).With(raw("work_mem", "1")),
			`RESET "session_authorization";RESET "role";SET "work_mem" TO 1;SET "role" TO r`,
		},
		{e.With(raw("datestyle", "SQL, DMY")), e.With(raw("datestyle", "ISO")), `RESET "datestyle";SET "datestyle" TO ISO`},
		{e.With(raw("role", "r")), e.With(raw("role", "r")).With(raw("work_mem", "1")), `SET "work_mem" TO 1`},
	} {
		if got := Replay(test.from, test.to); got != test.want {
			t.Errorf("got  %s\nwant %s", got, test.want)
		}
	}
}

// TestSure: only what a server has accepted before, and what cannot have become wrong since, may be sent unseen.
func TestSure(t *testing.T) {
	s := NewSpace()
	e := s.Empty()
	e.Learn([]Reported{{"application_name", ""}})
	zone, role := e.With(item("timezone", "UTC")), e.With(raw("role", "r"))
	if Sure(e, zone) {
		t.Error("sure of a value that no server has seen")
	}
	zone.Learn([]Reported{{"TimeZone", "UTC"}})
	role.Learn([]Reported{{"TimeZone", "UTC"}})
	if !Sure(e, zone) || !Sure(zone, e) {
		t.Error("not sure of a value that was accepted")
	}
	if Sure(e, role) || Sure(role, e) {
		t.Error("sure of a role, which may have been dropped meanwhile")
	}
}

func TestApplicationNameNeedsNoServer(t *testing.T) {
	s := NewSpace()
	if _, ok := s.Empty().With(item("application_name", "psql")).Reported(); ok {
		t.Error("reported before any server was seen")
	}
	s.Empty().Learn([]Reported{{"application_name", ""}, {"TimeZone", "UTC"}})
	got, ok := s.Empty().With(item("application_name", "psql")).Reported()
	if want := []Reported{{"application_name", "psql"}, {"TimeZone", "UTC"}}; !ok || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, ok)
	}
	if _, ok := s.Empty().With(item("application_name", "naïve")).Reported(); ok {
		t.Error("a name that the server would change is taken as it is")
	}
}

// TestUnusedSetsGo: a Space does not grow with what clients once had.
func TestUnusedSetsGo(t *testing.T) {
	s := NewSpace()
	for i := range 1000 {
		s.Empty().With(item("application_name", string(rune('a'+i%26))+time.Duration(i).String()))
	}
	for range 100 {
		runtime.GC()
		s.mu.Lock()
		n := len(s.sets)
		s.mu.Unlock()
		if n < 10 {
			runtime.KeepAlive(s.empty)
			return
		}
		time.Sleep(time.Millisecond) // for the cleanups, which run in their own goroutine
	}
	t.Error("Sets that nobody has are kept")
}
