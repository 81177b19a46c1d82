package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// how a statement of behaviours.txt is to be run.
type how byte

const (
	plain    how = ':'
	prepared how = '*'
	several  how = '~' // several statements in one simple query; no result
)

// statement is what a session runs. Params are nil where there are none.
type statement struct {
	sql    string
	how    how
	params []string
}

// session is one connection of a client that behaviours.txt is carried out
// with. An error of the server is one for which sqlState knows its code.
type session interface {
	run(ctx context.Context, s statement) (column []string, err error)
	// notification is the next one; it waits that long, and returns nil then.
	notification(ctx context.Context, wait time.Duration) (*notification, error)
	close(ctx context.Context) error
}

type notification struct{ channel, payload string }

// behaviour is a section of behaviours.txt.
type behaviour struct {
	name  string
	steps []step
}

// step is one line, or steps to repeat.
type step struct {
	line   int
	text   string
	repeat int
	steps  []step
}

// readBehaviours parses behaviours.txt, which says what its lines mean.
func readBehaviours(path string) ([]behaviour, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var all []behaviour
	var outer []step // of the section, while steps of a repeat are read
	var count int
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimRight(line, " ")
		if name, ok := strings.CutPrefix(line, "== "); ok {
			all = append(all, behaviour{name: name})
			continue
		}
		if line == "" || line[0] == '#' {
			continue
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("%s:%d: a step before the first ==", path, i+1)
		}
		steps := &all[len(all)-1].steps
		number, isRepeat := strings.CutPrefix(line, "repeat ")
		switch {
		case isRepeat:
			if count, err = strconv.Atoi(number); err != nil || outer != nil {
				return nil, fmt.Errorf("%s:%d: %q: a repeat needs a number, and may hold none", path, i+1, line)
			}
			outer, *steps = append(make([]step, 0, len(*steps)+1), *steps...), nil
		case line == "end":
			outer, *steps = nil, append(outer, step{repeat: count, steps: *steps})
		default:
			*steps = append(*steps, step{line: i + 1, text: line})
		}
	}
	return all, nil
}

// script carries out one behaviour.
type script struct {
	connect  func(ctx context.Context, settings map[string]string) (session, error)
	database string
	sessions map[string]session
	allowed  int // errors that the behaviour allows
}

func (s *script) play(ctx context.Context, steps []step, turn int) error {
	for _, st := range steps {
		for i := range st.repeat {
			if err := s.play(ctx, st.steps, i+1); err != nil {
				return err
			}
		}
		if st.repeat > 0 {
			continue
		}
		text := strings.NewReplacer("%i", strconv.Itoa(turn), "%d", s.database).Replace(st.text)
		if err := s.step(ctx, text); err != nil {
			return fmt.Errorf("line %d: %s: %w", st.line, text, err)
		}
	}
	return nil
}

var stepForm = regexp.MustCompile(`^(\w+)([:*~]?) (.*)$`)

func (s *script) step(ctx context.Context, text string) error {
	part := stepForm.FindStringSubmatch(text)
	if part == nil {
		return errors.New("this is no step")
	}
	if part[2] != "" {
		return s.statement(ctx, part[1], how(part[2][0]), part[3])
	}
	verb, rest, _ := strings.Cut(part[3], " ")
	switch verb {
	case "open":
		settings := make(map[string]string)
		for setting := range strings.FieldsSeq(rest) {
			name, value, _ := strings.Cut(setting, "=")
			settings[name] = value
		}
		_, err := s.open(ctx, part[1], settings)
		return err
	case "close":
		conn := s.sessions[part[1]]
		delete(s.sessions, part[1])
		return conn.close(ctx)
	case "hears":
		return s.hears(ctx, part[1], rest, 5*time.Second)
	case "heard":
		return s.hears(ctx, part[1], rest, 0)
	case "silent":
		conn, err := s.session(ctx, part[1])
		if err != nil {
			return err
		}
		if n, err := conn.notification(ctx, 0); err != nil || n != nil {
			return fmt.Errorf("heard %v, %v", n, err)
		}
		return nil
	default:
		return fmt.Errorf("%q is no verb", verb)
	}
}

func (s *script) open(ctx context.Context, name string, settings map[string]string) (session, error) {
	conn, err := s.connect(ctx, settings)
	if err != nil {
		return nil, err
	}
	s.sessions[name] = conn
	return conn, nil
}

func (s *script) session(ctx context.Context, name string) (session, error) {
	if conn, ok := s.sessions[name]; ok {
		return conn, nil
	}
	return s.open(ctx, name, nil)
}

func (s *script) statement(ctx context.Context, name string, way how, text string) error {
	text, codes, fails := cutLast(text, " !!")
	text, want, isWanted := cutLast(text, " =>")
	sql, params, hasParams := cutLast(text, " <-")
	st := statement{sql: sql, how: way}
	if hasParams {
		st.params = strings.Split(params, " | ")
	}
	conn, err := s.session(ctx, name)
	if err != nil {
		return err
	}
	column, err := conn.run(ctx, st)
	switch got := strings.Join(column, ","); {
	case err != nil && fails && sqlState(err) != "" && strings.Contains(codes, sqlState(err)):
		if isWanted {
			s.allowed++
		}
		return nil
	case err != nil:
		return err
	case isWanted && got != want:
		return fmt.Errorf("got %.200q, want %q", got, want)
	case fails && !isWanted:
		return fmt.Errorf("no error, but %.200q", got)
	}
	return nil
}

func (s *script) hears(ctx context.Context, name, text string, wait time.Duration) error {
	channel, want, _ := strings.Cut(text, " ")
	conn, err := s.session(ctx, name)
	if err != nil {
		return err
	}
	n, err := conn.notification(ctx, wait)
	switch {
	case err != nil:
		return err
	case n == nil:
		return errors.New("heard nothing")
	case strings.HasPrefix(want, "length "):
		n.payload = fmt.Sprint("length ", utf8.RuneCountInString(n.payload))
	}
	if *n != (notification{channel, want}) {
		return fmt.Errorf("heard %.200q", *n)
	}
	return nil
}

// cutLast splits "x MARK y" at the last mark.
func cutLast(text, mark string) (before, after string, found bool) {
	i := strings.LastIndex(text, mark)
	if i < 0 {
		return text, "", false
	}
	return text[:i], strings.TrimSpace(text[i+len(mark):]), true
}
