package advice

import (
	"strings"
	"testing"
	"time"

	"poolerd/bench/postgres"
)

// TestWithoutStatements: where pg_stat_statements is not loaded, that is said, and the workload's own statements still show what is missing.
func TestWithoutStatements(t *testing.T) {
	c := cluster(t, false, 1, postgres.WithoutIndex)
	load := requests(scenes)
	all := advised(t, Options{URL: c.URL("postgres", "fountain"), Private: true, Examples: examples(load)}, func() { play(t, c, load, 2, time.Second) })
	a := find(all, "pg_stat_statements cannot be read")
	if a == nil || a.Evidence[0] != "the server has not loaded it" || !strings.Contains(a.Remedy, "shared_preload_libraries = 'pg_stat_statements'") {
		t.Errorf("got %+v", a)
	}
	if !strings.HasPrefix(all[0].Title, "api.dialogue is read whole for want of an index on (scene_id") {
		t.Errorf("the first advice is %+v", all[0])
	}
	if n := sql(t, c, "SELECT count(*) FROM pg_extension WHERE extname = 'pg_stat_statements'"); n != "0" {
		t.Error("the extension was created where it cannot work")
	}
}

// TestWithoutExamples: statements that nobody has examples of, as when a web server sends them, get parameters from the statistics.
func TestWithoutExamples(t *testing.T) {
	c := cluster(t, true, 1, postgres.WithoutIndex)
	load := requests(scenes)
	all := advised(t, Options{URL: c.URL("postgres", "fountain"), Private: true, Protocol: "http"}, func() { play(t, c, load, 2, 2*time.Second) })
	if !strings.HasPrefix(all[0].Title, "api.dialogue is read whole for want of an index on (scene_id") || !strings.Contains(strings.Join(all[0].Evidence, "\n"), "tried and rolled back") {
		t.Errorf("the first advice is %+v", all[0])
	}
}

// TestUsersServer: on a server that is not our own nothing is created and nothing is written.
func TestUsersServer(t *testing.T) {
	c := cluster(t, true, 1, postgres.WithoutIndex)
	load := requests(scenes)
	const state = `SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_extension), (SELECT count(*) FROM api.dialogue), (SELECT md5(string_agg(d::text, ',' ORDER BY scene_id, line_no)) FROM api.dialogue d),
		(SELECT string_agg(last_value::text, ',' ORDER BY sequencename) FROM pg_sequences)`
	before := sql(t, c, state)
	o := Options{URL: c.URL("postgres", "fountain"), Examples: examples(load)}
	all := advised(t, o, func() { play(t, c, load[:4], 2, time.Second) })
	if now := sql(t, c, state); now != before {
		t.Errorf("it was %s, and is %s", before, now)
	}
	a := find(all, "pg_stat_statements cannot be read")
	if a == nil || !strings.Contains(a.Evidence[0], "not created in this database") || a.Remedy != "CREATE EXTENSION pg_stat_statements;" {
		t.Errorf("got %+v", a)
	}
	sql(t, c, a.Remedy)
	all = advised(t, o, func() { play(t, c, load[:4], 2, time.Second) })
	if find(all, "cannot be read") != nil || !strings.HasPrefix(all[0].Title, "api.dialogue is read whole") || strings.Contains(strings.Join(all[0].Evidence, "\n"), "tried") {
		t.Errorf("got %+v", all)
	}
	// Nor may a role that sees nothing of others fail.
	o.URL = c.URL("authenticator", "fountain")
	all = advised(t, o, func() { play(t, c, load[:4], 2, time.Second) })
	if a := find(all, "could not be seen"); a == nil || a.Remedy != "GRANT pg_read_all_stats TO authenticator;" {
		t.Errorf("got %+v", all)
	}
	if !strings.HasPrefix(all[0].Title, "api.dialogue is read whole") {
		t.Errorf("the first advice is %+v", all[0])
	}
}

func TestUnreachable(t *testing.T) {
	_, err := Begin(t.Context(), Options{URL: "postgres://postgres:hidden@127.0.0.1:1/x?sslmode=disable"})
	if err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v", err)
	}
}
