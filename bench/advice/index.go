package advice

import (
	"fmt"
	"slices"
	"strings"
)

// missingIndexes finds tables that are read whole, or nearly, for want of an index.
func missingIndexes(c *run) (all []*finding) {
	groups := map[string][]*lookup{}
	var order []string
	for _, w := range c.works {
		for _, p := range w.plans {
			for _, l := range c.schema.lookups(w, p) {
				key := l.root.OID + " " + l.method + " " + l.keys[0]
				if groups[key] == nil {
					order = append(order, key)
				}
				groups[key] = append(groups[key], l)
			}
		}
	}
	for _, key := range order {
		all = append(all, c.missingIndex(groups[key]))
	}
	return all
}

// missingIndex makes one finding of the places that one index would serve.
func (c *run) missingIndex(places []*lookup) *finding {
	first := places[0]
	f := &finding{table: first.root}
	saved := map[*work]float64{} // part of the work's time
	worst := map[*work]*lookup{}
	for _, l := range places {
		// Examples of one statement count alike.
		saved[l.work] += l.saved / max(l.plan.Execution, l.plan.Root.total(), 1e-9) / float64(len(l.work.plans))
		if old := worst[l.work]; old == nil || old.saved < l.saved {
			worst[l.work] = l
		}
	}
	for w, part := range saved {
		f.cost += w.share * min(1, part)
		f.works = append(f.works, w)
	}
	slices.SortFunc(f.works, func(a, b *work) int {
		switch x, y := a.share*saved[a], b.share*saved[b]; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return strings.Compare(a.name, b.name)
	})
	f.severity = severe(f.cost)
	f.columns = widest(places, worst[f.works[0]])
	f.title = fmt.Sprintf("%s is read whole for want of an index on (%s)", f.table, keyList(first, f.columns))
	f.prove("an index would save about %s of the time that statements ran in the database", percent(f.cost))
	for _, w := range f.works[:min(3, len(f.works))] {
		l := worst[w]
		f.prove("%s (%s of the time%s): %s read, %s kept: %s", w.name, percent(w.share), w.calling(), plural(l.read, "row"), count(l.kept), l.node.title())
	}
	if t := c.scansOf(f.table); t.SeqScan > 0 {
		f.prove("in this run it or its partitions were read from end to end %s times, %s each", count(t.SeqScan), plural(float64(t.SeqRead)/float64(t.SeqScan), "row"))
	}
	f.remedy = indexSQL(first, f.columns)
	f.pool = "no pool size makes up for this: the time is spent inside the server, and each further server only reads the same rows at the same time as the others, until the cores " +
		"are full. With the index each transaction holds its server for less time, so that fewer servers carry more: measure again afterwards, the best size may be smaller."
	return f
}

// calling tells of a work's calls, where they are known.
func (w *work) calling() string {
	if w.statement == nil {
		return ""
	}
	return fmt.Sprintf(", %s calls of %s", count(w.calls), ms(w.mean()))
}

// widest are the index's columns: those of the costliest place, or of another that only adds to them.
func widest(places []*lookup, worst *lookup) []string {
	columns := worst.keys
	for _, l := range places {
		if len(l.keys) > len(columns) && slices.Equal(l.keys[:len(columns)], columns) {
			columns = l.keys
		}
	}
	return columns
}

// scansOf adds a table's partitions up.
func (c *run) scansOf(r *relation) (sum table) {
	for _, t := range c.counters.tables {
		if t.Root == r.OID || t.OID == r.OID {
			sum.SeqScan += t.SeqScan
			sum.SeqRead += t.SeqRead
			sum.Inserted += t.Inserted
			sum.Updated += t.Updated
			sum.HotUpdated += t.HotUpdated
			sum.Deleted += t.Deleted
		}
	}
	return sum
}

// keyList is an index's key as SQL has it, without its kind.
func keyList(l *lookup, columns []string) string {
	if l.isExpr {
		return columns[0]
	}
	return plainNames(columns)
}

const partitionedIndex = "-- writes wait while it is made; on a large table make it CONCURRENTLY on each partition first, then this is quick"

// indexSQL makes the index. On a partitioned table it cannot be made CONCURRENTLY (CREATE INDEX in PostgreSQL's reference).
func indexSQL(l *lookup, columns []string) string {
	key := keyList(l, columns)
	if l.isExpr {
		key = "(" + key + ")"
	}
	using := ""
	before := ""
	switch l.method {
	case "gin", "gist":
		using = "USING " + l.method + " "
	case "trigram":
		using, key = "USING gin ", key+" gin_trgm_ops"
		before = "CREATE EXTENSION IF NOT EXISTS pg_trgm;\n"
	}
	if l.root.Kind == "p" {
		return fmt.Sprintf("%s%s\nCREATE INDEX ON %s %s(%s);", before, partitionedIndex, l.root, using, key)
	}
	return fmt.Sprintf("%sCREATE INDEX CONCURRENTLY ON %s %s(%s);", before, l.root, using, key)
}
