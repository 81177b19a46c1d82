package web

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
)

// Request is one of the user's own.
type Request struct {
	Name   string  // "GET /playwright": method and path; with the query where another has the same
	Share  float64 // of the mix
	Method string
	Header [][2]string // names and values, in the order of the text

	path, body template
	line       int
}

const mostProblems = 10

// ParseRequests reads requests, one a line:
//
//	# a comment
//	GET /playwright?id=eq.{1..20}
//	3 GET /dialogue?scene_id=eq.{1..480}&order=line_no
//	Prefer: return=representation
//	0.5 POST /dialogue {"scene_id": {1..480}, "line_no": {1000..2000000000}, "line": "Enter a stranger."}
//
// A number in front is the request's share of the mix; 1 where there is none. {A..B} stands for a whole number from A to B, drawn anew for
// each request. What follows the path is the body, sent as application/json. A line "Name: value" is a header of all requests below it, until
// "Name:" takes it away; with a Content-Type of its own a body need not be JSON. The error tells every problem, with its line.
func ParseRequests(text string) ([]Request, error) {
	p := requestParser{}
	for i, line := range strings.Split(text, "\n") {
		if err := p.line(strings.TrimSpace(line), i+1); err != nil {
			p.problems = append(p.problems, fmt.Errorf("line %d: %w", i+1, err))
			if len(p.problems) == mostProblems {
				break
			}
		}
	}
	if len(p.problems) > 0 {
		return nil, errors.Join(p.problems...)
	}
	if len(p.all) == 0 {
		return nil, errors.New(`there is no request: write one a line, as in "GET /playwright?id=eq.{1..20}"`)
	}
	p.distinguish()
	return p.all, nil
}

type requestParser struct {
	header   [][2]string
	all      []Request
	problems []error
}

func (p *requestParser) line(text string, no int) error {
	if text == "" || text[0] == '#' {
		return nil
	}
	first, rest := cut(text)
	if name, ok := headerName(first); ok {
		return p.setHeader(name, text[len(name)+1:])
	}
	r := Request{Share: 1, line: no}
	if first[0] >= '0' && first[0] <= '9' || first[0] == '.' || first[0] == '-' || first[0] == '+' {
		share, err := strconv.ParseFloat(first, 64)
		if err != nil || !(share > 0) || math.IsInf(share, 0) {
			return fmt.Errorf("share %q: must be a number above 0, as in \"2.5 GET /path\"", first)
		}
		r.Share = share
		if first, rest = cut(rest); first == "" {
			return fmt.Errorf("share %v: no request follows it", share)
		}
	}
	r.Method = first
	if err := checkMethod(first); err != nil {
		return err
	}
	path, body := cut(rest)
	var err error
	if r.path, err = parsePath(path); err != nil {
		return err
	}
	r.Header = p.headersFor(body != "")
	if r.body, err = parseBody(body, p.hasType()); err != nil {
		return err
	}
	r.Name, _, _ = strings.Cut(r.Method+" "+path, "?")
	p.all = append(p.all, r)
	return nil
}

// cut splits at the first blanks.
func cut(text string) (first, rest string) {
	i := strings.IndexAny(text, " \t")
	if i < 0 {
		return text, ""
	}
	return text[:i], strings.TrimSpace(text[i:])
}

// methods are those that a load can be made of. CONNECT and TRACE are for proxies and tests.
var methods = [...]string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions,
}

func checkMethod(text string) error {
	for _, m := range methods {
		if text == m {
			return nil
		}
		if strings.EqualFold(text, m) {
			return fmt.Errorf("method %q: must be in capitals, %s", text, m)
		}
	}
	return fmt.Errorf("%q is neither a method (%s) nor a header (Name: value)", shorten(text), strings.Join(methods[:], ", "))
}

// headerName takes "Name:" or "Name:value" apart.
func headerName(first string) (string, bool) {
	name, _, found := strings.Cut(first, ":")
	if !found || name == "" {
		return "", false
	}
	for _, r := range name {
		if !isTokenRune(r) {
			return "", false
		}
	}
	return name, true
}

// isTokenRune follows RFC 9110, 5.6.2.
func isTokenRune(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return true
	}
	return strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}

// reserved are headers that the client sets itself.
var reserved = map[string]bool{
	"Host": true, "Content-Length": true, "Transfer-Encoding": true, "Connection": true, "Expect": true, "Upgrade": true, "Te": true, "Trailer": true,
}

func (p *requestParser) setHeader(name, value string) error {
	name, value = http.CanonicalHeaderKey(name), strings.TrimSpace(value)
	if reserved[name] {
		return fmt.Errorf("header %s: is set by the bench itself", name)
	}
	for _, r := range value {
		if r < ' ' && r != '\t' || r == 0x7f {
			return fmt.Errorf("header %s: has a control character", name)
		}
	}
	var kept [][2]string
	for _, h := range p.header {
		if h[0] != name {
			kept = append(kept, h)
		}
	}
	if value != "" {
		kept = append(kept, [2]string{name, value})
	}
	p.header = kept
	return nil
}

func (p *requestParser) hasType() bool {
	for _, h := range p.header {
		if h[0] == "Content-Type" {
			return true
		}
	}
	return false
}

// headersFor are the headers of the next request. They are not changed afterwards.
func (p *requestParser) headersFor(body bool) [][2]string {
	all := p.header[:len(p.header):len(p.header)]
	if body && !p.hasType() {
		all = append(all, [2]string{"Content-Type", "application/json"})
	}
	return all
}

// distinguish gives requests whose names are the same their query, and where that is the same too, their line.
func (p *requestParser) distinguish() {
	for _, longer := range []func(*Request) string{
		func(r *Request) string { return r.Method + " " + r.path.text },
		func(r *Request) string { return fmt.Sprintf("%s %s (line %d)", r.Method, r.path.text, r.line) },
	} {
		count := map[string]int{}
		for i := range p.all {
			count[p.all[i].Name]++
		}
		for i := range p.all {
			if r := &p.all[i]; count[r.Name] > 1 {
				r.Name = longer(r)
			}
		}
	}
}

func shorten(text string) string {
	const most = 40
	if len(text) <= most {
		return text
	}
	return text[:most] + "..."
}

// ownKinds are the user's requests as kinds.
func ownKinds(own []Request) []*kind {
	var kinds []*kind
	for _, r := range own {
		var header strings.Builder
		for _, h := range r.Header {
			header.WriteString(h[0] + ": " + h[1] + "\r\n")
		}
		kinds = append(kinds, &kind{
			name: r.Name, share: r.Share, method: r.Method, header: header.String(),
			build: func(b *building) {
				b.path = r.path.append(b.path, b.random)
				b.body = r.body.append(b.body, b.random)
			},
		})
	}
	return kinds
}
