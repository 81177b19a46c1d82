// Package lex reads the leading keywords of an SQL statement. It is not a parser and never becomes one: it knows for certain a few short statements
// that it reads from end to end (BEGIN, COMMIT, ROLLBACK, SET, RESET, DEALLOCATE, LISTEN), and of everything else only how it begins, and which of some words
// are in it.
//
// Classify tells what a text is, strictly: what it decides is answered without a server. Effects gives every statement of a text that changes its session.
// Mark tells in a nanosecond a byte what a text may leave behind on its server, and errs on the side of telling too much.
//
// Texts are as clients send them, in whatever encoding. They end at their first zero byte, so that the body of a Query may be given as it is; behind it
// nothing is looked at. Where a text's meaning depends on the server's version or settings, the answer is the careful one that each function names.
package lex

import "fmt"

// Kind is what a text begins with.
type Kind uint8

// The kinds of statements.
const (
	Other         Kind = iota
	Empty              // whitespace, comments and semicolons only
	Begin              // the whole text is a BEGIN or START TRANSACTION that a server outside a transaction accepts
	Commit             // the whole text is a plain COMMIT or END
	Rollback           // the whole text is a plain ROLLBACK or ABORT
	Set                // SET [SESSION] of a parameter, SET SESSION CHARACTERISTICS
	SetLocal           // SET LOCAL, SET TRANSACTION: over with the transaction
	Reset              // RESET
	Listen             // LISTEN
	Unlisten           // UNLISTEN
	Deallocate         // DEALLOCATE of one name
	DeallocateAll      // DEALLOCATE ALL
	DiscardAll         // DISCARD ALL
	Discard            // DISCARD of anything else
	Prepare            // PREPARE, but not PREPARE TRANSACTION
	Execute            // EXECUTE
	Savepoint          // SAVEPOINT
	RollbackTo         // ROLLBACK TO SAVEPOINT
	Release            // RELEASE SAVEPOINT

	// Of these Classify gives none, only Effects.
	Load
	PrepareTransaction
	CommitPrepared
	RollbackPrepared
)

func (k Kind) String() string {
	names := [...]string{
		"other", "empty", "BEGIN", "COMMIT", "ROLLBACK", "SET", "SET LOCAL", "RESET", "LISTEN", "UNLISTEN", "DEALLOCATE", "DEALLOCATE ALL",
		"DISCARD ALL", "DISCARD", "PREPARE", "EXECUTE", "SAVEPOINT", "ROLLBACK TO", "RELEASE",
		"LOAD", "PREPARE TRANSACTION", "COMMIT PREPARED", "ROLLBACK PREPARED",
	}
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// Classify tells what sql begins with, without allocating. Except for Empty, Begin, Commit and Rollback it looks at the first statement only, and that
// need not be one that a server accepts.
func Classify(sql []byte) Kind {
	s := scanner{b: sql}
	first := s.next()
	for first.is(";") {
		first = s.next()
	}
	if first.kind == end && !s.odd {
		return Empty
	}
	if first.kind != word {
		return Other
	}
	switch first.text[0] | 0x20 {
	case 's':
		return classifyS(&s, first)
	case 'b':
		if first.is("begin") && begin(&s) {
			return Begin
		}
	case 'c':
		if first.is("commit") && completion(&s) {
			return Commit
		}
	case 'e':
		switch {
		case first.is("execute"):
			return Execute
		case first.is("end") && completion(&s):
			return Commit
		}
	case 'a':
		if first.is("abort") && completion(&s) {
			return Rollback
		}
	case 'r':
		switch {
		case first.is("rollback"):
			return rollback(&s)
		case first.is("reset"):
			return Reset
		case first.is("release"):
			return Release
		}
	case 'l':
		if first.is("listen") {
			return Listen
		}
	case 'u':
		if first.is("unlisten") {
			return Unlisten
		}
	case 'd':
		return classifyD(&s, first)
	case 'p':
		if first.is("prepare") {
			return prepare(&s)
		}
	}
	return Other
}

func classifyS(s *scanner, first token) Kind {
	switch {
	case first.is("set"):
		return classifySet(s)
	case first.is("start"):
		if s.next().is("transaction") && modes(s) {
			return Begin
		}
	case first.is("savepoint"):
		return Savepoint
	}
	return Other
}

func classifyD(s *scanner, first token) Kind {
	switch {
	case first.is("discard"):
		if s.next().is("all") {
			return DiscardAll
		}
		return Discard
	case first.is("deallocate"):
		t := s.next()
		if t.is("prepare") {
			t = s.next()
		}
		if t.is("all") {
			return DeallocateAll
		}
		return Deallocate
	}
	return Other
}

func classifySet(s *scanner) Kind {
	t := s.next()
	if s.assigns() {
		return Set // a parameter that only looks like a keyword: SET local.x = 1
	}
	switch {
	case t.is("local"), t.is("transaction"):
		return SetLocal
	case t.is("constraints"):
		return Other
	}
	return Set
}

// assigns tells whether what was read last is the name, or a part of it, of a parameter that is set.
func (s *scanner) assigns() bool {
	after := *s
	t := after.next()
	return t.is("=") || t.is("to") || t.is(".")
}

// prepare: a statement may bear the name transaction, and then AS or the types of its parameters follow.
func prepare(s *scanner) Kind {
	if s.next().is("transaction") {
		if t := s.next(); !t.is("as") && !t.is("(") {
			return Other
		}
	}
	return Prepare
}
