// Package ledger keeps what a transaction did to its session until it is known whether that holds: SET and LISTEN count at COMMIT, and ROLLBACK and
// ROLLBACK TO SAVEPOINT take them back (PostgreSQL's documentation, "SET", "LISTEN", "SAVEPOINT"). It is pure, and told of a statement when the server
// has carried it out.
package ledger

import (
	"slices"

	"poolerd/wire/lex"
)

// Ledger is one client's. The zero value is empty.
type Ledger struct {
	entries []entry
	changes int // of entries, those that are no savepoints
}

type entry struct {
	kind    kind
	setting lex.Setting
	name    string // of a savepoint or a channel
}

type kind uint8

const (
	savepoint kind = iota
	setting
	listen
	unlisten
)

// Channel is a LISTEN that holds, or an UNLISTEN.
type Channel struct {
	Name   string // empty with UNLISTEN *
	Listen bool
}

// Empty tells whether nothing was changed; savepoints alone are nothing.
func (l *Ledger) Empty() bool { return l.changes == 0 }

// Set notes SETs and RESETs.
func (l *Ledger) Set(list ...lex.Setting) {
	for _, s := range list {
		l.add(entry{kind: setting, setting: s})
	}
}

// Listen notes LISTEN name.
func (l *Ledger) Listen(name string) { l.add(entry{kind: listen, name: name}) }

// Unlisten notes UNLISTEN name, of every channel with an empty name.
func (l *Ledger) Unlisten(name string) { l.add(entry{kind: unlisten, name: name}) }

func (l *Ledger) add(e entry) {
	l.entries = append(l.entries, e)
	l.changes++
}

// Savepoint notes SAVEPOINT name.
func (l *Ledger) Savepoint(name string) {
	l.entries = append(l.entries, entry{kind: savepoint, name: name})
}

// Release notes RELEASE name: it and what was set behind it goes, the changes stay. It reports false when no such savepoint is known.
func (l *Ledger) Release(name string) bool {
	at, ok := l.find(name)
	if !ok {
		return false
	}
	l.entries = slices.Concat(l.entries[:at], slices.DeleteFunc(l.entries[at:], func(e entry) bool { return e.kind == savepoint }))
	return true
}

// RollbackTo notes ROLLBACK TO name: what came behind it is undone, the savepoint itself stays. It reports false when no such savepoint is known.
func (l *Ledger) RollbackTo(name string) bool {
	at, ok := l.find(name)
	if !ok {
		return false
	}
	for _, e := range l.entries[at+1:] {
		if e.kind != savepoint {
			l.changes--
		}
	}
	l.entries = l.entries[:at+1]
	return true
}

// find gives the last savepoint of a name, which hides earlier ones.
func (l *Ledger) find(name string) (int, bool) {
	for i := len(l.entries) - 1; i >= 0; i-- {
		if e := l.entries[i]; e.kind == savepoint && e.name == name {
			return i, true
		}
	}
	return 0, false
}

// Settings gives the SETs and RESETs that stand so far, SET LOCAL among them, in their order.
func (l *Ledger) Settings() []lex.Setting {
	if l.changes == 0 {
		return nil
	}
	var list []lex.Setting
	for _, e := range l.entries {
		if e.kind == setting {
			list = append(list, e.setting)
		}
	}
	return list
}

// Channels gives the LISTENs and UNLISTENs that stand so far, in their order.
func (l *Ledger) Channels() []Channel {
	if l.changes == 0 {
		return nil
	}
	var list []Channel
	for _, e := range l.entries {
		if e.kind == listen || e.kind == unlisten {
			list = append(list, Channel{Name: e.name, Listen: e.kind == listen})
		}
	}
	return list
}

// Clear ends the transaction: after COMMIT take what stands first.
func (l *Ledger) Clear() {
	clear(l.entries)
	if cap(l.entries) > 256 {
		l.entries = nil
	}
	l.entries, l.changes = l.entries[:0], 0
}
