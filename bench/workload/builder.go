package workload

// builder puts a transaction together.
type builder struct {
	program
	steps   []step
	expect  []string
	connect bool
}

func newBuilder(name string) *builder {
	return &builder{program: program{source: name, abort: -1}}
}

// transaction gives what was put together, under the name of its source.
func (b *builder) transaction(share float64) Transaction {
	return Transaction{Name: b.source, Share: share, Expect: b.expect, Connect: b.connect, steps: b.steps, program: b.program}
}

// alone is a workload of this transaction alone.
func (b *builder) alone(doc, role, setup string) *Workload {
	return &Workload{Name: b.source, Doc: doc, Transactions: []Transaction{b.transaction(1)}, Setup: setup, Role: role}
}

// step adds a step and gives its number.
func (b *builder) step(s step) int {
	b.steps = append(b.steps, s)
	return len(b.steps) - 1
}

// send adds a statement that is sent here.
func (b *builder) send(s *statement) {
	b.step(step{do: doSend, statement: b.add(s)})
}

// expression reads an expression that is built in.
func (b *builder) expression(text string) *node {
	n, err := parseExpression(&source{name: b.source, text: text}, 0, len(text), b.variable)
	if err != nil {
		panic("workload: a built-in expression is wrong: " + err.Error())
	}
	return n
}

// set sets a variable each time.
func (b *builder) set(name, expression string) {
	expr := b.expression(expression)
	b.step(step{do: doSet, slot: b.variable(name), expr: expr})
}

// pick sets a variable to one of some words.
func (b *builder) pick(name string, words ...string) {
	b.step(step{do: doPick, slot: b.variable(name), words: words})
}

// choose does one thing or another.
func (b *builder) choose(condition string, then, otherwise func()) {
	unless := b.step(step{do: doJumpUnless, expr: b.expression(condition)})
	then()
	jump := b.step(step{do: doJump})
	b.steps[unless].target = len(b.steps)
	otherwise()
	b.steps[jump].target = len(b.steps)
}
