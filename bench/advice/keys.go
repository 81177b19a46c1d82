package advice

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// keyRows is from how many rows on a foreign key wants an index even where nothing was deleted.
const keyRows = 1000

// foreignKeysWithoutIndex finds them where it costs: a row deleted from the referenced table has the referencing one searched. It leaves out what other
// findings have asked an index for.
func foreignKeysWithoutIndex(c *run, said []*finding) []*finding {
	var evidence, remedies []string
	for _, k := range c.schema.foreign {
		from, to := c.schema.relations[k.Table], c.schema.relations[k.References]
		if from == nil || to == nil || asked(said, from, k.Columns) {
			continue
		}
		if !slices.ContainsFunc(from.leaves(), func(leaf *relation) bool { return !leaf.covers(k.Columns) }) {
			continue
		}
		deleted := c.scansOf(to).Deleted
		if deleted == 0 && from.Rows < keyRows {
			continue
		}
		line := fmt.Sprintf("%s (%s) references %s: %s would be searched for each row deleted there", from, plainNames(k.Columns), to, plural(from.Rows, "row"))
		if deleted > 0 {
			line += fmt.Sprintf("; %s deleted in this run", plural(deleted, "row"))
		}
		evidence = append(evidence, line)
		sql := indexSQL(&lookup{root: from, leaf: from, method: "btree", keys: k.Columns}, k.Columns)
		if strings.Contains(strings.Join(remedies, "\n"), partitionedIndex) { // once is enough
			sql = strings.TrimPrefix(sql, partitionedIndex+"\n")
		}
		remedies = append(remedies, sql)
	}
	if len(evidence) == 0 {
		return nil
	}
	return []*finding{{
		severity: look,
		title:    "foreign keys without an index",
		evidence: evidence,
		remedy:   strings.Join(remedies, "\n"),
		pool:     "nothing: a delete that scans holds its server, and its locks, for as long as it scans.",
	}}
}

// asked is whether a finding has asked for an index that starts with the columns' first.
func asked(said []*finding, table *relation, columns []string) bool {
	return slices.ContainsFunc(said, func(f *finding) bool {
		return f.table == table && f.severity > nothing && len(f.columns) > 0 && f.columns[0] == columns[0]
	})
}

// manyWrites is from how many in a run the upkeep of an index is worth a word.
const manyWrites = 1000

// unusedIndexes finds indexes that every write keeps up and no statement has ever used. Those that keep a constraint or serve a foreign key have their use.
func unusedIndexes(c *run) []*finding {
	type upkeep struct {
		root  *relation
		key   string
		drop  string
		used  int64
		bytes int64
	}
	groups := map[string]*upkeep{}
	var order []string
	for _, r := range c.schema.relations {
		root := c.schema.root(r)
		for _, i := range r.Indexes {
			counted := c.counters.indexes[i.OID]
			if counted == nil || i.Unique || i.Constraint || c.schema.servesKey(root, i) {
				continue
			}
			key := root.OID + " " + i.Method + " " + strings.Join(i.Columns, ",")
			if groups[key] == nil {
				groups[key] = &upkeep{root: root, key: i.Method + " (" + strings.Join(i.Columns, ", ") + ")", drop: dropSQL(root, r, i)}
				order = append(order, key)
			}
			groups[key].used += counted.Ever
			groups[key].bytes += counted.Bytes
		}
	}
	slices.Sort(order)
	var evidence []string
	remedy := "-- only if no other workload uses them: see idx_scan in pg_stat_user_indexes of the servers in production, replicas too"
	for _, key := range order {
		u := groups[key]
		t := c.scansOf(u.root)
		if writes := t.Inserted + t.Updated - t.HotUpdated; u.used == 0 && writes >= manyWrites {
			evidence = append(evidence, fmt.Sprintf("%s on %s, %s: kept up in %s, used in none", u.key, u.root, bytes(float64(u.bytes)), plural(writes, "write")))
			remedy += "\n" + u.drop
		}
	}
	if len(evidence) == 0 {
		return nil
	}
	return []*finding{{
		severity: look,
		title:    "indexes that cost writes and serve no statement",
		evidence: evidence,
		remedy:   remedy,
		pool:     "nothing: each write pays, whichever server it runs on.",
	}}
}

