package watch

import (
	"bytes"
	"unicode/utf8"

	"poolerd/wire/lex"
)

// maxName is how many bytes of a name count: NAMEDATALEN - 1 (PostgreSQL's documentation, "Identifiers and Key Words").
const maxName = 63

// Marks tells what a text leads to through the watched names that it calls, reads or writes: 0 for nearly every one. It does not allocate. What the text's
// own words reveal is lex.Mark's to tell. Names count wherever they stand, in string constants too.
func (f *Functions) Marks(sql []byte) lex.Marks {
	if f == nil || len(f.functions)+len(f.relations) == 0 {
		return 0
	}
	l := looker{f: f, sql: sql, left: 4096 + 4*len(sql)}
	l.look()
	return l.marks
}

// SetConfigs gives the names of the parameters, in small letters and in order, that the text may set beyond the transaction through watched names. ok is false when
// there may be others. It is for texts whose Marks have lex.MarkSetConfig, and goes with lex.SetConfigs, which tells of the text's own calls.
func (f *Functions) SetConfigs(sql []byte) (names []string, ok bool) {
	d := f.look(sql)
	return d.configs, !d.any
}

// look is Marks with all that is known.
func (f *Functions) look(sql []byte) does {
	if f.Len() == 0 {
		return does{}
	}
	var d does
	l := looker{f: f, sql: sql, left: 4096 + 4*len(sql), whole: &d}
	l.look()
	return d
}

type looker struct {
	f     *Functions
	sql   []byte
	left  int // how many bytes of comments and spaces may still be looked at. With none left everything is in doubt, so that no text takes more than linear time.
	marks lex.Marks
	whole *does // also told, if there
}

func (l *looker) look() {
	if len(l.f.functions) > 0 {
		l.calls()
	}
	if len(l.f.relations) > 0 {
		l.mentions()
	}
	if l.left < 0 {
		l.mark(l.f.all)
	}
}

func (l *looker) mark(d does) {
	l.marks |= d.marks
	if l.whole != nil {
		*l.whole = l.whole.with(d)
	}
}

// calls looks at what stands before each parenthesis.
func (l *looker) calls() {
	for at := 0; ; at++ {
		n := bytes.IndexByte(l.sql[at:], '(')
		if n < 0 {
			return
		}
		at += n
		if at == 0 {
			continue
		}
		if c := l.sql[at-1]; wordPart(c) {
			l.call(at)
		} else if c == '"' || c == '/' || isSpace(c) {
			for b := (back{sql: l.sql, at: at, left: &l.left}); b.next(); {
				l.call(b.at)
			}
		}
	}
}

// call looks at the name that ends at to, if one does.
func (l *looker) call(to int) {
	if to == 0 {
		return
	}
	if l.sql[to-1] == '"' {
		if from := opening(l.sql, to-1); from >= 0 {
			var b [2 * maxName]byte
			if name := unquote(b[:0], l.sql[from+1:to-1]); l.f.lengths&(1<<len(name)) != 0 {
				l.mark(l.f.functions[string(name)])
			}
		}
		return
	}
	from := to
	for from > 0 && wordPart(l.sql[from-1]) {
		from--
	}
	if l.f.lengths&(3<<max(min(to-from, maxName)-1, 0)) == 0 && to-from <= maxName { // of this length, or one less
		return
	}
	var b [maxName]byte
	if from > 0 && l.sql[from-1] == '\\' && to-from > 1 { // E'...\nf(', where the n belongs to an escape
		l.mark(l.f.functions[string(fold(b[:0], l.sql[from+1:to]))])
	}
	if name := fold(b[:0], l.sql[from:to]); len(name) > 0 {
		l.mark(l.f.functions[string(name)])
	}
}

// mentions looks for the names of relations, each as a whole, behind a word that is followed by one.
func (l *looker) mentions() {
	for at := 0; at < len(l.sql); {
		switch c := l.sql[at]; {
		case c == '"':
			at = l.quoted(at)
		case !wordPart(c):
			at++
		default:
			from := at
			for at++; at < len(l.sql) && wordPart(l.sql[at]); at++ {
			}
			if l.f.firsts[c] || at-from > maxName {
				var b [maxName]byte
				l.mention(fold(b[:0], l.sql[from:at]), from, at)
			}
			l.escaped(from, at)
		}
	}
}

// escaped: in E'...\nfrom' letters may belong to an escape.
func (l *looker) escaped(from, to int) {
	if from > 0 && l.sql[from-1] == '\\' && to-from > 1 && l.f.firsts[l.sql[from+1]] {
		var b [maxName]byte
		l.mention(fold(b[:0], l.sql[from+1:to]), from+1, to)
	}
}

// quoted looks at the name in quotes that begins at from, if there is one, and gives where to go on: in it, since a quote may also stand in a string.
func (l *looker) quoted(from int) int {
	if from+1 < len(l.sql) && (l.f.firsts[l.sql[from+1]] || l.sql[from+1] == '"') {
		if to := closing(l.sql, from, &l.left); to > 0 {
			var b [2 * maxName]byte
			l.mention(unquote(b[:0], l.sql[from+1:to-1]), from, to)
		}
	}
	return from + 1
}

