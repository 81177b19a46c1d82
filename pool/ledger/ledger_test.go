package ledger

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"poolerd/wire/lex"
)

func set(name string) lex.Setting { return lex.Setting{Name: name, Value: "1"} }

func names(list []lex.Setting) []string {
	var all []string
	for _, s := range list {
		all = append(all, s.Name)
	}
	return all
}

func TestSavepoints(t *testing.T) {
	var l Ledger
	l.Savepoint("a")
	if !l.Empty() {
		t.Error("a savepoint alone changes something")
	}
	l.Set(set("1"))
	l.Savepoint("b")
	l.Set(set("2"))
	l.Savepoint("a") // hides the first
	l.Set(set("3"))
	if !l.RollbackTo("a") || !slices.Equal(names(l.Settings()), []string{"1", "2"}) {
		t.Errorf("back to the inner savepoint: %v", names(l.Settings()))
	}
	l.Set(set("4"))
	if !l.Release("b") || !slices.Equal(names(l.Settings()), []string{"1", "2", "4"}) {
		t.Errorf("released: %v", names(l.Settings()))
	}
	if l.RollbackTo("b") || l.Release("b") {
		t.Error("a savepoint that was released is still there")
	}
	if !l.RollbackTo("a") || !l.Empty() {
		t.Errorf("back to the outer savepoint: %v", names(l.Settings()))
	}
}

func TestChannels(t *testing.T) {
	var l Ledger
	l.Listen("a")
	l.Savepoint("s")
	l.Unlisten("")
	l.RollbackTo("s")
	l.Unlisten("b")
	want := []Channel{{"a", true}, {"b", false}}
	if got := l.Channels(); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	l.Clear()
	if !l.Empty() || l.Channels() != nil {
		t.Error("not empty after Clear")
	}
}

// model is the same as PostgreSQL has it: a stack of subtransactions.
type model struct{ frames []frame }

type frame struct {
	name string
	sets []string
}

func (m *model) top() *frame { return &m.frames[len(m.frames)-1] }

func (m *model) find(name string) int {
	for i := len(m.frames) - 1; i > 0; i-- {
		if m.frames[i].name == name {
			return i
		}
	}
	return 0
}

func (m *model) all() []string {
	var all []string
	for _, f := range m.frames {
		all = append(all, f.sets...)
	}
	return all
}

func TestAsSubtransactions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var l Ledger
		m := model{frames: []frame{{}}}
		name := rapid.SampledFrom([]string{"a", "b", "c"})
		n := 0
		t.Repeat(map[string]func(*rapid.T){
			"set": func(*rapid.T) {
				n++
				l.Set(set(fmt.Sprint(n)))
				m.top().sets = append(m.top().sets, fmt.Sprint(n))
			},
			"savepoint": func(t *rapid.T) {
				s := name.Draw(t, "name")
				l.Savepoint(s)
				m.frames = append(m.frames, frame{name: s})
			},
			"release": func(t *rapid.T) {
				s := name.Draw(t, "name")
				at := m.find(s)
				if l.Release(s) != (at > 0) {
					t.Fatalf("release %s", s)
				}
				if at > 0 {
					for _, f := range m.frames[at:] {
						m.frames[at-1].sets = append(m.frames[at-1].sets, f.sets...)
					}
					m.frames = m.frames[:at]
				}
			},
			"rollback to": func(t *rapid.T) {
				s := name.Draw(t, "name")
				at := m.find(s)
				if l.RollbackTo(s) != (at > 0) {
					t.Fatalf("rollback to %s", s)
				}
				if at > 0 {
					m.frames = append(m.frames[:at], frame{name: s})
				}
			},
			"": func(t *rapid.T) {
				if got, want := names(l.Settings()), m.all(); !slices.Equal(got, want) || l.Empty() != (len(want) == 0) {
					t.Fatalf("got %v, want %v", got, want)
				}
			},
		})
	})
}