// dropSQL drops an index: of a partition, the whole table's, which it is a part of, if there is one. That cannot be done CONCURRENTLY.
func dropSQL(root, r *relation, i indexDefinition) string {
	if root != r {
		for _, whole := range root.Indexes {
			if whole.Method == i.Method && slices.Equal(whole.Columns, i.Columns) {
				return fmt.Sprintf("DROP INDEX %s.%s;", plainName(root.Schema), plainName(whole.Name))
			}
		}
	}
	return fmt.Sprintf("DROP INDEX CONCURRENTLY %s.%s;", plainName(r.Schema), plainName(i.Name))
}

// servesKey is whether an index starts with the columns of a foreign key of its table.
func (s *schema) servesKey(root *relation, i indexDefinition) bool {
	return slices.ContainsFunc(s.foreign, func(k *foreignKey) bool {
		return k.Table == root.OID && len(i.Columns) >= len(k.Columns) && slices.Equal(i.Columns[:len(k.Columns)], k.Columns)
	})
}

// tablesReadWhole finds tables that were read from end to end again and again, where no plan has shown why.
func tablesReadWhole(c *run, said []*finding) (all []*finding) {
	const (
		manyScans, manyRows = 10, 1000
		rowsASecond         = 1e7  // that one core reads and drops, in small rows and from memory
		leastPart           = 0.01 // of the run that it takes a core at that speed: below, it is not worth anybody's look
	)
	roots := map[*relation]bool{}
	for _, r := range c.schema.relations {
		roots[c.schema.root(r)] = true
	}
	for root := range roots {
		t := c.scansOf(root)
		told := slices.ContainsFunc(said, func(f *finding) bool { return f.table == root && f.severity > nothing })
		part := float64(t.SeqRead) / rowsASecond / max(c.seconds, 1)
		if told || t.SeqScan < manyScans || t.SeqRead < manyRows*t.SeqScan || part < leastPart {
			continue
		}
		f := &finding{severity: look, title: fmt.Sprintf("%s is read from end to end", root), table: root}
		f.prove("%s sequential scans in this run, %s each, and none of the plans looked at shows why", count(t.SeqScan), plural(float64(t.SeqRead)/float64(t.SeqScan), "row"))
		f.remedy = "-- find the statements that do it\nSELECT calls, mean_exec_time, rows, query FROM pg_stat_statements WHERE query ~* '" + strings.ReplaceAll(root.Name, "'", "''") + "' ORDER BY total_exec_time DESC;"
		f.pool = "nothing: what is read is read inside the server."
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *finding) int { return cmp.Compare(a.title, b.title) })
	return all
}

// deadRows finds tables full of dead rows. The bench's own server has autovacuum off on purpose.
func deadRows(c *run) (all []*finding) {
	const many, part = 10000, 0.2
	if c.server.private {
		return nil
	}
	for _, t := range c.counters.tables {
		if t.Dead < many || float64(t.Dead) < part*float64(t.Live+t.Dead) {
			continue
		}
		f := &finding{severity: look, title: fmt.Sprintf("%s.%s is full of dead rows", plainName(t.Schema), plainName(t.Name))}
		f.prove("%s dead beside %s live", plural(t.Dead, "row"), plural(t.Live, "row"))
		if c.server.settings["autovacuum"] == "off" {
			f.prove("autovacuum is off")
		}
		f.remedy = fmt.Sprintf("VACUUM (ANALYZE) %s.%s;\nALTER TABLE %[1]s.%[2]s SET (autovacuum_vacuum_scale_factor = 0.05);", plainName(t.Schema), plainName(t.Name))
		f.pool = "a transaction that stays open keeps dead rows from being removed: idle_transaction_timeout ends those whose client has gone quiet."
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *finding) int { return cmp.Compare(a.title, b.title) })
	return all
}
