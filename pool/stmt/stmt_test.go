package stmt

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"poolerd/wire"
)

func TestTable(t *testing.T) {
	table := NewTable()
	a := table.Intern(wire.ParseTail("select 1"), "")
	if b := table.Intern(wire.ParseTail("select 1"), ""); a != b {
		t.Error("the same text is two statements")
	}
	if b := table.Intern(wire.ParseTail("select 1", 23), ""); a == b || a.Name == b.Name {
		t.Error("other parameter types are the same statement")
	} else {
		table.Drop(b)
	}
	if b := table.Intern(wire.ParseTail("select 1"), "search_path=a"); a == b || a.Name == b.Name {
		t.Error("another search_path is the same statement")
	} else {
		table.Drop(b)
	}
	if got := string(a.Text()); got != "select 1" {
		t.Errorf("text %q", got)
	}
	table.Drop(a, a)
	if n := table.Len(); n != 0 {
		t.Errorf("%d statements left", n)
	}
}

func TestClient(t *testing.T) {
	table := NewTable()
	c := table.NewClient()
	if _, ok := c.Get([]byte("0")); ok {
		t.Error("a name that nobody gave")
	}
	st := table.Intern(wire.ParseTail("select 1"), "")
	c.Put("0", st)
	if got, ok := c.Get([]byte("0")); !ok || got != st {
		t.Error("the name is lost")
	}
	c.Delete("0")
	c.Delete("0")
	if table.Len() != 0 || c.Len() != 0 {
		t.Error("the statement outlives its name")
	}
}

// TestServerEvicts: least recently used first, and nothing that was used since the checkout.
func TestServerEvicts(t *testing.T) {
	table := NewTable()
	s := table.NewServer()
	var all []*Statement
	for i := range 4 {
		all = append(all, table.Intern(wire.ParseTail(fmt.Sprint("select ", i)), ""))
	}
	s.Checkout(2)
	s.Add(all[0])
	s.Add(all[1])
	s.Add(all[2])
	if st, ok := s.Evict(); ok {
		t.Errorf("evicted %s, which is in use", st.Text())
	}
	s.Checkout(2)
	s.Has(all[0])
	if st, ok := s.Evict(); !ok || st != all[1] {
		t.Errorf("evicted %v, %v", st, ok)
	}
	if _, ok := s.Evict(); ok {
		t.Error("evicted below the limit")
	}
	s.Checkout(1) // a limit that has changed
	s.Has(all[0])
	if st, ok := s.Evict(); !ok || st != all[2] {
		t.Errorf("evicted %v, %v", st, ok)
	}
	s.Remove(all[0])
	s.Clear()
	table.Drop(all...)
	if s.Len() != 0 || table.Len() != 0 {
		t.Errorf("left: %d on the server, %d in the table", s.Len(), table.Len())
	}
}

// TestReferences: whatever clients and servers do, a statement is known exactly as long as someone refers to it.
func TestReferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := NewTable()
		c, s := table.NewClient(), table.NewServer()
		named := map[string]string{}
		text := rapid.SampledFrom([]string{"a", "b", "c", "d", "e"})
		name := rapid.SampledFrom([]string{"0", "1", "2"})
		t.Repeat(map[string]func(*rapid.T){
			"parse": func(t *rapid.T) {
				n, sql := name.Draw(t, "name"), text.Draw(t, "text")
				if _, taken := named[n]; taken {
					return
				}
				c.Put(n, table.Intern(wire.ParseTail(sql), ""))
				named[n] = sql
			},
			"close": func(t *rapid.T) {
				n := name.Draw(t, "name")
				c.Delete(n)
				delete(named, n)
			},
			"bind": func(t *rapid.T) {
				st, ok := c.Get([]byte(name.Draw(t, "name")))
				if ok && !s.Has(st) {
					s.Add(st)
					s.Evict()
				}
			},
			"checkout": func(*rapid.T) { s.Checkout(3) },
			"discard":  func(*rapid.T) { s.Clear() },
			"": func(t *rapid.T) {
				for n, sql := range named {
					if st, ok := c.Get([]byte(n)); !ok || string(st.Text()) != sql {
						t.Fatalf("%s should be %q", n, sql)
					}
				}
			},
		})
		c.Clear()
		s.Clear()
		if n := table.Len(); n != 0 {
			t.Fatalf("%d statements that nobody refers to", n)
		}
	})
}

func TestLookupAllocatesNothing(t *testing.T) {
	table := NewTable()
	c, s := table.NewClient(), table.NewServer()
	st := table.Intern(wire.ParseTail("select 1"), "")
	c.Put("0", st)
	s.Add(st)
	name := []byte("0")
	if n := testing.AllocsPerRun(100, func() {
		if st, ok := c.Get(name); !ok || !s.Has(st) {
			t.Fatal("lost")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
