package web

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// asked makes one request of k and reads it as a server would.
func asked(t testing.TB, k *kind, seed uint64) (*http.Request, []byte, string) {
	t.Helper()
	s, err := parseURL("http://api.test:3000/v1")
	if err != nil {
		t.Fatal(err)
	}
	k.complete(s, "Authorization: Bearer a.b.c\r\n")
	b := &building{random: rand.New(rand.NewPCG(seed, 1))}
	text := k.append(nil, b)
	in := bufio.NewReader(bytes.NewReader(text))
	r, err := http.ReadRequest(in)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	body := new(bytes.Buffer)
	if _, err := body.ReadFrom(r.Body); err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if in.Buffered() > 0 {
		t.Fatalf("%d bytes too many in\n%s", in.Buffered(), text)
	}
	return r, body.Bytes(), string(text)
}

func TestParseRequests(t *testing.T) {
	const text = `
# reading
GET /playwright?id=eq.{1..20}
	3   GET   /dialogue?scene_id=in.({1..2},{3..4})&order=line_no
GET /dialogue?scene_id=eq.7

Prefer: return=representation
X-Trace:on
0.5 POST /dialogue {"scene_id": {5..5}, "line": "a {b} c"}
prefer:
Content-Type: text/csv
POST /dialogue line,scene_id
Authorization: Basic eDp5
DELETE /dialogue?line_no=gt.{-3..-3}
DELETE /dialogue?line_no=gt.{-3..-3}
`
	own, err := ParseRequests(text)
	if err != nil {
		t.Fatal(err)
	}
	kinds := ownKinds(own)
	type seen struct {
		name, line, body string
		share            float64
		header           map[string]string
	}
	var got []seen
	for _, k := range kinds {
		r, body, _ := asked(t, k, 1)
		s := seen{k.name, r.Method + " " + r.RequestURI, string(body), k.share, map[string]string{}}
		for name, values := range r.Header {
			if name != "User-Agent" {
				s.header[name] = strings.Join(values, " AND ")
			}
		}
		got = append(got, s)
	}
	const token = "Bearer a.b.c"
	want := []seen{
		{"GET /playwright", `GET /v1/playwright\?id=eq\.(1?[1-9]|10|20)`, "", 1, map[string]string{"Authorization": token}},
		{"GET /dialogue?scene_id=in.({1..2},{3..4})&order=line_no", `GET /v1/dialogue\?scene_id=in\.\([12],[34]\)&order=line_no`, "", 3, map[string]string{"Authorization": token}},
		{"GET /dialogue?scene_id=eq.7", `GET /v1/dialogue\?scene_id=eq\.7`, "", 1, map[string]string{"Authorization": token}},
		{
			"POST /dialogue (line 9)", `POST /v1/dialogue`, `{"scene_id": 5, "line": "a {b} c"}`, 0.5,
			map[string]string{"Authorization": token, "Prefer": "return=representation", "X-Trace": "on", "Content-Type": "application/json", "Content-Length": "34"},
		},
		{
			"POST /dialogue (line 12)", `POST /v1/dialogue`, `line,scene_id`, 1,
			map[string]string{"Authorization": token, "X-Trace": "on", "Content-Type": "text/csv", "Content-Length": "13"},
		},
		{
			"DELETE /dialogue?line_no=gt.{-3..-3} (line 14)", `DELETE /v1/dialogue\?line_no=gt\.-3`, "", 1,
			map[string]string{"Authorization": "Basic eDp5", "X-Trace": "on", "Content-Type": "text/csv"},
		},
		{
			"DELETE /dialogue?line_no=gt.{-3..-3} (line 15)", `DELETE /v1/dialogue\?line_no=gt\.-3`, "", 1,
			map[string]string{"Authorization": "Basic eDp5", "X-Trace": "on", "Content-Type": "text/csv"},
		},
	}
	if len(got) != len(want) {
		t.Fatalf("%d requests, want %d: %+v", len(got), len(want), got)
	}
	for i, w := range want {
		if !regexp.MustCompile(`^` + w.line + `$`).MatchString(got[i].line) {
			t.Errorf("request %d is %s, want it to match %s", i, got[i].line, w.line)
		}
		w.line = got[i].line
		if !reflect.DeepEqual(got[i], w) {
			t.Errorf("request %d:\n got %+v\nwant %+v", i, got[i], w)
		}
	}
}

func TestParseRequestsRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "there is no request",
		"# only a comment":                   "there is no request",
		"FETCH /x":                           `line 1: "FETCH" is neither a method`,
		"get /x":                             `line 1: method "get": must be in capitals, GET`,
		"\nGET":                              "line 2: no path follows the method",
		"GET x":                              `path "x": must begin with a slash`,
		"GET http://a/x":                     "must begin with a slash; the server is named elsewhere",
		"GET /x#y":                           "a fragment (#) never reaches a server",
		"GET /ä":                             "must be written as %C3",
		`GET /x?a="b"`:                       "must be written as %22",
		"GET /%zz":                           `invalid URL escape "%zz"`,
		"GET /x?a={9..1}":                    "{9..1}: must be {A..B} with whole numbers, and A not above B",
		"GET /x?a={1..99999999999999999999}": "must be {A..B} with whole numbers",
		"GET /x?a={-9223372036854775808..9223372036854775807}": "must be {A..B} with whole numbers",
		"0 GET /x":              `share "0": must be a number above 0`,
		"-1 GET /x":             `share "-1": must be`,
		"1e400 GET /x":          `share "1e400": must be`,
		"35% GET /x":            `share "35%": must be`,
		"7":                     "share 7: no request follows it",
		`POST /x {"a": }`:       "is not JSON",
		`POST /x {"a": {1..2}`:  "is not JSON",
		"POST /x hello":         `body "hello": is not JSON`,
		"Host: x\nGET /":        "line 1: header Host: is set by the bench itself",
		"content-length: 3":     "header Content-Length: is set by the bench itself",
		"X-Y: a\x01b\nGET /":    "header X-Y: has a control character",
		"BAD 1\nBAD 2\nGET /ok": "line 2: \"BAD\"",
	} {
		got, err := ParseRequests(text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v; want %q", text, got, err, want)
		}
	}
	_, err := ParseRequests(strings.Repeat("BAD\n", 1000))
	if lines := strings.Count(err.Error(), "\n") + 1; lines != mostProblems {
		t.Errorf("%d problems told, want %d", lines, mostProblems)
	}
}

