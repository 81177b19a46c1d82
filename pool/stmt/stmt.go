// Package stmt keeps prepared statements virtual: a client's names are its own, and statements of the same text and parameter types are
// one statement, which each server prepares once under a name of ours. Nothing here does I/O; what a server really has is what its replies
// said, so a Server is told of every ParseComplete and every failure.
//
// Three tables: the Table of the process knows each text once and counts who refers to it; a Client maps its names; a Server holds what it has prepared,
// least recently used first out.
package stmt

import (
	"bytes"
	"strconv"
	"sync"
	"sync/atomic"

	"poolerd/wire/lex"
)

// Statement is one text with its parameter types, where the names in it mean one thing.
type Statement struct {
	Name    string // under which servers prepare it
	Tail    []byte // the body of a Parse behind its name: text, zero, parameter types; never changed
	Meaning string // what its names depend on: the search_path and the role, as the caller writes them; empty: the server's own
	Kind    lex.Kind
	Marks   lex.Marks
	Looks   bool // it looks into pg_prepared_statements or pg_listening_channels
	Firm    bool // its columns depend on the schema alone, not on what the session has: no FETCH, EXECUTE, SHOW
	refs    int  // guarded by the Table's lock
}

// Text is the statement's text.
func (s *Statement) Text() []byte {
	sql, _, _ := bytes.Cut(s.Tail, []byte{0})
	return sql
}

// Table knows every statement that a client or a server refers to. Safe for concurrent use.
type Table struct {
	mu        sync.Mutex
	byMeaning map[string]map[string]*Statement // then by Tail
	len       int
	next      uint64
}

// NewTable makes an empty Table.
func NewTable() *Table { return &Table{byMeaning: map[string]map[string]*Statement{}} }

// Intern finds or makes the statement of a Parse's body behind the name, and counts a reference. tail is copied if it is kept.
func (t *Table) Intern(tail []byte, meaning string) *Statement {
	t.mu.Lock()
	defer t.mu.Unlock()
	byText := t.byMeaning[meaning]
	if byText == nil {
		byText = map[string]*Statement{}
		t.byMeaning[meaning] = byText
	}
	s, ok := byText[string(tail)]
	if !ok {
		t.next++
		s = &Statement{Name: "poolerd_" + strconv.FormatUint(t.next, 36), Tail: bytes.Clone(tail), Meaning: meaning}
		s.Looks = bytes.Contains(s.Tail, []byte("pg_prepared_statements")) || bytes.Contains(s.Tail, []byte("pg_listening_channels"))
		s.Firm = lex.Query(s.Text())
		s.Kind, s.Marks = lex.Classify(s.Text()), lex.Mark(s.Text())
		byText[string(s.Tail)] = s
		t.len++
	}
	s.refs++
	return s
}

// Keep counts one more reference.
func (t *Table) Keep(s *Statement) {
	t.mu.Lock()
	s.refs++
	t.mu.Unlock()
}

// Drop takes back one reference to each statement; the last one forgets it.
func (t *Table) Drop(statements ...*Statement) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range statements {
		if s.refs--; s.refs == 0 {
			byText := t.byMeaning[s.Meaning]
			if delete(byText, string(s.Tail)); len(byText) == 0 {
				delete(t.byMeaning, s.Meaning)
			}
			t.len--
		}
	}
}

// Len is the number of statements known.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.len
}

// Shape stands for the types of a statement's parameters and columns; what is 0 is not known.
type Shape struct{ Parameters, Columns uint64 }

// Fits tells whether two shapes agree, as far as both are known.
func (s Shape) Fits(t Shape) bool {
	return (s.Parameters == 0 || t.Parameters == 0 || s.Parameters == t.Parameters) && (s.Columns == 0 || t.Columns == 0 || s.Columns == t.Columns)
}

// And gives the shape with what t knows put in.
func (s Shape) And(t Shape) Shape {
	if t.Parameters != 0 {
		s.Parameters = t.Parameters
	}
	if t.Columns != 0 {
		s.Columns = t.Columns
	}
	return s
}

// Named is what a client's name stands for.
type Named struct {
	*Statement
	Shape Shape  // what the client was told of it
	Epoch uint64 // the caller's, when that was
}

// Client maps a client's names to statements. It belongs to one goroutine.
type Client struct {
	table  *Table
	byName map[string]Named
	count  atomic.Int32 // of byName, for other goroutines
}

// NewClient makes an empty Client.
func (t *Table) NewClient() Client { return Client{table: t} }

// Lookup finds a name without allocating.
func (c *Client) Lookup(name []byte) (Named, bool) {
	n, ok := c.byName[string(name)]
	return n, ok
}

// Get is Lookup for the statement alone.
func (c *Client) Get(name []byte) (*Statement, bool) {
	n, ok := c.byName[string(name)]
	return n.Statement, ok
}

// Put gives a name, which must be free, to a statement, whose reference it takes over.
func (c *Client) Put(name string, s *Statement) {
	if c.byName == nil {
		c.byName = make(map[string]Named, 8)
	}
	c.byName[name] = Named{Statement: s}
	c.count.Store(int32(len(c.byName)))
}

// Replace gives a name, which must not be free, to another statement, whose reference it takes over. What the client was told stays.
func (c *Client) Replace(name string, s *Statement) {
	n := c.byName[name]
	c.table.Drop(n.Statement)
	n.Statement = s
	c.byName[name] = n
}

// Believe records what the client was told of a name; one that is free is left alone.
func (c *Client) Believe(name string, shape Shape, epoch uint64) {
	if n, ok := c.byName[name]; ok {
		n.Shape, n.Epoch = n.Shape.And(shape), epoch
		c.byName[name] = n
	}
}

// Delete forgets a name.
func (c *Client) Delete(name string) {
	if n, ok := c.byName[name]; ok {
		delete(c.byName, name)
		c.count.Store(int32(len(c.byName)))
		c.table.Drop(n.Statement)
	}
}

// Clear forgets every name.
func (c *Client) Clear() {
	all := make([]*Statement, 0, len(c.byName))
	for _, n := range c.byName {
		all = append(all, n.Statement)
	}
	clear(c.byName)
	c.count.Store(0)
	c.table.Drop(all...)
}

// Holds tells whether a name stands for a statement.
func (c *Client) Holds(st *Statement) bool {
	for _, n := range c.byName {
		if n.Statement == st {
			return true
		}
	}
	return false
}

// Len is the number of names.
func (c *Client) Len() int { return len(c.byName) }

// Count is Len for other goroutines than the client's own.
func (c *Client) Count() int { return int(c.count.Load()) }
