package web

import (
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
)

// kind is one sort of request.
type kind struct {
	name   string // that its latencies go by
	share  float64
	method string
	header string // whole lines, beside those of all requests
	expect []int  // statuses that are part of the load
	writes bool   // needs a token on the sample
	repeat bool   // may be sent again after a lost connection (RFC 9110, 9.2.2)

	// build appends path and body to b's.
	build func(b *building)

	before  string        // the request's text up to the path
	after   string        // from the path's end to Content-Length, or to the end of the headers
	request *http.Request // for net/http to know the method
}

// building is a request being made, in memory of the client's.
type building struct {
	random     *rand.Rand
	path, body []byte
}

// complete makes what does not change from one request to the next.
func (k *kind) complete(s *server, authorization string) {
	k.before = k.method + " " + s.prefix
	k.after = " HTTP/1.1\r\nHost: " + s.host + "\r\n"
	for _, line := range []string{"User-Agent: poolerd-bench\r\n", authorization} {
		if name, _, _ := strings.Cut(line, ":"); !strings.Contains("\n"+k.header, "\n"+name+":") { // a user's own wins
			k.after += line
		}
	}
	k.after += k.header
	k.request = &http.Request{Method: k.method}
	switch k.method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodPut, http.MethodDelete, http.MethodTrace:
		k.repeat = true
	}
}

// append makes the next request of this kind and appends it to out.
func (k *kind) append(out []byte, b *building) []byte {
	b.path, b.body = b.path[:0], b.body[:0]
	k.build(b)
	out = append(out, k.before...)
	out = append(out, b.path...)
	out = append(out, k.after...)
	if len(b.body) > 0 || k.method == http.MethodPost || k.method == http.MethodPatch || k.method == http.MethodPut {
		out = append(out, "Content-Length: "...)
		out = strconv.AppendInt(out, int64(len(b.body)), 10)
		out = append(out, "\r\n"...)
	}
	out = append(out, "\r\n"...)
	return append(out, b.body...)
}

// mix chooses among kinds by their shares.
type mix struct {
	kinds []*kind
	upTo  []float64 // sums of the shares
}

func newMix(kinds []*kind) mix {
	m := mix{kinds: kinds}
	sum := 0.0
	for _, k := range kinds {
		sum += k.share
		m.upTo = append(m.upTo, sum)
	}
	return m
}

// next draws a kind.
func (m *mix) next(random *rand.Rand) *kind {
	x := random.Float64() * m.upTo[len(m.upTo)-1]
	for i, sum := range m.upTo {
		if x < sum {
			return m.kinds[i]
		}
	}
	return m.kinds[len(m.kinds)-1]
}

// in is a whole number from 1 to n.
func (b *building) in(n int) int { return 1 + b.random.IntN(n) }

// number appends a whole number to text.
func number(text []byte, n int) []byte { return strconv.AppendInt(text, int64(n), 10) }