// Whatever is accepted makes one whole HTTP request, with the method and the headers that were written, and nothing smuggled in beside it.
func FuzzParseRequests(f *testing.F) {
	for _, s := range []string{
		"GET /playwright?id=eq.{1..20}", "2 POST /d {\"a\": {1..3}}", "X-A: b\nPUT /x text", "Content-Type: a/b\r\nPATCH /x y\r\n", "GET /a b", "GET /{1..2}{3..4}\nGET /",
		"A:\nGET /", "Authorization: x\nOPTIONS /*", "DELETE /%41?{0..0}", "3.5e0\tHEAD /\t",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		own, err := ParseRequests(text)
		if err != nil {
			return
		}
		names := map[string]bool{}
		for i, k := range ownKinds(own) {
			if names[k.name] {
				t.Errorf("two requests have the name %q", k.name)
			}
			names[k.name] = true
			r, body, raw := asked(t, k, uint64(i))
			if r.Method != own[i].Method || !strings.HasPrefix(r.RequestURI, "/v1/") {
				t.Errorf("%s %s came out of %+v", r.Method, r.RequestURI, own[i])
			}
			if r.Header.Get("Content-Type") == "application/json" && len(body) > 0 && own[i].Header[len(own[i].Header)-1][1] == "application/json" && !json.Valid(body) {
				t.Errorf("body %q is not JSON", body)
			}
			if head, _, _ := strings.Cut(raw, "\r\n\r\n"); strings.Contains(strings.ReplaceAll(head, "\r\n", ""), "\n") {
				t.Errorf("a line feed in the head: %q", raw)
			}
		}
	})
}

func TestSampleKinds(t *testing.T) {
	number := func(s string) string { return strings.ReplaceAll(s, "N", `[1-9][0-9]*`) }
	line := func(how string) string { return `"line":"` + how + ` by the bench, take N\."}` }
	want := map[string][]string{ // name and method: share, request, body, Prefer
		"get-by-pk GET":        {"35", `/playwright\?id=eq\.N`, "", ""},
		"get-list GET":         {"25", `/dialogue\?select=line_no,character_id,line&scene_id=eq\.N&line=ilike\.\*[a-z]+\*&order=line_no&limit=5&offset=[05]`, "", ""},
		"get-embed GET":        {"15", `/script\?id=eq\.N&select=\*,playwright\(name\),scene\(act,number,dialogue\(line_no,line\)\)`, "", ""},
		"head-count HEAD":      {"5", `/dialogue\?scene_id=in\.\(N,N,N\)&limit=10`, "", "count=exact"},
		"post POST":            {"8", `/dialogue`, `{"scene_id":N,"line_no":N,"character_id":null,` + line("Posted"), ""},
		"patch PATCH":          {"4", `/dialogue\?scene_id=eq\.N&line_no=eq\.N`, `{` + line("Patched"), ""},
		"rpc GET":              {"5", `/rpc/search_lines\?q=[a-z%0-9]+`, "", ""},
		"rpc POST":             {"2", `/rpc/add_cue`, `{"scene_id":N,` + line("Cued"), ""},
		"prereq-rollback POST": {"1", `/dialogue`, `{"scene_id":N,"line_no":N,"character_id":null,` + line("Posted"), "tx=rollback"},
	}
	sum := 0.0
	for _, k := range sampleKinds(10) {
		w, ok := want[k.name+" "+k.method]
		if !ok {
			t.Errorf("unexpected %s by %s", k.name, k.method)
			continue
		}
		delete(want, k.name+" "+k.method)
		sum += k.share
		for seed := range uint64(300) {
			r, body, raw := asked(t, k, seed)
			if !regexp.MustCompile("^/v1"+number(w[1])+"$").MatchString(r.RequestURI) || !regexp.MustCompile("^"+number(w[2])+"$").Match(body) || r.Header.Get("Prefer") != w[3] {
				t.Fatalf("%s is not as wanted:\n%s", k.name, raw)
			}
			if len(body) > 0 && (!json.Valid(body) || r.Header.Get("Content-Type") != "application/json") {
				t.Fatalf("body is not sent as JSON:\n%s", raw)
			}
		}
	}
	if len(want) > 0 || sum != 100 {
		t.Errorf("missing: %v; the shares are %v together", want, sum)
	}
}

func TestMixKeepsShares(t *testing.T) {
	const n = 200_000
	m := newMix(sampleKinds(1))
	random := rand.New(rand.NewPCG(1, 2))
	count := map[*kind]int{}
	for range n {
		count[m.next(random)]++
	}
	for _, k := range m.kinds {
		// Five standard deviations of a binomial distribution are below 0.6 points for each of them.
		if got := 100 * float64(count[k]) / n; got < k.share-0.6 || got > k.share+0.6 {
			t.Errorf("%s by %s: %.2f%% of requests, want %v%%", k.name, k.method, got, k.share)
		}
	}
}
