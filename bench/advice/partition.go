package advice

import (
	"fmt"
	"slices"
	"strings"
)

// touch is a place in a plan that reads all partitions of a table, although a condition could tell which one it needs if the table were divided otherwise.
type touch struct {
	work   *work
	plan   *plan
	node   *node
	root   *relation
	column string
	parts  int
	saved  float64 // milliseconds a call, at most
}

// unprunedPartitions finds tables that are divided by another column than the statements ask for.
func unprunedPartitions(c *run) (all []*finding) {
	groups := map[string][]*touch{}
	var order []string
	served := map[string]float64{} // by table: part of the time of statements that name the present key
	for _, w := range c.works {
		pruned := map[string]bool{}
		for _, p := range w.plans {
			for _, t := range c.schema.touches(w, p.plan, pruned) {
				key := t.root.OID + " " + t.column
				if groups[key] == nil {
					order = append(order, key)
				}
				groups[key] = append(groups[key], t)
			}
		}
		for oid := range pruned {
			served[oid] += w.share
		}
	}
	for _, key := range order {
		places := groups[key]
		all = append(all, c.unpruned(places, served[places[0].root.OID]))
	}
	return all
}

// touches finds them in a plan, and notes the tables whose key a condition names.
func (s *schema) touches(w *work, p *plan, pruned map[string]bool) (all []*touch) {
	p.Root.walk(func(n *node, _ []*node) {
		if r := s.byName[n.Schema+"."+n.Relation]; r != nil && r.Parent != "" {
			if root := s.root(r); slices.ContainsFunc(n.terms(), func(t term) bool { return narrows(root, t) }) {
				pruned[root.OID] = true
			}
		}
		if n.Type != "Append" && n.Type != "Merge Append" {
			return
		}
		root, columns, parts := s.appended(n)
		if root == nil || parts < 2 || parts < len(root.leaves()) || len(columns) == 0 {
			return
		}
		// A column that tells many rows apart divides them evenly.
		slices.SortStableFunc(columns, func(a, b string) int { return int(min(1e9, root.Distinct[b])) - int(min(1e9, root.Distinct[a])) })
		all = append(all, &touch{
			work: w, plan: p, node: n, root: root, column: columns[0], parts: parts,
			saved: n.total() * float64(parts-1) / float64(parts),
		})
	})
	return all
}

// appended tells what an Append reads: the table whose partitions they all are, the columns outside of its key that conditions hold equal to something, and how
// many partitions were read. A condition on the key, or another table among them, gives nil.
func (s *schema) appended(n *node) (root *relation, columns []string, parts int) {
	for _, child := range n.Plans {
		scan := child
		for scan.Relation == "" && len(scan.Plans) == 1 {
			scan = scan.Plans[0]
		}
		r := s.byName[scan.Schema+"."+scan.Relation]
		if r == nil || r.Parent == "" || root != nil && s.root(r) != root {
			return nil, nil, 0
		}
		root = s.root(r)
		if scan.Loops == 0 {
			continue // pruned when the statement ran
		}
		parts++
		for _, t := range append(scan.terms(), below(scan)...) {
			if narrows(root, t) {
				return nil, nil, 0
			}
			if (t.operator == "=" || t.operator == "= ANY") && root.typeOf(t.column) != "" && !slices.Contains(columns, t.column) {
				columns = append(columns, t.column)
			}
		}
	}
	return root, columns, parts
}

// below are the conditions of the bitmap scans under a scan, which have no relation of their own.
func below(scan *node) (all []term) {
	for _, child := range scan.Plans {
		all = append(all, terms(child.IndexCond, scan.Alias)...)
	}
	return all
}

// narrows is whether a term can rule partitions out.
func narrows(root *relation, t term) bool {
	if !slices.Contains(root.Key, t.column) || t.column == "" {
		return false
	}
	switch t.operator {
	case "=", "= ANY", "IS NULL":
		return true
	case "<", ">", "<=", ">=":
		return root.Strategy != "h"
	}
	return false
}

