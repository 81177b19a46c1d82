package advice

import (
	"slices"
	"strings"
)

// lookup is a place in a plan where rows were read to be thrown away, and an index could have found the others.
type lookup struct {
	work   *work
	plan   *plan
	node   *node
	leaf   *relation // that was read
	root   *relation // the whole table
	method string    // of the index: "btree", "gin", "gist", "trigram"
	keys   []string  // of the index, the most telling first: plain column names, or one expression
	isExpr bool      // the key is an expression
	read   float64   // rows, of all loops
	kept   float64
	saved  float64 // milliseconds a call
}

const (
	// fewRows is how many must be thrown away before an index can be worth it: fewer lie on a page or two.
	fewRows = 100
	// keptPart is the part of the rows read up to which an index is better than reading all.
	keptPart = 0.1
)

// lookups finds them in a plan.
func (s *schema) lookups(w *work, p planned) (all []*lookup) {
	p.Root.walk(func(n *node, _ []*node) {
		found := s.joined(n)
		if l := s.filtered(n); l != nil {
			found = append(found, l)
		}
		for _, l := range found {
			if l.isExpr && p.call.holds(l.keys[0]) {
				continue
			}
			l.work, l.plan = w, p.plan
			all = append(all, l)
		}
	})
	return all
}

// filtered is a scan whose filter throws nearly all rows away.
func (s *schema) filtered(n *node) *lookup {
	leaf := s.byName[n.Schema+"."+n.Relation]
	if leaf == nil || n.Filter == "" || n.Loops == 0 {
		return nil
	}
	thrown, kept := n.Filtered*n.Loops, n.Rows*n.Loops
	if n.Filtered < fewRows || kept > keptPart*(thrown+kept) {
		return nil
	}
	conditions := terms(n.Filter, n.Alias)
	if n.Type != "Seq Scan" {
		// An index was used already: one that knows all conditions finds fewer rows.
		conditions = append(terms(n.IndexCond, n.Alias), conditions...)
	}
	l := s.indexFor(leaf, conditions)
	if l == nil {
		return nil
	}
	l.node, l.read, l.kept = n, thrown+kept, kept
	l.saved = n.self() * thrown / (thrown + kept)
	return l
}

// joined are scans below a join that are read whole, for a join that keeps few of their rows.
func (s *schema) joined(join *node) (all []*lookup) {
	condition := join.HashCond + join.MergeCond
	if condition == "" {
		condition = join.JoinFilter
	}
	if condition == "" || len(join.Plans) < 2 {
		return nil
	}
	result := join.Rows * join.Loops
	for i, side := range join.Plans[:2] {
		partner := join.Plans[1-i]
		asked := partner.Rows * max(1, partner.Loops)
		for _, n := range scansOf(side) {
			leaf := s.byName[n.Schema+"."+n.Relation]
			read := (n.Rows + n.Filtered) * n.Loops
			if leaf == nil || n.Loops == 0 || read < fewRows || result > keptPart*read || asked > keptPart*read {
				continue
			}
			conditions := terms(condition, n.Alias)
			if len(conditions) == 0 {
				conditions = terms(condition, parentAlias(n.Alias))
			}
			if l := s.indexFor(leaf, conditions); l != nil && l.method == "btree" {
				l.node, l.read, l.kept = n, read, min(result, read)
				l.saved = n.self() * (read - l.kept) / read
				all = append(all, l)
			}
		}
	}
	return all
}

// scansOf are the scans of whole tables, or of whole indexes, whose rows reach a join's side as they are.
func scansOf(n *node) (all []*node) {
	switch n.Type {
	case "Seq Scan":
		return []*node{n}
	case "Index Scan", "Index Only Scan":
		if n.IndexCond == "" {
			return []*node{n}
		}
	case "Hash", "Sort", "Materialize", "Append", "Gather", "Gather Merge", "Incremental Sort":
		for _, child := range n.Plans {
			all = append(all, scansOf(child)...)
		}
	}
	return all
}

