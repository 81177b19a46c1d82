package watch

import (
	"maps"
	"slices"

	"poolerd/wire/lex"
)

// Functions are the names of a database that lead to more than they say. Many goroutines may use one; it never changes. A nil one has no names.
type Functions struct {
	functions map[string]does
	relations map[string]access
	lengths   uint64    // bit n: a function's name has n bytes
	firsts    [256]bool // how a relation's name begins, in either case
	all       does      // what all of them together do
}

// access is what happens when a relation is read or written.
type access struct{ read, write does }

func (a access) none() bool { return a.read.marks|a.write.marks == 0 }

func newFunctions() *Functions {
	return &Functions{functions: map[string]does{}, relations: map[string]access{}}
}

func (f *Functions) addFunction(name string, d does) {
	if d.marks == 0 || name == "" {
		return
	}
	f.functions[name] = f.functions[name].with(d)
	f.lengths |= 1 << min(len(name), maxName)
	f.all = f.all.with(d)
}

func (f *Functions) addRelation(name string, a access) {
	if a.none() || name == "" {
		return
	}
	old := f.relations[name]
	f.relations[name] = access{read: old.read.with(a.read), write: old.write.with(a.write)}
	f.firsts[name[0]] = true
	if c := name[0]; 'a' <= c && c <= 'z' {
		f.firsts[c-'a'+'A'] = true
	}
	f.all = f.all.with(a.read).with(a.write)
}

// Len is the number of watched names.
func (f *Functions) Len() int {
	if f == nil {
		return 0
	}
	return len(f.functions) + len(f.relations)
}

// Name is a watched name.
type Name struct {
	Name     string    // the last part, without a schema, as the catalog has it
	Relation bool      // a table, view or other relation; else a function or procedure
	Marks    lex.Marks // what it leads to
}

// Names gives the watched names, functions first, each part in alphabetical order.
func (f *Functions) Names() []Name {
	if f == nil {
		return nil
	}
	var list []Name
	for _, name := range slices.Sorted(maps.Keys(f.functions)) {
		list = append(list, Name{Name: name, Marks: f.functions[name].marks})
	}
	for _, name := range slices.Sorted(maps.Keys(f.relations)) {
		a := f.relations[name]
		list = append(list, Name{Name: name, Relation: true, Marks: a.read.marks | a.write.marks})
	}
	return list
}

// Equal tells whether both find the same in every text.
func (f *Functions) Equal(other *Functions) bool {
	if f.Len() == 0 || other.Len() == 0 {
		return f.Len() == other.Len()
	}
	return maps.EqualFunc(f.functions, other.functions, does.equal) && maps.EqualFunc(f.relations, other.relations, func(a, b access) bool {
		return a.read.equal(b.read) && a.write.equal(b.write)
	})
}
