package advice

import (
	"encoding/json"
	"fmt"
)

// plan is what EXPLAIN (FORMAT JSON) says. Times are milliseconds.
type plan struct {
	Root      *node   `json:"Plan"`
	QueryID   int64   `json:"Query Identifier"`
	Planning  float64 `json:"Planning Time"`
	Execution float64 `json:"Execution Time"`
	JIT       *struct {
		Timing struct {
			Total float64
		}
	}

	ran bool // figures are measured, not estimated
}

// node is one of a plan's nodes.
type node struct {
	Type     string  `json:"Node Type"`
	Relation string  `json:"Relation Name"`
	Schema   string  `json:"Schema"`
	Alias    string  `json:"Alias"`
	Index    string  `json:"Index Name"`
	Place    string  `json:"Parent Relationship"`
	Cost     float64 `json:"Total Cost"`
	Expected float64 `json:"Plan Rows"`

	Time     float64 `json:"Actual Total Time"` // of one loop
	Rows     float64 `json:"Actual Rows"`       // of one loop
	Loops    float64 `json:"Actual Loops"`
	Filtered float64 `json:"Rows Removed by Filter"` // of one loop, like the next two
	Unjoined float64 `json:"Rows Removed by Join Filter"`

	Filter     string `json:"Filter"`
	IndexCond  string `json:"Index Cond"`
	Recheck    string `json:"Recheck Cond"`
	HashCond   string `json:"Hash Cond"`
	MergeCond  string `json:"Merge Cond"`
	JoinFilter string `json:"Join Filter"`

	SubplansRemoved int      `json:"Subplans Removed"`
	SortKey         []string `json:"Sort Key"`
	SortSpace       float64  `json:"Sort Space Used"` // kB
	SortType        string   `json:"Sort Space Type"` // "Memory", "Disk"
	HashBatches     int      `json:"Hash Batches"`
	AggBatches      int      `json:"HashAgg Batches"`
	PeakMemory      float64  `json:"Peak Memory Usage"` // kB
	DiskUsage       float64  `json:"Disk Usage"`        // kB
	Workers         float64  `json:"Workers Launched"`

	Plans []*node

	processes float64 // that run it side by side
}

// parsePlan reads EXPLAIN's answer. The figures of a plan that was not run become its estimates, so that all plans are judged alike.
func parsePlan(text []byte, ran bool, rows func(schema, relation string) float64) (*plan, error) {
	var all []*plan
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("reading a plan: %w", err)
	}
	if len(all) != 1 || all[0] == nil || all[0].Root == nil {
		return nil, fmt.Errorf("reading a plan: EXPLAIN gave %d, not one", len(all))
	}
	p := all[0]
	p.ran = ran
	if !ran {
		p.Root.estimate(1, rows)
		p.Execution = p.Root.Cost
	}
	p.Root.share(1)
	return p, nil
}

// estimate fills a node's figures, and those below it, from what the planner expects.
func (n *node) estimate(loops float64, rows func(schema, relation string) float64) {
	n.Loops, n.Rows, n.Time = loops, n.Expected, n.Cost
	if n.Filter != "" && n.Type == "Seq Scan" {
		n.Filtered = max(0, rows(n.Schema, n.Relation)-n.Expected)
	}
	for i, child := range n.Plans {
		below := loops
		if n.Type == "Nested Loop" && i > 0 && child.Place == "Inner" {
			below = max(1, loops*n.Plans[0].Expected)
		}
		child.estimate(below, rows)
	}
}

// share tells each node how many processes share its loops.
func (n *node) share(processes float64) {
	n.processes = processes
	if n.Type == "Gather" || n.Type == "Gather Merge" {
		processes = 1 + n.Workers
	}
	for _, child := range n.Plans {
		child.share(processes)
	}
}

// total is the time in a node and below it.
func (n *node) total() float64 { return n.Time * n.Loops / n.processes }

// self is the time in a node alone.
func (n *node) self() float64 {
	t := n.total()
	for _, child := range n.Plans {
		t -= child.total()
	}
	return max(0, t)
}

// walk visits a node and all below it, each with the nodes above it, the nearest last.
func (n *node) walk(visit func(n *node, above []*node)) { n.walkBelow(nil, visit) }

func (n *node) walkBelow(above []*node, visit func(n *node, above []*node)) {
	visit(n, above)
	above = append(above[:len(above):len(above)], n)
	for _, child := range n.Plans {
		child.walkBelow(above, visit)
	}
}

// add and divide make the mean of several plans' times.
func (p *plan) add(o *plan) {
	p.Execution += o.Execution
	p.Planning += o.Planning
}

func (p *plan) divide(by float64) {
	if by > 0 {
		p.Execution /= by
		p.Planning /= by
	}
}

// writes is whether the statement changes rows.
func (p *plan) writes() bool {
	found := false
	p.Root.walk(func(n *node, _ []*node) { found = found || n.Type == "ModifyTable" })
	return found
}

// title is a node's line in a plan, masked.
func (n *node) title() string {
	s := n.Type
	if n.Index != "" {
		s += " using " + n.Index
	}
	if n.Relation != "" {
		s += " on " + n.Schema + "." + n.Relation
	}
	for _, condition := range []struct{ name, text string }{
		{"Index Cond", n.IndexCond}, {"Filter", n.Filter}, {"Hash Cond", n.HashCond}, {"Merge Cond", n.MergeCond}, {"Join Filter", n.JoinFilter},
	} {
		if condition.text != "" {
			s += ", " + condition.name + ": " + clip(Mask(condition.text))
		}
	}
	return s
}
