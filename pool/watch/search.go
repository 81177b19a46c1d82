package watch

import (
	"slices"
)

// Search finds the names to watch. It is a conversation: Query gives what to ask next, and Add takes the answer.
type Search struct {
	nodes map[string]*node // by kind and OID
	asked bool             // the first question
	found *Functions
}

// node is a function or a relation that was found, dangerous or not.
type node struct {
	relation bool
	oid      string
	name     string
	own      does
	body     []byte // for what it calls by name
	edges    []edge
	is       access // a function's is read
	asked    bool   // for what leads to it
}

// edge says that who uses the node gets to another, from.
type edge struct {
	from string
	how  string // r, w, b or s: see query.go
}

// NewSearch begins a search.
func NewSearch() *Search { return &Search{nodes: map[string]*node{}, found: newFunctions()} }

// batch is how many names are asked for in one query.
const batch = 200

// Query gives the SQL to ask the database next, one statement; empty when the search is over. It may be called again before Add.
func (s *Search) Query() string {
	if !s.asked {
		return first()
	}
	var functions, relations, names []string
	for _, n := range s.dangerous() {
		if n.asked || len(names) == batch {
			continue
		}
		if n.relation {
			relations = append(relations, n.oid)
		} else {
			functions = append(functions, n.oid)
		}
		names = append(names, pattern(n.name))
	}
	if len(names) == 0 {
		return ""
	}
	slices.Sort(names)
	return next(functions, relations, slices.Compact(names))
}

// dangerous gives what leads to something, in a fixed order.
func (s *Search) dangerous() (list []*node) {
	for _, n := range s.nodes {
		if !n.is.none() {
			list = append(list, n)
		}
	}
	slices.SortFunc(list, func(a, b *node) int {
		switch {
		case a.oid != b.oid && len(a.oid) != len(b.oid):
			return len(a.oid) - len(b.oid)
		case a.oid < b.oid, a.oid == b.oid && !a.relation && b.relation:
			return -1
		}
		return 1
	})
	return list
}

// Add takes the rows that Query's SQL gave, each of seven columns in text format; nil is NULL. Rows of another form are passed over.
func (s *Search) Add(rows [][][]byte) {
	if !s.asked {
		s.asked = true
	} else {
		left := batch
		for _, n := range s.dangerous() {
			if !n.asked && left > 0 {
				n.asked = true
				left--
			}
		}
	}
	for _, row := range rows {
		if len(row) == 7 {
			s.add(row)
		}
	}
	s.settle()
}

func (s *Search) add(row [][]byte) {
	kind, oid, name, how, from, source := string(row[0]), string(row[1]), string(row[3]), string(row[4]), string(row[5]), row[6]
	n := s.nodes[kind+oid]
	if n == nil {
		n = &node{relation: kind == "r", oid: oid, name: name}
		s.nodes[kind+oid] = n
	}
	if e := (edge{from, how}); from != "" && from != kind+oid && !slices.Contains(n.edges, e) {
		n.edges = append(n.edges, e)
	}
	switch {
	case source == nil:
	case n.relation: // it may come once for each of its expressions
		n.own = n.own.with(own(string(source)))
	case n.body == nil:
		n.own, n.body = own(string(source)), source
	}
}

// settle works out what each node leads to, until nothing changes. Marks are only ever added, so that it ends.
func (s *Search) settle() {
	for changed := true; changed; {
		changed = false
		s.found = newFunctions()
		for _, n := range s.nodes {
			if n.relation {
				s.found.addRelation(n.name, n.is)
			} else {
				s.found.addFunction(n.name, n.is.read)
			}
		}
		for _, n := range s.nodes {
			if is := s.leads(n); !is.read.equal(n.is.read) || !is.write.equal(n.is.write) {
				n.is, changed = is, true
			}
		}
	}
}

func (s *Search) leads(n *node) access {
	is := access{read: n.is.read.with(n.own), write: n.is.write}
	if n.relation {
		is.write = is.write.with(n.own)
	}
	if len(n.body) > 0 {
		is.read = is.read.with(s.found.look(n.body))
	}
	for _, e := range n.edges {
		from := s.nodes[e.from]
		if from == nil {
			continue
		}
		switch {
		case !n.relation: // of a relation that a function uses it is not known how
			is.read = is.read.with(from.is.read).with(from.is.write)
		case e.how == "s":
			is.read, is.write = is.read.with(from.is.read), is.write.with(from.is.write)
		default:
			if e.how != "w" {
				is.read = is.read.with(from.is.read)
			}
			if e.how != "r" {
				is.write = is.write.with(from.is.read)
			}
		}
	}
	return is
}

// Functions gives the names found so far: all of them once Query gives nothing more.
func (s *Search) Functions() *Functions { return s.found }
