package stmt

import (
	"iter"
	"maps"
	"sync/atomic"
)

// Server holds the statements that one server has prepared, or will have when the messages under way are carried out. It belongs to whoever
// has the server.
type Server struct {
	table *Table
	max   int
	byKey map[*Statement]*entry
	root  entry // a ring: root.next is the most recently used
	round uint64
	count atomic.Int32 // of byKey, for other goroutines
}

type entry struct {
	statement  *Statement
	round      uint64
	shape      Shape
	prev, next *entry
}

// NewServer makes an empty Server.
func (t *Table) NewServer() *Server {
	s := &Server{table: t, byKey: map[*Statement]*entry{}}
	s.root.prev, s.root.next = &s.root, &s.root
	return s
}

// Checkout begins a new use of the server: from now on what was used before may be evicted, down to max statements.
func (s *Server) Checkout(max int) {
	s.round++
	s.max = max
}

// Has tells whether the server has prepared st, and counts as a use.
func (s *Server) Has(st *Statement) bool {
	_, ok := s.Find(st)
	return ok
}

// Find is Has, and gives the shape that the statement has there.
func (s *Server) Find(st *Statement) (Shape, bool) {
	e, ok := s.byKey[st]
	if !ok {
		return Shape{}, false
	}
	if s.root.next != e {
		e.unlink()
		e.linkAfter(&s.root)
	}
	e.round = s.round
	return e.shape, true
}

// Learn records the shape that st has on the server.
func (s *Server) Learn(st *Statement, shape Shape) {
	if e, ok := s.byKey[st]; ok {
		e.shape = e.shape.And(shape)
	}
}

// Add records that the server is told to prepare st, which it has not.
func (s *Server) Add(st *Statement) {
	s.table.Keep(st)
	e := &entry{statement: st, round: s.round}
	s.byKey[st] = e
	s.count.Store(int32(len(s.byKey)))
	e.linkAfter(&s.root)
}

// Evict forgets the statement used least recently when there are more than the limit, and gives it so that the server can be told to close it. A statement
// used since Checkout stays, since messages under way may name it.
func (s *Server) Evict() (*Statement, bool) {
	e := s.root.prev
	if len(s.byKey) <= s.max || e == &s.root || e.round == s.round {
		return nil, false
	}
	st := e.statement
	s.Remove(st)
	return st, true
}

// Remove records that the server does not have st.
func (s *Server) Remove(st *Statement) {
	if e, ok := s.byKey[st]; ok {
		e.unlink()
		delete(s.byKey, st)
		s.count.Store(int32(len(s.byKey)))
		s.table.Drop(st)
	}
}

// Clear records that the server has none: it was told DISCARD ALL or DEALLOCATE ALL, or it is gone.
func (s *Server) Clear() {
	all := make([]*Statement, 0, len(s.byKey))
	for st := range s.byKey {
		all = append(all, st)
	}
	clear(s.byKey)
	s.count.Store(0)
	s.root.prev, s.root.next = &s.root, &s.root
	s.table.Drop(all...)
}

// All gives the statements, in no order. They may be removed meanwhile.
func (s *Server) All() iter.Seq[*Statement] { return maps.Keys(s.byKey) }

// Len is the number of statements.
func (s *Server) Len() int { return len(s.byKey) }

// Count is Len for whoever does not have the server.
func (s *Server) Count() int { return int(s.count.Load()) }

func (e *entry) unlink() { e.prev.next, e.next.prev = e.next, e.prev }

func (e *entry) linkAfter(at *entry) {
	e.prev, e.next = at, at.next
	at.next.prev, at.next = e, e
}
