package workload

import "time"

// action is what a step does.
type action uint8

const (
	doSend       action = iota // a statement, and wait for its replies; inside a pipeline, put it with the others
	doCopyData                 // data for the COPY before, and its end
	doSet                      // a variable to an expression's value
	doPick                     // sets a variable to one of some words, each as likely
	doSleep                    // waits, before what comes next is sent
	doJumpUnless               // to another step, unless a condition holds
	doJump                     //
	doPipe                     // begins a pipeline
	doPipeSync                 // a Sync inside it
	doPipeEnd                  // its last Sync, and wait for all replies
)

// step is one thing of a transaction, in order. It is read only once made.
type step struct {
	do action
	at position // in the script; zero in what is built in

	statement int           // doSend: the transaction's number of it
	copyIn    bool          // doSend: the statement is a COPY FROM STDIN
	gset      bool          // doSend: the last row goes to variables
	prefix    string        // doSend, gset: what their names begin with
	data      []byte        // doCopyData: messages, with CopyDone
	slot      int           // doSet, doPick: the transaction's number of the variable; doSleep: likewise, or -1 for a fixed pause
	expr      *node         // doSet, doJumpUnless
	words     []string      // doPick
	pause     time.Duration // doSleep: the pause, or the unit of the variable
	target    int           // doJump, doJumpUnless
}

// program is what Transaction.steps refer to by number.
type program struct {
	source     string // the script's name in errors
	variables  []string
	statements []*statement
	abort      int // the statement that ends a failed transaction, or -1 for a simple ROLLBACK
}

// variable gives the number of a variable by its name.
func (p *program) variable(name string) int {
	for i, known := range p.variables {
		if known == name {
			return i
		}
	}
	p.variables = append(p.variables, name)
	return len(p.variables) - 1
}

// add gives the number of a statement.
func (p *program) add(s *statement) int {
	p.statements = append(p.statements, s)
	return len(p.statements) - 1
}
