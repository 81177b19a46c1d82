package workload

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"

	"poolerd/wire"
)

// FromScript makes a workload of one transaction from a script in pgbench's language (PostgreSQL's documentation, pgbench, "Custom Scripts"). name is
// the file's: the workload and its transaction bear it, and errors begin with it. What differs from pgbench is said in the package's comment.
func FromScript(name, text string) (*Workload, error) {
	b, err := parseScript(name, text)
	if err != nil {
		return nil, err
	}
	return b.alone("the script "+name, roleOwner, ""), nil
}

// scripter reads a script into a builder.
type scripter struct {
	*builder
	src  *source
	scan scanner

	branches []branch // that are open
	pipe     *pipe    // that is open, or nil
	sql      int      // the step of the statement that \gset may follow, or -1
}

// branch is an \if up to its \endif.
type branch struct {
	offset int
	unless int // the step to be told where the next part begins; -1 behind \else
	jumps  []int
}

// pipe is a \startpipeline up to its \endpipeline.
type pipe struct {
	offset   int
	branches int // how many were open
}

func parseScript(name, text string) (*builder, error) {
	s := &scripter{builder: newBuilder(name), src: &source{name: name, text: text}, sql: -1}
	s.scan.src = s.src
	for {
		stop, err := s.scan.statement()
		if err == nil {
			err = s.collect()
		}
		if err == nil && stop == atBackslash {
			err = s.meta()
		}
		if err != nil {
			return nil, err
		}
		if stop == atEnd {
			return s.builder, s.finish()
		}
	}
}

func (s *scripter) finish() error {
	switch {
	case s.pipe != nil:
		return s.src.errorf(s.pipe.offset, "this pipeline has no \\endpipeline")
	case len(s.branches) > 0:
		return s.src.errorf(s.branches[len(s.branches)-1].offset, "this \\if has no \\endif")
	case len(s.statements) == 0:
		return s.src.errorf(0, "the script holds no SQL")
	}
	return nil
}

// collect makes a step of what the scanner has read.
func (s *scripter) collect() error {
	fragments := s.scan.fragments
	if !s.scan.begun {
		return nil
	}
	if last := len(fragments) - 1; fragments[last].name == "" {
		fragments[last].text = strings.TrimRight(fragments[last].text, " \t\r\n\f\v")
	}
	if len(s.scan.words) > 0 && s.scan.words[0] == "copy" && s.scan.stdin {
		return s.src.errorf(s.scan.first, "a script cannot bring the data that COPY FROM STDIN reads: use INSERT, or the workload \"copy\"")
	}
	statement, err := s.sqlStatement(fragments)
	if err != nil {
		return err
	}
	s.sql = s.step(step{do: doSend, at: s.src.position(s.scan.first), statement: s.add(statement)})
	return nil
}

// sqlStatement makes a statement: as text for simple queries, and with a parameter for each variable outside quotes.
func (s *scripter) sqlStatement(fragments []fragment) (*statement, error) {
	st := &statement{}
	var sql strings.Builder
	var query, values assembler
	count := 0
	for _, f := range fragments {
		if f.name == "" {
			sql.WriteString(f.text)
			query.text(f.text)
			continue
		}
		n := s.variable(f.name)
		query.variable(n, asText)
		if f.quoted {
			sql.WriteString(":" + f.name)
			if st.quoted.line == 0 {
				st.quoted, st.name = s.src.position(f.offset), f.name
			}
			continue
		}
		if count++; count > math.MaxUint16 {
			return nil, s.src.errorf(f.offset, "a statement cannot have more than %d variables", math.MaxUint16)
		}
		sql.WriteString("$" + strconv.Itoa(count))
		values.variable(n, asValue)
	}
	st.tail = wire.ParseTail(sql.String())
	st.format = binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(count))
	st.params = values.done()
	st.result = []byte{0, 1, 0, formatText}
	st.query = query.done()
	if s.scan.several >= 0 {
		st.several = s.src.position(s.scan.several)
	}
	return st, nil
}
