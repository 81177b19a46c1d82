package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
)

// maxLine bounds one line of results.jsonl, in bytes. A run with its histogram takes a few thousand.
const maxLine = 16 << 20

// Read reads results as NewWriter wrote them. A last line that is cut, as an interrupted bench leaves it, is left out and noted in the Header's Notes;
// records of unknown kinds are skipped. A second header begins a further bench: its runs' rounds are counted on from those before, so that only rounds that were measured
// together are compared as pairs. Errors name the line.
func Read(r io.Reader) (*Results, error) {
	m := merger{}
	if err := m.read(r); err != nil {
		return nil, err
	}
	return &m.results, nil
}

// ReadFiles reads several files as if they were one (see Read). Errors name the file and the line.
func ReadFiles(paths ...string) (*Results, error) {
	if len(paths) == 0 {
		return nil, errors.New("no results file named: poolerd bench writes results.jsonl")
	}
	m := merger{}
	for _, path := range paths {
		if err := m.readFile(path); err != nil {
			return nil, err
		}
	}
	return &m.results, nil
}

// merger gathers the records of one or more benches.
type merger struct {
	results Results
	benches int    // headers seen
	offset  int    // added to the rounds of the bench that is being read
	highest int    // round so far, offset included
	file    string // being read; "" for none
}

func (m *merger) readFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	m.file = path
	if err := m.read(f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (m *merger) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	headed := false
	for number := 1; ; number++ {
		line, whole, err := readLine(lines)
		if err != nil {
			return fmt.Errorf("line %d: %w", number, err)
		}
		if line == nil {
			break
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		err = m.record(line, &headed)
		if err == nil {
			continue
		}
		if syntax := (*json.SyntaxError)(nil); !whole && headed && errors.As(err, &syntax) {
			m.note("line %d is cut and left out: the bench was interrupted while it wrote it", number)
			break
		}
		return fmt.Errorf("line %d: %w", number, err)
	}
	if !headed {
		return errors.New("empty: not the results of a bench")
	}
	return nil
}

// readLine returns the next line and whether it ended with a newline; nil at the end.
func readLine(r *bufio.Reader) (line []byte, whole bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if len(line) > maxLine {
			return nil, false, fmt.Errorf("longer than %d bytes: not the results of a bench", maxLine)
		}
		switch {
		case err == nil:
			return line, true, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return line, false, nil
		default:
			return nil, false, err
		}
	}
}

func (m *merger) record(line []byte, headed *bool) error {
	var head struct {
		Kind   string `json:"kind"`
		Format int    `json:"format"`
	}
	if err := json.Unmarshal(line, &head); err != nil {
		return notRecord(err, "record")
	}
	if !*headed && head.Kind != "header" {
		return fmt.Errorf("kind %q where the header should be: not the results of a bench, or their first line is lost", head.Kind)
	}
	switch head.Kind {
	case "header":
		if head.Format != Format {
			return fmt.Errorf("format %d, and this poolerd reads format %d: use the poolerd that wrote it", head.Format, Format)
		}
		var h Header
		if err := json.Unmarshal(line, &h); err != nil {
			return notRecord(err, head.Kind)
		}
		*headed = true
		m.header(h)
	case "run":
		var run Run
		if err := json.Unmarshal(line, &run); err != nil {
			return notRecord(err, head.Kind)
		}
		run.Round += m.offset
		m.highest = max(m.highest, run.Round)
		m.results.Runs = append(m.results.Runs, run)
	case "advice":
		var a Advice
		if err := json.Unmarshal(line, &a); err != nil {
			return notRecord(err, head.Kind)
		}
		if !slices.ContainsFunc(m.results.Advice, func(known Advice) bool { return reflect.DeepEqual(known, a) }) {
			m.results.Advice = append(m.results.Advice, a)
		}
	case "model":
		var model Model
		if err := json.Unmarshal(line, &model); err != nil {
			return notRecord(err, head.Kind)
		}
		m.results.Model = &model
	case "recommendation":
		var r Recommendation
		if err := json.Unmarshal(line, &r); err != nil {
			return notRecord(err, head.Kind)
		}
		m.results.Recommendation = &r
	}
	return nil
}

func notRecord(err error, kind string) error { return fmt.Errorf("not a %s: %w", kind, err) }

// header takes the first bench's header whole, and of a further one what a reader must know.
func (m *merger) header(h Header) {
	m.benches++
	m.offset = m.highest
	if m.benches == 1 {
		m.results.Header = h
		return
	}
	first := &m.results.Header
	m.note("holds a further bench, whose rounds begin at %d: %s", m.offset+1, h.Command)
	if h.Processor != first.Processor || h.Cores != first.Cores || h.System != first.System {
		m.note("was measured on another machine: %d cores, %s, %s", h.Cores, h.Processor, h.System)
	}
	for _, n := range h.Notes {
		if !slices.Contains(first.Notes, n) {
			first.Notes = append(first.Notes, n)
		}
	}
	for _, t := range h.Targets {
		if !slices.Contains(first.Targets, t) {
			first.Targets = append(first.Targets, t)
		}
	}
}

func (m *merger) note(format string, args ...any) {
	name := "the results' file"
	if m.file != "" {
		name = m.file
	}
	m.results.Header.Notes = append(m.results.Header.Notes, name+": "+fmt.Sprintf(format, args...))
}