// mention looks at how sql[from:to] stands there, if it is the name of a watched relation.
func (l *looker) mention(name []byte, from, to int) {
	a, ok := l.f.relations[string(name)]
	if !ok || to < len(l.sql) && l.sql[to] == '.' {
		return
	}
	for from > 0 && l.sql[from-1] == '.' { // behind a schema
		if from--; from > 0 && l.sql[from-1] == '"' {
			from = max(opening(l.sql, from-1), 0)
			continue
		}
		for from > 0 && wordPart(l.sql[from-1]) {
			from--
		}
	}
	for b := (back{sql: l.sql, at: from, left: &l.left}); b.next(); {
		read, write := l.before(b.at)
		if read {
			l.mark(a.read)
		}
		if write {
			l.mark(a.write)
		}
	}
}

// before tells what the word that ends at to has done to the relation behind it. In doubt it is both.
func (l *looker) before(to int) (read, write bool) {
	from := to
	for from > 0 && wordPart(l.sql[from-1]) {
		from--
	}
	if from > 0 && l.sql[from-1] == '\\' && from < to {
		from++ // the letter of an escape, in E'...'
	}
	switch word := l.sql[from:to]; {
	case len(word) == 0:
		c := byte(0)
		if to > 0 {
			c = l.sql[to-1]
		}
		return c == ',' || c == '(', c == ','
	case is(word, "join"), is(word, "using"):
		return true, false
	case is(word, "into"), is(word, "update"), is(word, "truncate"):
		return false, true
	case is(word, "table"), is(word, "only"), is(word, "copy"):
		return true, true
	case is(word, "from"):
		for from > 0 && isSpace(l.sql[from-1]) {
			from--
		}
		deletes := from >= 6 && is(l.sql[from-6:from], "delete") || from > 0 && l.sql[from-1] == '/' || bytes.IndexByte(l.sql[from:to], '\n') >= 0
		return true, deletes
	}
	return false, false
}

// back goes back over spaces and comments: each next gives a place where what stands before may end.
type back struct {
	sql   []byte
	at    int
	left  *int
	began bool
	lines bool // the spaces that were skipped last had the end of a line
}

func (b *back) next() bool {
	if !b.began {
		b.began = true
		b.spaces()
		return true
	}
	if *b.left < 0 {
		return false
	}
	if b.at >= 4 && b.sql[b.at-1] == '/' && b.sql[b.at-2] == '*' {
		open := bytes.LastIndex(b.sql[:b.at-2], []byte("/*"))
		*b.left -= b.at - max(open, 0)
		if open >= 0 {
			b.at = open
			b.spaces()
			return true
		}
	}
	if b.lines {
		line := bytes.LastIndexAny(b.sql[:b.at], "\r\n") + 1
		*b.left -= b.at - line
		if n := bytes.Index(b.sql[line:b.at], []byte("--")); n >= 0 {
			b.at = line + n
			b.spaces()
			return true
		}
	}
	return false
}

func (b *back) spaces() {
	from := b.at
	b.lines = false
	for b.at > 0 && isSpace(b.sql[b.at-1]) {
		b.at--
		b.lines = b.lines || b.sql[b.at] == '\n' || b.sql[b.at] == '\r'
	}
	*b.left -= from - b.at
}

// opening gives where the quoted name whose closing quote is at to begins, or -1.
func opening(sql []byte, to int) int {
	for at := to - 1; at >= 0; at-- {
		if sql[at] != '"' {
			continue
		}
		if at == 0 || sql[at-1] != '"' {
			return at
		}
		at--
	}
	return -1
}

// closing gives where the quoted name that begins at from ends, behind its quote, or -1. A name that is too long to be one is not followed.
func closing(sql []byte, from int, left *int) int {
	for at := from + 1; at < len(sql); at++ {
		if *left--; *left < 0 {
			return -1
		}
		if sql[at] != '"' {
			continue
		}
		if at+1 >= len(sql) || sql[at+1] != '"' {
			return at + 1
		}
		at++
	}
	return -1
}

// unquote appends the name that stands in quotes, at most what counts of it.
func unquote(to, quoted []byte) []byte {
	for i := 0; i < len(quoted) && len(to) <= maxName; i++ {
		if to = append(to, quoted[i]); quoted[i] == '"' {
			i++
		}
	}
	return cut(to)
}

// fold appends the name in small letters, at most what counts of it.
func fold(to, name []byte) []byte {
	for _, c := range cut(name) {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		to = append(to, c)
	}
	return to
}

// cut shortens a name as PostgreSQL does, between two characters.
func cut(name []byte) []byte {
	if len(name) <= maxName {
		return name
	}
	n := maxName
	for n > 0 && !utf8.RuneStart(name[n]) {
		n--
	}
	return name[:n]
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }

func wordPart(c byte) bool {
	return 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// is tells whether a word is this one, in any case.
func is(word []byte, lower string) bool {
	if len(word) != len(lower) {
		return false
	}
	for i := range len(lower) {
		if word[i]|0x20 != lower[i] {
			return false
		}
	}
	return true
}
