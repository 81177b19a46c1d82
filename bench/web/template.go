package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// template is a text with places for numbers that are drawn.
type template struct {
	text   string // as written
	pieces []piece
}

// piece is a text, and after it a number from low to high unless plain.
type piece struct {
	text      string
	plain     bool
	low, span int64 // span is how many numbers there are
}

// drawn finds {A..B}.
var drawn = regexp.MustCompile(`\{(-?[0-9]+)\.\.(-?[0-9]+)\}`)

func parseTemplate(text string) (template, error) {
	t := template{text: text}
	at := 0
	for _, m := range drawn.FindAllStringSubmatchIndex(text, -1) {
		low, err1 := strconv.ParseInt(text[m[2]:m[3]], 10, 64)
		high, err2 := strconv.ParseInt(text[m[4]:m[5]], 10, 64)
		span := high - low + 1
		if err1 != nil || err2 != nil || low > high || span <= 0 {
			return t, fmt.Errorf("%s: must be {A..B} with whole numbers, and A not above B", text[m[0]:m[1]])
		}
		t.pieces = append(t.pieces, piece{text: text[at:m[0]], low: low, span: span})
		at = m[1]
	}
	if at < len(text) {
		t.pieces = append(t.pieces, piece{text: text[at:], plain: true})
	}
	return t, nil
}

// append draws the numbers and appends the text.
func (t *template) append(to []byte, random *rand.Rand) []byte {
	for i := range t.pieces {
		p := &t.pieces[i]
		to = append(to, p.text...)
		if !p.plain {
			to = strconv.AppendInt(to, p.low+random.Int64N(p.span), 10)
		}
	}
	return to
}

// example is the text with the lowest numbers.
func (t *template) example() string {
	var b strings.Builder
	for _, p := range t.pieces {
		b.WriteString(p.text)
		if !p.plain {
			b.WriteString(strconv.FormatInt(p.low, 10))
		}
	}
	return b.String()
}

// parsePath reads a path with its query.
func parsePath(text string) (template, error) {
	if text == "" {
		return template{}, errors.New(`no path follows the method: write it as in "GET /playwright?id=eq.1"`)
	}
	if text[0] != '/' {
		return template{}, fmt.Errorf("path %q: must begin with a slash; the server is named elsewhere", shorten(text))
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c <= ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '^' || c == '`':
			return template{}, fmt.Errorf("path %q: %q must be written as %%%02X", shorten(text), text[i:i+1], c)
		case c == '#':
			return template{}, fmt.Errorf("path %q: a fragment (#) never reaches a server; a # that belongs to the path is written as %%23", shorten(text))
		}
	}
	t, err := parseTemplate(text)
	if err != nil {
		return t, fmt.Errorf("path %q: %w", shorten(text), err)
	}
	if _, err := url.ParseRequestURI(t.example()); err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return t, fmt.Errorf("path %q: %w", shorten(text), err)
	}
	return t, nil
}

// parseBody reads a body, which is JSON unless the user has given it another type.
func parseBody(text string, typed bool) (template, error) {
	t, err := parseTemplate(text)
	if err != nil {
		return t, fmt.Errorf("body: %w", err)
	}
	if text == "" || typed {
		return t, nil
	}
	var any json.RawMessage
	if err := json.Unmarshal([]byte(t.example()), &any); err != nil {
		return t, fmt.Errorf("body %q: is not JSON: %w; for another type put a line Content-Type: above it", shorten(text), err)
	}
	return t, nil
}
