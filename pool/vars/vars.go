// Package vars knows the session parameters (SET, the startup packet, PostgreSQL's documentation "Server Configuration: Setting
// Parameters") that a client runs with, and the statements that bring a server from one client's to another's.
//
// A Set never changes and equal Sets are one pointer, so that on the data path "does this server have this client's parameters" is one comparison.
// A server begins with the empty Set: what its role and database give it. Nothing here does I/O.
package vars

import (
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"weak"
)

// Item is one parameter that differs from the server's default.
type Item struct {
	Name  string // lower case
	Value string
	Raw   bool // Value is SQL, as written behind SET name TO; else it is the plain value, as in a startup packet
}

// Reported is a parameter as a server reports it by ParameterStatus.
type Reported struct{ Name, Value string }

// Set is what a client has set. Get one from a Space.
type Set struct {
	space   *Space
	items   []Item // by name
	meaning string

	mu       sync.Mutex
	reported []Reported // what a server with this Set reports; nil: no server has had it yet
	epoch    uint64     // the Space's when that was learned
}

// Space interns Sets: those that hold for servers of one pool. Safe for concurrent use.
type Space struct {
	epoch atomic.Uint64 // grows when what servers report may have changed
	mu    sync.Mutex
	sets  map[string]weak.Pointer[Set]
	empty *Set
}

// NewSpace makes a Space with the empty Set.
func NewSpace() *Space {
	s := &Space{sets: map[string]weak.Pointer[Set]{}}
	s.empty = s.intern(nil)
	return s
}

// Empty is the Set of a server that was just started.
func (s *Space) Empty() *Set { return s.empty }

// Forget forgets what servers report: their defaults have changed.
func (s *Space) Forget() { s.epoch.Add(1) }

func key(items []Item) string {
	var b strings.Builder
	for _, i := range items {
		b.WriteString(i.Name)
		b.WriteByte(0)
		if i.Raw {
			b.WriteByte(1)
		}
		b.WriteString(i.Value)
		b.WriteByte(0)
	}
	return b.String()
}

func (s *Space) intern(items []Item) *Set {
	k := key(items)
	s.mu.Lock()
	defer s.mu.Unlock()
	if set := s.sets[k].Value(); set != nil {
		return set
	}
	set := &Set{space: s, items: items, meaning: meaning(items)}
	s.sets[k] = weak.Make(set)
	runtime.AddCleanup(set, s.forget, k)
	return set
}

func (s *Space) forget(k string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, ok := s.sets[k]; ok && p.Value() == nil {
		delete(s.sets, k)
	}
}

// With gives the Set with one item set.
func (s *Set) With(item Item) *Set {
	at, found := s.find(item.Name)
	items := slices.Clone(s.items)
	if found {
		if items[at] == item {
			return s
		}
		items[at] = item
	} else {
		items = slices.Insert(items, at, item)
	}
	return s.space.intern(items)
}

// Without gives the Set with a name set as in base: to its value there, or to the server's default. An empty name means every name but those
// that RESET ALL leaves alone.
func (s *Set) Without(name string, base *Set) *Set {
	if name == "" {
		all := base
		for _, i := range s.items {
			if identity(i.Name) {
				all = all.With(i)
			}
		}
		return all
	}
	if at, ok := base.find(name); ok {
		return s.With(base.items[at])
	}
	at, found := s.find(name)
	if !found {
		return s
	}
	return s.space.intern(slices.Delete(slices.Clone(s.items), at, at+1))
}

func (s *Set) find(name string) (int, bool) {
	return slices.BinarySearchFunc(s.items, name, func(i Item, n string) int { return strings.Compare(i.Name, n) })
}

// Get finds an item.
func (s *Set) Get(name string) (Item, bool) {
	at, ok := s.find(name)
	if !ok {
		return Item{}, false
	}
	return s.items[at], true
}

// item is the zero Item where there is none.
func (s *Set) item(name string) Item {
	i, _ := s.Get(name)
	return i
}

// Meaning is a text that is the same for Sets under which a text means the same when it is parsed: names of tables and functions, and constants, which get their value then.
// Empty for a server's own.
func (s *Set) Meaning() string { return s.meaning }

func meaning(items []Item) string {
	var named []Item
	for _, i := range items {
		if Decides(i.Name) {
			named = append(named, i)
		}
	}
	if len(named) == 0 {
		return ""
	}
	return key(named)
}

// Decides tells whether a parameter decides what a text means when it is parsed; RESET ALL, with an empty name, does.
func Decides(name string) bool {
	switch name {
	case "", "search_path", "role", "session_authorization", // names
		"datestyle", "timezone", "intervalstyle", "lc_monetary", "array_nulls", "xmloption", // constants
		"standard_conforming_strings", "backslash_quote", "transform_null_equals":
		return true
	}
	return false
}

// Names gives the names of the items, in order.
func (s *Set) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, i := range s.items {
			if !yield(i.Name) {
				return
			}
		}
	}
}

// Len is the number of items.
func (s *Set) Len() int { return len(s.items) }

// Learn records what a server with this Set reports, and so that the Set is one that servers accept. The first report counts.
func (s *Set) Learn(all []Reported) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if epoch := s.space.epoch.Load(); s.reported == nil || s.epoch != epoch {
		s.reported, s.epoch = slices.Clone(all), epoch
	}
}

// Reported gives what a server with this Set reports; ok is false until one has had it. A client's application name, which every server
// accepts, never needs a server of its own.
func (s *Set) Reported() (all []Reported, ok bool) {
	s.mu.Lock()
	if s.epoch == s.space.epoch.Load() {
		all = s.reported
	}
	s.mu.Unlock()
	if all != nil {
		return all, true
	}
	name, ok := s.Get("application_name")
	if !ok || name.Raw || !plain(name.Value) {
		return nil, false
	}
	if all, ok = s.Without("application_name", s.space.empty).Reported(); !ok {
		return nil, false
	}
	all = slices.Clone(all)
	for i := range all {
		if all[i].Name == "application_name" {
			all[i].Value = name.Value
		}
	}
	s.Learn(all)
	return all, true
}

// plain: printable ASCII that no server changes; longer names are cut by the server.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return len(s) < 64
}