// parentAlias is the alias of the whole table whose partition is called alias: d of d_1.
func parentAlias(alias string) string {
	at := strings.LastIndexByte(alias, '_')
	if at <= 0 || strings.Trim(alias[at+1:], "0123456789") != "" {
		return ""
	}
	return alias[:at]
}

// indexFor is the index that conditions on a relation ask for; nil where there is one (the planner knew what it did), or where none would help.
func (s *schema) indexFor(leaf *relation, conditions []term) *lookup {
	l := &lookup{leaf: leaf, root: s.root(leaf), method: "btree"}
	var equal, ranged []string
	for _, t := range conditions {
		column := t.column
		if strings.HasSuffix(t.expr, "::text") && !isText(leaf.typeOf(column)) {
			column = "" // an index on the column does not help a comparison of its text
		}
		if column != "" && leaf.typeOf(column) == "" {
			continue
		}
		switch t.operator {
		case "=", "= ANY":
			if column == "" {
				return l.on(t.expr, "", "btree")
			}
			if !slices.Contains(equal, column) {
				equal = append(equal, column)
			}
		case "<", ">", "<=", ">=":
			if column != "" && !slices.Contains(ranged, column) {
				ranged = append(ranged, column)
			}
		}
	}
	if len(equal) == 0 && len(ranged) == 0 {
		return s.otherFor(l, conditions)
	}
	// The column that tells most rows apart comes first: such an index serves most other statements too.
	distinct := func(column string) float64 { return max(l.root.Distinct[column], leaf.Distinct[column]) }
	slices.SortStableFunc(equal, func(a, b string) int { return int(min(1e9, distinct(b))) - int(min(1e9, distinct(a))) })
	l.keys = equal[:min(2, len(equal))]
	if len(equal) < 2 && len(ranged) > 0 {
		l.keys = append(slices.Clone(l.keys), ranged[0])
	}
	if len(equal) > 0 && slices.ContainsFunc(equal, leaf.led) || leaf.led(l.keys[0]) || leaf.covers(l.keys) {
		return nil
	}
	return l
}

// on is the index with one key: a column, or else an expression; nil where that cannot be, or where there is one, which the planner did not want.
func (l *lookup) on(expr, column, method string) *lookup {
	l.method, l.isExpr, l.keys = method, column == "", []string{column}
	if l.isExpr {
		l.keys[0] = expr
	}
	// A parameter or a subplan cannot be in an index.
	if strings.Contains(expr, "$") || strings.Contains(expr, "SubPlan") {
		return nil
	}
	for _, i := range l.leaf.Indexes {
		if i.Method == method && slices.Contains(i.Columns, l.keys[0]) {
			return nil
		}
	}
	return l
}

// otherFor is an index of another kind than B-tree: for words, for what arrays and documents hold, for patterns.
func (s *schema) otherFor(l *lookup, conditions []term) *lookup {
	for _, t := range conditions {
		kind := l.leaf.typeOf(t.column)
		switch t.operator {
		case "@@":
			return l.on(t.expr, t.column, "gin")
		case "@>", "<@", "&&", "?", "?|", "?&":
			if strings.HasSuffix(kind, "range") {
				return l.on(t.expr, t.column, "gist")
			}
			if kind == "jsonb" || strings.HasSuffix(kind, "[]") {
				return l.on(t.expr, t.column, "gin")
			}
		}
	}
	for _, t := range conditions {
		if (t.operator == "~~" || t.operator == "~~*") && t.column != "" && isText(l.leaf.typeOf(t.column)) {
			for _, i := range l.leaf.Indexes {
				if (i.Method == "gin" || i.Method == "gist") && strings.Contains(i.Definition, "trgm") && slices.Contains(i.Columns, t.column) {
					return nil
				}
			}
			l.method, l.keys = "trigram", []string{t.column}
			return l
		}
	}
	return nil
}

func isText(kind string) bool {
	return kind == "text" || kind == "name" || strings.HasPrefix(kind, "character") || strings.HasPrefix(kind, "bpchar")
}
