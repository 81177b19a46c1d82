package wiretest

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// maxString is how long a string of a script may become, in bytes: what a slip of the pen must not exceed.
const maxString = 64 << 20

// words reads the arguments of a command.
type words struct {
	rest string
	lets map[string]string
}

var (
	literal  = regexp.MustCompile("^(\"(?:[^\"\\\\]|\\\\.)*\"|`[^`]*`)")
	letName  = regexp.MustCompile(`^[A-Z][A-Z0-9_]*\b`)
	bareWord = regexp.MustCompile("^[^\\s\"`|]+")
	count    = regexp.MustCompile(`^\*(\d+)`)
)

// done tells whether nothing is left, or only what follows a bar.
func (w *words) done() bool {
	w.rest = strings.TrimLeft(w.rest, " ")
	return w.rest == "" || w.rest[0] == '|'
}

// bar skips the bar between two messages; false at the end.
func (w *words) bar() bool {
	if !w.done() || w.rest == "" {
		return false
	}
	w.rest = w.rest[1:]
	return true
}

// word reads a word that is not quoted.
func (w *words) word() (string, error) {
	if w.done() {
		return "", fmt.Errorf("something is missing at the end")
	}
	word := bareWord.FindString(w.rest)
	if word == "" {
		return "", fmt.Errorf("want a word without quotes at %.20q", w.rest)
	}
	w.rest = w.rest[len(word):]
	return word, nil
}

// number reads a decimal number.
func (w *words) number() (uint32, error) {
	word, err := w.word()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(word, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("want a number, not %q", word)
	}
	return uint32(n), nil
}

// string reads a string: literals and names, with * and +.
func (w *words) string() (string, error) {
	if w.done() {
		return "", fmt.Errorf("a string is missing at the end")
	}
	var b strings.Builder
	for {
		part, err := w.atom()
		if err != nil {
			return "", err
		}
		if b.Len()+len(part) > maxString {
			return "", fmt.Errorf("a string of more than %d bytes", maxString)
		}
		b.WriteString(part)
		rest := strings.TrimLeft(w.rest, " ")
		if !strings.HasPrefix(rest, "+") {
			return b.String(), nil
		}
		w.rest = strings.TrimLeft(rest[1:], " \n")
	}
}

func (w *words) atom() (string, error) {
	part := literal.FindString(w.rest)
	var value string
	if part != "" {
		var err error
		if value, err = strconv.Unquote(part); err != nil {
			return "", fmt.Errorf("%s: %w", part, err)
		}
	} else {
		part = letName.FindString(w.rest)
		var ok bool
		if value, ok = w.lets[part]; !ok {
			return "", fmt.Errorf("want a string in quotes, or the name of one, at %.20q", w.rest)
		}
	}
	w.rest = w.rest[len(part):]
	if m := count.FindStringSubmatch(w.rest); m != nil {
		n, err := strconv.Atoi(m[1])
		if err != nil || n*len(value) > maxString {
			return "", fmt.Errorf("a string of more than %d bytes", maxString)
		}
		value = strings.Repeat(value, n)
		w.rest = w.rest[len(m[0]):]
	}
	return value, nil
}

// option reads NAME=VALUE if that name comes next.
func (w *words) option(name string) (value string, ok bool, err error) {
	if w.done() || !strings.HasPrefix(w.rest, name+"=") {
		return "", false, nil
	}
	w.rest = w.rest[len(name)+1:]
	value, err = w.word()
	return value, true, err
}

// let reads NAME = STRING.
func (w *words) let() error {
	name, err := w.word()
	if err != nil {
		return err
	}
	if letName.FindString(name) != name {
		return fmt.Errorf("%q: names of strings are written in capitals", name)
	}
	if is, err := w.word(); err != nil || is != "=" {
		return fmt.Errorf("want = behind %s", name)
	}
	value, err := w.string()
	if err != nil {
		return err
	}
	if w.rest != "" {
		return fmt.Errorf("nothing may follow the string of %s: %.20q", name, w.rest)
	}
	w.lets[name] = value
	return nil
}
