package postgres

import (
	"strings"
	"testing"
)

// TestWithout: what is left out is out, and the same rows are there and are
// refused.
func TestWithout(t *testing.T) {
	const lookup = `EXPLAIN (COSTS off) SELECT line FROM api.dialogue WHERE scene_id = 7`
	const touched = `SELECT count(DISTINCT tableoid) > 1 FROM api.dialogue WHERE scene_id = 7`
	for _, test := range []struct {
		name    string
		without []string
		scans   bool   // a scene's lines can only be found by reading a whole partition
		spread  string // "t" where a scene's lines lie in several partitions
		parts   string
	}{
		{"nothing", nil, false, "f", "4"},
		{"index", []string{WithoutIndex}, true, "f", "4"},
		{"partitions", []string{WithoutPartitions}, false, "t", "32"},
		{"both", []string{WithoutIndex, WithoutPartitions}, true, "t", "32"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := newCluster(t, Options{Sample: true, Without: test.without})
			plan, err := c.Psql(t.Context(), "fountain", "SET enable_seqscan = off; "+lookup)
			if err != nil {
				t.Fatal(err)
			}
			if scans := strings.Contains(plan, "Seq Scan"); scans != test.scans {
				t.Errorf("the plan of a lookup by scene, with sequential scans discouraged:\n%s", plan)
			}
			ask(t, c, "fountain", touched, test.spread)
			ask(t, c, "fountain", "SELECT count(*) FROM pg_partition_tree('api.dialogue') WHERE isleaf", test.parts)
			ask(t, c, "fountain", "SELECT count(*) FROM api.dialogue", "4800")
			_, err = c.Psql(t.Context(), "fountain", "INSERT INTO api.dialogue (scene_id, line_no, line) VALUES (7, 3, 'Again.')")
			if err == nil || !strings.Contains(err.Error(), "23505") {
				t.Errorf("a key that is taken gave %v", err)
			}
			ask(t, c, "fountain", "SELECT line_no FROM api.add_cue(7, 'Exeunt.')", "11")
			ask(t, c, "fountain", "SELECT count(*) > 0 FROM api.search_lines('lantern')", "t")
		})
	}
}
