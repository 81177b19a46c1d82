package lex

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// Effect is a statement that changes what a session is, as far as a pooler keeps that for its client.
type Effect struct {
	// Kind: besides those that Classify gives Load, PrepareTransaction, CommitPrepared and RollbackPrepared. Begin, Commit and Rollback are here in every
	// form, whether a server would accept it or not.
	Kind Kind
	// Settings of Set, SetLocal and Reset: one, or with SET SESSION CHARACTERISTICS one for each of its modes, or none for what belongs to the running
	// transaction (SET TRANSACTION, SET transaction_isolation). With Unknown only the Name in them holds, and there may be none.
	Settings []Setting
	// Name of a savepoint, a channel (empty with UNLISTEN *) or a prepared statement, folded and cut as PostgreSQL does; of Discard what is discarded, in
	// small letters and as the tag has it.
	Name string
	// Chain: of a Commit or Rollback AND CHAIN, which begins the next transaction.
	Chain bool
	// Unknown: what the statement does, beyond its Kind, cannot be read. With a Name, that is what a UTF-8 database makes of it; in a database of another
	// encoding letters outside ASCII may have another case, and long names another length.
	Unknown bool

	start bool // of a Begin: START TRANSACTION
}

// Tag gives the tag of the CommandComplete with which the server answers when the statement succeeds. That of an EXECUTE is not known, and empty: it is the
// tag of the statement that was prepared. In a failed transaction COMMIT and PREPARE TRANSACTION answer ROLLBACK, the latter also where no transaction runs.
func (e Effect) Tag() string {
	switch e.Kind {
	case Set, SetLocal:
		return "SET"
	case Begin:
		if e.start {
			return "START TRANSACTION"
		}
	case RollbackTo:
		return "ROLLBACK"
	case Discard:
		return "DISCARD " + strings.ToUpper(e.Name)
	case Execute, Other, Empty:
		return ""
	}
	return e.Kind.String()
}

// Effects gives the statements of a text, which may hold many, that change what a pooler keeps for a session: SET and RESET, LISTEN and UNLISTEN, PREPARE,
// EXECUTE and DEALLOCATE, DISCARD, LOAD, and the beginnings and ends of transactions and savepoints; in their order, which is that of their tags. Other
// statements of the text have tags as well. ok is false when the text cannot be split into its statements for certain, as with a function whose body is
// BEGIN ATOMIC. Of a text that is no SQL nothing is carried out, whatever this says.
func Effects(sql []byte) (list []Effect, ok bool) {
	sql, _, _ = bytes.Cut(sql, []byte{0})
	s := scanner{b: sql}
	for {
		first := s.next()
		switch {
		case first.kind == end:
			return list, true
		case first.kind == broken:
			return nil, false
		case first.is(";"):
			continue
		}
		kind := effectKind(sql[first.at:], first)
		if kind == Other && bytes.IndexByte(sql[s.at:], ';') < 0 {
			return list, true
		}
		last, ok := s.statement(first)
		if !ok {
			return nil, false
		}
		if kind != Other {
			list = append(list, readEffect(kind, sql[first.at:last.at]))
		}
		if last.kind == end {
			return list, true
		}
	}
}

// statement reads to the end of the statement that begins with first, and gives the token that ends it.
func (s *scanner) statement(first token) (last token, ok bool) {
	create, depth := first.is("create"), 0 // the statements of a rule stand in parentheses
	if first.is("(") {
		depth++
	}
	for before := first; ; before = last {
		last = s.next()
		switch {
		case last.kind == broken, create && last.is("atomic") && before.is("begin"):
			return last, false
		case last.kind == end:
			return last, true
		case last.is("("):
			depth++
		case last.is(")"):
			depth--
		case last.is(";") && depth <= 0:
			return last, true
		}
	}
}

// effectKind gives the kind of a statement that begins with first; Other if it is none that Effects gives.
func effectKind(sql []byte, first token) Kind {
	if first.kind != word {
		return Other
	}
	s := scanner{b: sql}
	s.next()
	second := s.next()
	switch {
	case first.is("begin"), first.is("start"):
		return Begin
	case first.is("commit"), first.is("end"):
		if second.is("prepared") {
			return CommitPrepared
		}
		return Commit
	case first.is("abort"):
		return Rollback
	case first.is("rollback"):
		if second.is("prepared") {
			return RollbackPrepared
		}
		if second.is("work") || second.is("transaction") {
			second = s.next()
		}
		if second.is("to") {
			return RollbackTo
		}
		return Rollback
	case first.is("load"):
		return Load
	case first.is("prepare") && Classify(sql) == Other:
		return PrepareTransaction
	}
	return Classify(sql)
}

// readEffect reads one statement.
func readEffect(kind Kind, sql []byte) Effect {
	e := Effect{Kind: kind}
	s := scanner{b: sql}
	first := s.next()
	switch kind {
	case Begin:
		e.start = first.is("start")
	case Commit, Rollback:
		e.Chain = chain(&s)
	case Set, SetLocal, Reset:
		e.readSettings(sql)
	case Unlisten:
		at := s
		if !at.next().is("*") {
			e.readName(&s)
		}
	case Release, RollbackTo:
		for t := first; kind == RollbackTo && !t.is("to"); {
			t = s.next()
		}
		e.skip(&s, "savepoint")
		e.readName(&s)
	case Deallocate:
		e.skip(&s, "prepare")
		e.readName(&s)
	case Listen, Savepoint, Prepare, Execute:
		e.readName(&s)
	case Discard:
		if e.Name = strings.ToLower(string(s.next().text)); e.Name == "temporary" {
			e.Name = "temp"
		}
	}
	return e
}

// chain reads what follows COMMIT or ROLLBACK.
func chain(s *scanner) bool {
	t := s.next()
	if t.is("work") || t.is("transaction") {
		t = s.next()
	}
	return t.is("and") && s.next().is("chain")
}

// skip skips a word that may stand before a name, and may be the name itself.
func (e *Effect) skip(s *scanner, lower string) {
	at := *s
	if !at.next().is(lower) {
		return
	}
	after := at
	if t := after.next(); t.kind == word || t.kind == quoted {
		*s = at
	}
}

func (e *Effect) readName(s *scanner) {
	name, certain := s.next().identifier()
	if name == "u" && s.peek(0) == '&' && s.peek(1) == '"' { // with escapes, which are not read
		name, certain = "", false
	}
	e.Name, e.Unknown = name, !certain
}

// identifier gives the name that the token is, as a UTF-8 database folds and cuts it. certain tells whether every database does so.
func (t token) identifier() (name string, certain bool) {
	switch t.kind {
	case word:
		name = strings.Map(func(r rune) rune {
			if 'A' <= r && r <= 'Z' {
				return r + 'a' - 'A'
			}
			return r
		}, string(t.text))
	case quoted:
		name = strings.ReplaceAll(string(t.text), `""`, `"`)
	default:
		return "", false
	}
	plain := len(name) == strings.IndexFunc(name+"\x80", func(r rune) bool { return r >= 0x80 })
	certain = name != "" && utf8.ValidString(name) && (plain || t.kind == quoted && len(name) <= maxName)
	if len(name) > maxName {
		n := maxName
		for n > 0 && !utf8.RuneStart(name[n]) {
			n--
		}
		name = name[:n]
	}
	return name, certain
}
