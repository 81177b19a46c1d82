package advice

import (
	"strings"
	"testing"
	"time"

	"poolerd/bench/postgres"
)

// scenes of the sample at scale 1.
const scenes = 480

// TestSampleIsFine: the sample as it is gives no cause for advice about indexes or partitions.
func TestSampleIsFine(t *testing.T) {
	c := cluster(t, true, 1)
	load := requests(scenes)
	all := advised(t, Options{URL: c.URL("postgres", "fountain"), Private: true, Examples: examples(load)}, func() { play(t, c, load, 4, 3*time.Second) })
	for _, a := range all {
		if a.Severity == "costly" || strings.Contains(a.Title, "index") || strings.Contains(a.Title, "partition") {
			t.Errorf("%s: %s", a.Severity, a.Title)
		}
	}
	if all[len(all)-1].Severity != "fine" {
		t.Errorf("the last advice is %q", all[len(all)-1].Title)
	}
}

// TestWithoutIndex: the missing index is named first, and its remedy is one.
func TestWithoutIndex(t *testing.T) {
	c := cluster(t, true, 2, postgres.WithoutIndex)
	load := requests(2 * scenes)
	o := Options{URL: c.URL("postgres", "fountain"), Private: true, Examples: examples(load)}
	all := advised(t, o, func() { play(t, c, load, 4, 3*time.Second) })
	first := all[0]
	const title = "api.dialogue is read whole for want of an index on (scene_id"
	if first.Severity != "costly" || !strings.HasPrefix(first.Title, title) || !strings.Contains(first.Remedy, "CREATE INDEX ON api.dialogue (scene_id") {
		t.Fatalf("the first advice is %+v", first)
	}
	if find(all, "foreign keys") == nil {
		t.Error("the foreign keys' indexes are not missed")
	}
	before := explainMS(t, c)
	for _, a := range all {
		if strings.Contains(a.Title, "want of an index") {
			sql(t, c, a.Remedy)
		}
	}
	if after := explainMS(t, c); after > before/2 {
		t.Errorf("a lookup took %v ms, and %v ms with the remedy", before, after)
	}
	all = advised(t, o, func() { play(t, c, load, 4, 2*time.Second) })
	if a := find(all, "want of an index"); a != nil {
		t.Errorf("after the remedy there is still: %+v", *a)
	}
}

// TestWithoutWords: an index on an expression is missed too.
func TestWithoutWords(t *testing.T) {
	c := cluster(t, true, 1)
	sql(t, c, "DROP INDEX api.dialogue_words")
	load := requests(scenes)
	o := Options{URL: c.URL("postgres", "fountain"), Private: true, Examples: examples(load)}
	all := advised(t, o, func() { play(t, c, load, 2, 2*time.Second) })
	const title = "api.dialogue is read whole for want of an index on (to_tsvector('simple'::regconfig, line))"
	if all[0].Severity != "costly" || all[0].Title != title {
		t.Fatalf("the first advice is %+v", all[0])
	}
	sql(t, c, all[0].Remedy)
	all = advised(t, o, func() { play(t, c, load, 2, 2*time.Second) })
	if a := find(all, "want of an index"); a != nil {
		t.Errorf("after the remedy there is still: %+v", *a)
	}
}

// TestWithoutPartitions: a table that is divided by another column than the statements ask for is named, and can be divided anew by the remedy.
func TestWithoutPartitions(t *testing.T) {
	c := cluster(t, true, 1, postgres.WithoutPartitions)
	load := requests(scenes)
	o := Options{URL: c.URL("postgres", "fountain"), Private: true, Examples: examples(load)}
	all := advised(t, o, func() { play(t, c, load, 4, 3*time.Second) })
	const title = "no partition of api.dialogue is pruned: it is divided by (line_no), and statements ask by scene_id"
	if all[0].Title != title || all[0].Severity != "costly" {
		t.Fatalf("the first advice is %+v", all[0])
	}
	if a := find(all, "want of an index"); a != nil {
		t.Errorf("no index is missing: %+v", *a)
	}
	before := explainMS(t, c)
	count := sql(t, c, "SELECT count(*), sum(hashtext(d::text)) FROM api.dialogue d")
	sql(t, c, all[0].Remedy)
	if after := explainMS(t, c); after > before {
		t.Errorf("a lookup took %v ms, and %v ms with the remedy", before, after)
	}
	if now := sql(t, c, "SELECT count(*), sum(hashtext(d::text)) FROM api.dialogue d"); now != count {
		t.Errorf("there were %s, and %s after the remedy", count, now)
	}
	all = advised(t, o, func() { play(t, c, load, 4, 2*time.Second) })
	if a := find(all, "no partition"); a != nil {
		t.Errorf("after the remedy there is still: %+v", *a)
	}
}

// explainMS is how long the embedding request takes inside the server, the least of five.
func explainMS(t *testing.T, c *postgres.Cluster) float64 {
	t.Helper()
	conn, err := connect(t.Context(), c.URL("postgres", "fountain"))
	if err != nil {
		t.Fatal(err)
	}
	defer hangUp(conn)
	s, err := readSchema(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	e := &explainer{conn: conn, server: &server{}, schema: s}
	least := 1e9
	for range 5 {
		p, err := e.once(t.Context(), call{sql: requests(scenes)[2].sql, params: texts("7")}, true)
		if err != nil {
			t.Fatal(err)
		}
		least = min(least, p.Execution)
	}
	return least
}