// unpruned makes one finding of the places that one other key would serve.
func (c *run) unpruned(places []*touch, served float64) *finding {
	root, column := places[0].root, places[0].column
	f := &finding{table: root, columns: []string{column}}
	saved := map[*work]float64{}
	worst := map[*work]*touch{}
	for _, t := range places {
		saved[t.work] += t.saved / max(t.plan.Execution, t.plan.Root.total(), 1e-9) / float64(len(t.work.plans))
		if old := worst[t.work]; old == nil || old.saved < t.saved {
			worst[t.work] = t
		}
	}
	for _, w := range c.works {
		if part, here := saved[w]; here {
			f.cost += w.share * min(1, part)
			f.works = append(f.works, w)
		}
	}
	f.severity = severe(f.cost)
	if served > f.cost {
		f.severity = min(f.severity, look) // what is won here would be lost there
	}
	f.title = fmt.Sprintf("no partition of %s is pruned: it is divided by (%s), and statements ask by %s", root, strings.Join(root.keyNames(), ", "), plainName(column))
	f.prove("up to %s of the time that statements ran in the database goes to partitions that a division by %s would rule out", percent(f.cost), plainName(column))
	for _, w := range f.works[:min(3, len(f.works))] {
		t := worst[w]
		f.prove("%s (%s of the time%s): %s over %d of %d partitions, the first by %s", w.name, percent(w.share), w.calling(), t.node.Type, t.parts, len(root.leaves()), firstScan(t.node).title())
	}
	if served > 0 {
		f.prove("statements with %s of the time do name the present key: they would then search all partitions", percent(served))
	}
	f.remedy = c.schema.repartition(root, column)
	f.pool = "the pool can keep the cost of planning over all partitions down by keeping statements prepared; that each call opens and locks every partition and its indexes, it cannot. " +
		"Many servers doing so at once also meet at the lock manager: a smaller pool then does as much."
	return f
}

// firstScan is the first scan below an Append.
func firstScan(n *node) *node {
	for n.Relation == "" && len(n.Plans) > 0 {
		n = n.Plans[0]
	}
	return n
}

// keyNames are the columns that a table is divided by.
func (r *relation) keyNames() []string {
	names := make([]string, len(r.Key))
	for i, k := range r.Key {
		if names[i] = plainName(k); k == "" {
			names[i] = "an expression"
		}
	}
	return names
}

// repartition is the SQL that puts a copy, divided by another column, in a table's place.
func (s *schema) repartition(r *relation, column string) string {
	parts := len(r.leaves())
	table := func(suffix string) string { return plainName(r.Schema) + "." + plainName(r.Name+suffix) }
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("-- or name %s in the statements as well, where they know it: WHERE ... AND %[1]s = ...", plainNames(r.Key))
	line("BEGIN;")
	line("LOCK TABLE %s IN EXCLUSIVE MODE; -- writes wait until the end", table(""))
	line("CREATE TABLE %s (LIKE %s INCLUDING ALL) PARTITION BY HASH (%s);", table("_new"), table(""), plainName(column))
	line("DO $divide$ BEGIN FOR n IN 0..%d LOOP", parts-1)
	line("    EXECUTE format('CREATE TABLE %%I.%%I PARTITION OF %%I.%%I FOR VALUES WITH (MODULUS %d, REMAINDER %%s)', %s, %s || n, %[2]s, %[4]s, n);",
		parts, literal(r.Schema), literal(r.Name+"_new_"), literal(r.Name+"_new"))
	line("END LOOP; END $divide$;")
	columns, overriding := r.inserted()
	line("INSERT INTO %s (%s)%s SELECT %[2]s FROM %[4]s;", table("_new"), plainNames(columns), overriding, table(""))
	for _, k := range s.foreign {
		if k.Table == r.OID {
			line("ALTER TABLE %s ADD CONSTRAINT %s %s;", table("_new"), plainName(k.Name), k.Definition)
		}
	}
	for _, grant := range r.Grants {
		line(grant+";", table("_new"))
	}
	line("ANALYZE %s;", table("_new"))
	line("ALTER TABLE %s RENAME TO %s;", table(""), plainName(r.Name+"_old"))
	line("ALTER TABLE %s RENAME TO %s;", table("_new"), plainName(r.Name))
	line("COMMIT;")
	line("-- views, triggers, policies%s stay with %s: make them anew before you drop it", r.others(), table("_old"))
	if unfit := r.uniqueWithout(column); unfit != "" {
		return fmt.Sprintf("-- not possible as it stands: %s is unique, and each unique index of a partitioned table must hold the column that divides it\n%s", plainName(unfit), commented(b.String()))
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// literal is a string constant.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

func commented(sql string) string {
	return "-- " + strings.ReplaceAll(strings.TrimSuffix(sql, "\n"), "\n", "\n-- ")
}

// inserted are the columns that an INSERT may name, and what it must say to give identities.
func (r *relation) inserted() (columns []string, overriding string) {
	for _, c := range r.Columns {
		if c.Generated {
			continue
		}
		columns = append(columns, c.Name)
		if c.Identity {
			overriding = " OVERRIDING SYSTEM VALUE"
		}
	}
	return columns, overriding
}

// others tells of what else may hang on a table.
func (r *relation) others() string {
	s := ""
	if r.Referenced {
		s += ", other tables' foreign keys"
	}
	for _, leaf := range r.leaves() {
		for _, i := range leaf.Indexes {
			if i.Expression && i.Unique {
				return s + ", indexes that only its partitions have"
			}
		}
	}
	return s
}

// uniqueWithout is the name of a unique index that lacks the column, "" where there is none.
func (r *relation) uniqueWithout(column string) string {
	for _, i := range r.Indexes {
		if i.Unique && !slices.Contains(i.Columns, column) {
			return i.Name
		}
	}
	return ""
}
