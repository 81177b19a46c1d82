package config

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// maxInclude is how deep %include may nest, as in PgBouncer.
const maxInclude = 10

// item is one key = value line of a file.
type item struct {
	Origin
	section, key, value string
}

// iniReader gives the items of a file and of those that it includes, and what it cannot read, in the order of the lines.
type iniReader struct {
	readFile func(name string) ([]byte, error)
	apply    func(item)
	report   func(*Error)
	entered  func(at Origin, section string) // may be nil
	section  string                          // goes on into and out of included files
}

// read takes one file's text. A line that cannot be read is a problem, and reading goes on behind it.
func (r *iniReader) read(name string, text []byte, depth int) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	at := Origin{File: name}
	for line := range strings.SplitSeq(string(text), "\n") {
		at.Line++
		r.line(at, strings.TrimSpace(line), depth)
	}
}

// line takes a line without the blanks around it. Behind a section's name another one may begin.
func (r *iniReader) line(at Origin, line string, depth int) {
	if line == "" || line[0] == ';' || line[0] == '#' {
		return
	}
	if strings.IndexByte(line, 0) >= 0 {
		r.problem(at, "a line with a NUL byte", "look whether the file is a text in UTF-8")
		return
	}
	if file, ok := includes(line); ok {
		r.include(at, file, depth)
		return
	}
	if line[0] == '[' {
		if rest, ok := r.enter(at, line); ok {
			r.line(at, strings.TrimSpace(rest), depth)
		}
		return
	}
	r.item(at, line)
}

func (r *iniReader) problem(at Origin, reason, hint string) {
	r.report(&Error{Origin: at, Reason: reason, Hint: hint})
}

func includes(line string) (file string, ok bool) {
	file, ok = strings.CutPrefix(line, "%include")
	if !ok || file == "" || file[0] != ' ' && file[0] != '\t' {
		return "", false
	}
	return strings.TrimSpace(file), true
}

func (r *iniReader) include(at Origin, file string, depth int) {
	if depth >= maxInclude {
		r.problem(at, fmt.Sprintf("%%include nests deeper than %d files", maxInclude), "look for a file that includes itself")
		return
	}
	text, err := r.readFile(file)
	if err != nil {
		r.problem(at, "%include "+file+": "+fileReason(err), "name it by an absolute path, or relative to the working directory")
		return
	}
	r.read(file, text, depth+1)
}

// enter begins a section, and gives what stands behind it on its line.
func (r *iniReader) enter(at Origin, line string) (rest string, ok bool) {
	name, rest, ok := strings.Cut(line[1:], "]")
	if !ok {
		r.problem(at, "broken section line", "write [name]")
		return "", false
	}
	r.section = name
	if !slices.Contains(sections(), name) {
		r.report(&Error{Origin: at, Key: "[" + name + "]", Reason: "unknown section", Hint: didYouMean(name, sections())})
		return rest, true
	}
	if r.entered != nil {
		r.entered(at, name)
	}
	return rest, true
}

func sections() []string { return []string{"databases", "pgbouncer", "users", "peers", "poolerd"} }

func (r *iniReader) item(at Origin, line string) {
	key, rest, ok := cutKey(line)
	if rest = strings.TrimLeft(rest, " \t"); !ok || !strings.HasPrefix(rest, "=") {
		r.problem(at, "broken line", `write key = value, with a key of other characters than letters, digits, _ . - * in "double quotes"`)
		return
	}
	if r.section == "" {
		r.report(&Error{Origin: at, Key: key, Reason: "stands in no section", Hint: "put it below a line such as [pgbouncer]"})
		return
	}
	r.apply(item{at, r.section, key, strings.TrimLeft(rest[1:], " \t")})
}

// cutKey takes the key off the front of a line that is not empty.
func cutKey(line string) (key, rest string, ok bool) {
	switch line[0] {
	case '\'':
		key, rest, ok = strings.Cut(line[1:], "'")
		return key, rest, ok && key != ""
	case '"':
		key, rest, ok = cutQuoted(line[1:], '"')
		return key, rest, ok && key != ""
	}
	n := 0
	for n < len(line) && keyByte(line[n]) {
		n++
	}
	return line[:n], line[n:], n > 0
}

func keyByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_.-*", c) >= 0
}

// cutQuoted takes what stands before the closing quote, in which a doubled quote is one.
func cutQuoted(s string, quote byte) (inner, rest string, ok bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != quote {
			b.WriteByte(s[i])
			continue
		}
		if i+1 == len(s) || s[i+1] != quote {
			return b.String(), s[i+1:], true
		}
		b.WriteByte(quote)
		i++
	}
	return "", "", false
}
