package hba

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mostDepth is how deep files may include files, as in PostgreSQL.
const mostDepth = 10

// What all the included files of one Parse may be together: files that include one another more than once multiply.
const (
	mostFiles = 1000
	mostText  = 64 << 20 // bytes
)

// Include gives the text of an included file. For a path that ends in a slash, it gives the names of what is in that folder, one a line. ReadFile is one.
type Include func(path string) ([]byte, error)

// ReadFile is an Include that reads the file system.
func ReadFile(path string) ([]byte, error) {
	if !strings.HasSuffix(path, "/") {
		return os.ReadFile(path)
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, err
	}
	var names []byte
	for _, e := range entries {
		names = append(append(names, e.Name()...), '\n')
	}
	return names, nil
}

// line is a line that says something, its continuations joined to it.
type line struct {
	file   string
	number int
	depth  int // how many files were included to come here
	fields []field
}

// source reads files and gathers what is wrong with them.
type source struct {
	include  Include
	files    int // included
	text     int // bytes of these
	full     bool
	problems Problems
	warnings Problems
}

func (s *source) complain(l line, format string, args ...any) {
	s.problems = append(s.problems, Problem{File: l.file, Line: l.number, Text: fmt.Sprintf(format, args...)})
}

func (s *source) warn(l line, text string) {
	s.warnings = append(s.warnings, Problem{File: l.file, Line: l.number, Text: text})
}

// err gives what is wrong, nil when nothing is.
func (s *source) err() error {
	if len(s.problems) == 0 {
		return nil
	}
	return s.problems
}

// lines calls use for the lines of a text, and of the files that it includes, in order.
func (s *source) lines(name string, text []byte, depth int, use func(line)) {
	for l := range s.split(name, text, depth) {
		switch keyword := l.fields[0][0].text; {
		case len(l.fields[0]) != 1 || !slices.Contains([]string{"include", "include_if_exists", "include_dir"}, keyword):
			use(l)
		case len(l.fields) != 2 || len(l.fields[1]) != 1:
			s.complain(l, "%s takes one file name", keyword)
		case keyword == "include_dir":
			s.folder(l, l.fields[1][0].text, use)
		default:
			path := beside(l.file, l.fields[1][0].text)
			if text, ok := s.read(l, path, keyword == "include_if_exists"); ok {
				s.lines(path, text, l.depth+1, use)
			}
		}
	}
}

// folder includes the files of a folder whose names end in .conf and do not start with a dot, sorted.
func (s *source) folder(l line, name string, use func(line)) {
	folder := strings.TrimRight(beside(l.file, name), "/") + "/"
	list, ok := s.read(l, folder, false)
	if !ok {
		return
	}
	names := strings.Split(string(list), "\n")
	slices.Sort(names)
	for _, name := range names {
		if !strings.HasSuffix(name, ".conf") || strings.HasPrefix(name, ".") {
			continue
		}
		if text, ok := s.read(l, folder+name, false); ok {
			s.lines(folder+name, text, l.depth+1, use)
		}
	}
}

// read gives the text of a file that l includes.
func (s *source) read(l line, path string, mayMiss bool) (text []byte, ok bool) {
	switch {
	case s.include == nil:
		s.complain(l, "no file can be included here")
		return nil, false
	case l.depth >= mostDepth:
		s.complain(l, `could not open file "%s": maximum nesting depth exceeded`, path)
		return nil, false
	}
	if !s.full && (s.files == mostFiles || s.text > mostText) {
		s.full = true
		s.complain(l, `could not open file "%s": more than %d files, or %d bytes, are included`, path, mostFiles, mostText)
	}
	if s.full {
		return nil, false
	}
	text, err := s.include(path)
	s.files++
	s.text += len(text)
	switch {
	case mayMiss && errors.Is(err, fs.ErrNotExist):
		return nil, false
	case err != nil:
		s.complain(l, `could not open file "%s": %s`, path, reason(err))
		return nil, false
	}
	return text, true
}

// reason is an error without the path that the message names already.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// beside resolves the name of an included file: it is relative to the file that includes it.
func beside(file, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(file), name)
}

// split gives the lines of a text that say something.
func (s *source) split(name string, text []byte, depth int) func(yield func(line) bool) {
	return func(yield func(line) bool) {
		number := 0
		for rest := string(text); rest != ""; {
			l := line{file: name, number: number + 1, depth: depth}
			var whole string
			for continued := true; continued && rest != ""; number++ {
				var part string
				part, rest, _ = strings.Cut(rest, "\n")
				part, continued = strings.CutSuffix(strings.TrimSuffix(part, "\r"), `\`)
				whole += part
				if _, comment, _ := split(whole); continued && comment != "" {
					s.complain(l, "a comment ends in a backslash: to PostgreSQL the next line is a part of it, to PgBouncer it is not")
					continued = false
				}
			}
			fields, _, problem := split(whole)
			if problem != "" {
				s.complain(l, "%s", problem)
				continue
			}
			if l.fields = fields; len(fields) > 0 && !yield(l) {
				return
			}
		}
	}
}
