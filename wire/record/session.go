package record

// session is what a Writer knows of a client: which text it means by the name of a prepared statement, since that decides what is hidden. In doubt about a name whatever
// either of two texts hides is hidden.
type session struct {
	names   map[string]*statement
	before  map[string]*statement // what the names that were given since the last settled moment stood for before: nil for nothing
	asked   uint64                // messages that are answered with ReadyForQuery
	settled uint64                // of them, those that were
}

// statement is a text that is in the file.
type statement struct {
	number int
	types  []uint32
	use    *use // what its parameters are for
}

func newSession() *session {
	return &session{names: map[string]*statement{}, before: map[string]*statement{}}
}

// give notes that the client gives a name to a statement.
func (s *session) give(name string, st *statement) {
	switch old, now := s.before[name], s.names[name]; {
	case old == nil:
		s.before[name] = now
	case now != nil:
		s.before[name] = either(old, now)
	}
	s.names[name] = st
}

// ready takes a ReadyForQuery. After an error the server may have refused or skipped a Parse, and the name then stands for what it stood for before.
func (s *session) ready(failed bool) {
	s.settled++
	if failed {
		for name, old := range s.before {
			if now := s.names[name]; old != nil && now != nil {
				s.names[name] = either(old, now)
			}
		}
	}
	if s.settled >= s.asked {
		clear(s.before)
	}
}

// either gives a statement of which nothing is known but that it is one of two.
func either(old, now *statement) *statement {
	return &statement{number: now.number, types: now.types, use: stricter(old.use, now.use)}
}

// stricter gives a use that hides what either hides.
func stricter(a, b *use) *use {
	if a == nil || b == nil {
		return nil
	}
	both := &use{secret: a.secret || b.secret, rules: map[int]rule{}}
	for _, u := range []*use{a, b} {
		for n, r := range u.rules {
			if r != a.rules[n] || r != b.rules[n] {
				r = rule{kind: hide}
			}
			both.rules[n] = r
		}
	}
	return both
}
