package workload

import (
	"strconv"
	"strings"
	"time"
)

// command is a meta command: its place, its name, and where its arguments are in the source.
type command struct {
	offset   int // of the backslash
	name     string
	from, to int
}

// metaNames are the meta commands of pgbench that scripts may use.
func metaNames() []string {
	return []string{"set", "sleep", "if", "elif", "else", "endif", "gset", "startpipeline", "syncpipeline", "endpipeline"}
}

// meta reads the meta command where the scanner stands. It ends with its line, unless a backslash is the line's last character.
func (s *scripter) meta() error {
	text := s.src.text
	c := command{offset: s.scan.at}
	at := s.scan.at + 1
	for at < len(text) && (isNameStart(text[at]) || isDigit(text[at])) {
		at++
	}
	c.name = strings.ToLower(text[s.scan.at+1 : at])
	c.from, c.to = at, lineEnd(text, at)
	s.scan.at = c.to
	follows := s.sql // \gset looks at the statement just before it, and only there
	s.sql = -1
	switch c.name {
	case "set":
		return s.metaSet(c)
	case "sleep":
		return s.metaSleep(c)
	case "if", "elif", "else", "endif":
		return s.metaBranch(c)
	case "gset":
		return s.metaGset(c, follows)
	case "startpipeline", "syncpipeline", "endpipeline":
		return s.metaPipeline(c)
	case "setshell", "shell":
		return s.src.errorf(c.offset, "\\%s runs programs of this machine, which the bench does not: put their result in with --define NAME=VALUE", c.name)
	case "aset":
		return s.src.errorf(c.offset, "\\aset is not known here: end each statement with a semicolon and use \\gset")
	case "":
		return s.src.errorf(c.offset, "a command must follow the backslash: known are \\%s", strings.Join(metaNames(), ", \\"))
	}
	return s.src.errorf(c.offset, "there is no command \\%s%s: known are \\%s", c.name, nearest(c.name, metaNames()), strings.Join(metaNames(), ", \\"))
}

// lineEnd is where the line ends that at stands in, and that a backslash may continue.
func lineEnd(text string, at int) int {
	for i := at; i < len(text); i++ {
		if text[i] == '\n' && !strings.HasSuffix(strings.TrimSuffix(text[at:i], "\r"), "\\") {
			return i
		}
	}
	return len(text)
}

// words are the arguments, divided by white space, with the offset of each.
func (s *scripter) words(c command) (words []string, offsets []int) {
	l := lexer{src: s.src, at: c.from, end: c.to}
	for {
		l.space()
		if l.at >= l.end {
			return words, offsets
		}
		start := l.at
		for l.at < l.end && !isSpace(s.src.text[l.at]) {
			l.at++
		}
		words, offsets = append(words, s.src.text[start:l.at]), append(offsets, start)
	}
}

// argumentless refuses arguments.
func (s *scripter) argumentless(c command) error {
	if words, offsets := s.words(c); len(words) > 0 {
		return s.src.errorf(offsets[0], "\\%s takes no argument", c.name)
	}
	return nil
}

func (s *scripter) metaSet(c command) error {
	words, offsets := s.words(c)
	if len(words) == 0 {
		return s.src.errorf(c.offset, "\\set needs a variable's name and an expression: \\set id random(1, 10)")
	}
	name := words[0]
	if nameLength(name) != len(name) {
		return s.src.errorf(offsets[0], "%q cannot be a variable's name: letters, digits and underscores, no digit first", name)
	}
	if len(words) == 1 {
		return s.src.errorf(c.offset, "\\set %s needs an expression", name)
	}
	expr, err := parseExpression(s.src, offsets[0]+len(name), c.to, s.variable)
	if err != nil {
		return err
	}
	s.step(step{do: doSet, at: s.src.position(c.offset), slot: s.variable(name), expr: expr})
	return nil
}

