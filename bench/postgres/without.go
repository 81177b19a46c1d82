package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"poolerd/configs"
)

// What Options.Without may name.
const (
	// WithoutIndex leaves the index out by which a scene's lines are found,
	// and those for foreign keys. dialogue's primary key gives way to unique
	// indexes that refuse the same rows (23505) but hold the scene in another
	// type, so that no statement can look a scene's lines up in them. An index
	// in another order would not do: PostgreSQL 18 skips through it. The one
	// for search_lines() stays: without it a search costs a hundred times a
	// lookup, and nothing else would be seen.
	WithoutIndex = "index"

	// WithoutPartitions divides dialogue by line_no, which no statement gives
	// alone, instead of scene_id, which nearly all give, and into more parts:
	// each statement opens, locks and searches all of them. One undivided
	// table would show nothing, as its primary key finds a scene as fast as a
	// partition's does; nor would four parts, which cost a lookup a few
	// microseconds.
	WithoutPartitions = "partitions"
)

// checkWithout refuses names that are not known, and a lack in no sample.
func (o *Options) checkWithout() error {
	for _, name := range o.Without {
		if name != WithoutIndex && name != WithoutPartitions {
			return fmt.Errorf("sample without %q: must be %q or %q", name, WithoutIndex, WithoutPartitions)
		}
	}
	if len(o.Without) > 0 && !o.Sample {
		return fmt.Errorf("without %s, but no sample is asked for: set Options.Sample as well", strings.Join(o.Without, " and "))
	}
	return nil
}

// without is whether something is left out of the sample.
func (o *Options) without(name string) bool { return slices.Contains(o.Without, name) }

// sampleScript is the sample as it is loaded.
func (o *Options) sampleScript() (string, error) {
	if !o.without(WithoutPartitions) {
		return configs.FountainSQL, nil
	}
	const key, parts, last = "PARTITION BY HASH (scene_id)", "(MODULUS 4, REMAINDER ", "REMAINDER 3);"
	for text, times := range map[string]int{key: 1, parts: 4, last: 1} {
		if strings.Count(configs.FountainSQL, text) != times {
			return "", fmt.Errorf("the sample no longer says %q so often: bench/postgres/without.go must follow it", text)
		}
	}
	var more strings.Builder
	for i := 4; i < misdivided; i++ {
		fmt.Fprintf(&more, "\nCREATE TABLE api.dialogue_%d PARTITION OF api.dialogue FOR VALUES WITH (MODULUS %d, REMAINDER %[1]d);", i, misdivided)
	}
	script := strings.Replace(configs.FountainSQL, key, "PARTITION BY HASH (line_no)", 1)
	script = strings.Replace(script, last, last+more.String(), 1)
	return strings.ReplaceAll(script, parts, fmt.Sprintf("(MODULUS %d, REMAINDER ", misdivided)), nil
}

// misdivided is how many parts WithoutPartitions makes. They and their indexes
// are more than the 16 locks that PostgreSQL before 18 takes the fast way.
const misdivided = 32

// dropIndexes takes indexes of the loaded sample away. The unique indexes are
// made on each partition, since one on the whole table may not be over an
// expression; all rows of one key lie in one partition, so they refuse what
// the primary key would.
const dropIndexes = `
DROP INDEX api.script_playwright, api.character_script, api.dialogue_character;
ALTER TABLE api.dialogue DROP CONSTRAINT dialogue_pkey;
DO $$
DECLARE
    part regclass;
BEGIN
    FOR part IN SELECT relid FROM pg_partition_tree('api.dialogue') WHERE isleaf LOOP
        EXECUTE format('CREATE UNIQUE INDEX ON %s ((scene_id::bigint), line_no)', part);
    END LOOP;
END
$$;
ANALYZE api.script, api.character, api.dialogue;`

// leaveOut takes from the loaded sample what it shall be without.
func (c *Cluster) leaveOut(ctx context.Context) error {
	if !c.opts.without(WithoutIndex) {
		return nil
	}
	c.opts.Log("leaving indexes of the sample out")
	if _, err := c.Psql(ctx, sampleDatabase, dropIndexes); err != nil {
		return fmt.Errorf("leaving indexes of the sample out: %w", err)
	}
	return nil
}