// metaSleep is \sleep with a number or a variable, and us, ms or s, which may touch the number.
func (s *scripter) metaSleep(c command) error {
	words, offsets := s.words(c)
	if len(words) == 0 {
		return s.src.errorf(c.offset, "\\sleep needs a number: \\sleep 10 ms")
	}
	n := digits(words[0])
	if n == 0 && words[0][0] == ':' {
		n = 1 + nameLength(words[0][1:])
	}
	number := words[0][:n]
	if n > 0 && n < len(words[0]) {
		words = append([]string{number, words[0][n:]}, words[1:]...)
		offsets = append([]int{offsets[0], offsets[0] + n}, offsets[1:]...)
	}
	if len(words) > 2 {
		return s.src.errorf(offsets[2], "\\sleep takes a number and a unit, and nothing more")
	}
	at := step{do: doSleep, at: s.src.position(c.offset), slot: -1, pause: time.Second}
	if len(words) == 2 {
		switch strings.ToLower(words[1]) {
		case "us":
			at.pause = time.Microsecond
		case "ms":
			at.pause = time.Millisecond
		case "s":
		default:
			return s.src.errorf(offsets[1], "%q is no unit of time: us, ms or s", words[1])
		}
	}
	if strings.HasPrefix(number, ":") && n > 1 {
		at.slot = s.variable(number[1:])
		s.step(at)
		return nil
	}
	count, err := strconv.ParseInt(number, 10, 64)
	if err != nil || count > int64(maxPause/at.pause) {
		return s.src.errorf(offsets[0], "\\sleep needs a whole number of at most %v, or a variable", maxPause)
	}
	at.pause *= time.Duration(count)
	s.step(at)
	return nil
}

func (s *scripter) metaBranch(c command) error {
	if c.name == "if" {
		unless, err := s.condition(c)
		s.branches = append(s.branches, branch{offset: c.offset, unless: unless})
		return err
	}
	if len(s.branches) == 0 {
		return s.src.errorf(c.offset, "\\%s without an \\if before it", c.name)
	}
	if s.pipe != nil && s.pipe.branches >= len(s.branches) {
		return s.src.errorf(c.offset, "\\%s inside a pipeline that began behind its \\if: end the pipeline first", c.name)
	}
	b := &s.branches[len(s.branches)-1]
	if b.unless < 0 && c.name != "endif" {
		return s.src.errorf(c.offset, "\\%s after \\else", c.name)
	}
	if c.name != "endif" {
		b.jumps = append(b.jumps, s.step(step{do: doJump, at: s.src.position(c.offset)}))
	}
	if b.unless >= 0 {
		s.steps[b.unless].target = len(s.steps)
	}
	switch c.name {
	case "elif":
		unless, err := s.condition(c)
		b.unless = unless
		return err
	case "else":
		b.unless = -1
	case "endif":
		for _, jump := range b.jumps {
			s.steps[jump].target = len(s.steps)
		}
		s.branches = s.branches[:len(s.branches)-1]
	}
	return s.argumentless(c)
}

// condition adds the step of an \if or \elif.
func (s *scripter) condition(c command) (int, error) {
	expr, err := parseExpression(s.src, c.from, c.to, s.variable)
	return s.step(step{do: doJumpUnless, at: s.src.position(c.offset), expr: expr}), err
}

func (s *scripter) metaGset(c command, sql int) error {
	words, offsets := s.words(c)
	switch {
	case len(words) > 1:
		return s.src.errorf(offsets[1], "\\gset takes a prefix, and nothing more")
	case s.pipe != nil:
		return s.src.errorf(c.offset, "\\gset inside a pipeline, where no reply is read: put it behind \\endpipeline")
	case sql < 0:
		return s.src.errorf(c.offset, "\\gset must follow the SQL whose row it takes")
	}
	if len(words) == 1 {
		s.steps[sql].prefix = words[0]
	}
	s.steps[sql].gset = true
	return nil
}

func (s *scripter) metaPipeline(c command) error {
	at := step{at: s.src.position(c.offset)}
	switch {
	case c.name == "startpipeline":
		if s.pipe != nil {
			return s.src.errorf(c.offset, "\\startpipeline inside a pipeline: end it with \\endpipeline first")
		}
		at.do = doPipe
		s.pipe = &pipe{offset: c.offset, branches: len(s.branches)}
	case s.pipe == nil:
		return s.src.errorf(c.offset, "\\%s outside a pipeline: it lacks a \\startpipeline", c.name)
	case c.name == "syncpipeline":
		at.do = doPipeSync
	default:
		if s.pipe.branches != len(s.branches) {
			return s.src.errorf(c.offset, "\\endpipeline inside an \\if that began in the pipeline: put it behind \\endif")
		}
		at.do = doPipeEnd
		s.pipe = nil
	}
	s.step(at)
	return s.argumentless(c)
}
