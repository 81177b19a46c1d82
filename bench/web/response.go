package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
)

const (
	scratch  = 16 << 10 // bytes of a body at a time
	mostText = 2 << 10  // of an error's body that are looked at
)

// response is what remains of one once its body is read.
type response struct {
	status  int
	close   bool   // the connection ends with it
	begun   bool   // at least its head has come
	text    []byte // the beginning of the body, in the client's memory
	line    string // "503 Service Unavailable"
	moved   string // a redirect's Location
	server  string // that header
	applied string // Preference-Applied
}

// read takes a response in, whole. It skips the interim ones (1xx).
func (c *client) read(k *kind) (r response, err error) {
	for {
		if _, err := c.conn.in.Peek(1); err != nil {
			return r, err
		}
		r.begun = true
		resp, err := http.ReadResponse(c.conn.in, k.request)
		if err != nil {
			return r, fmt.Errorf("what came is no HTTP response: %w", err)
		}
		if resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		r.status, r.close, r.line = resp.StatusCode, resp.Close, resp.Status
		if r.status >= 300 {
			r.moved = resp.Header.Get("Location")
		}
		r.server, r.applied = resp.Header.Get("Server"), resp.Header.Get("Preference-Applied")
		return r, c.drain(&r, resp.Body)
	}
}

// drain reads a body to its end, and keeps the beginning.
func (c *client) drain(r *response, body io.Reader) error {
	kept := 0
	for {
		n, err := body.Read(c.scratch[kept:])
		kept = min(kept+n, max(kept, mostText))
		if err == io.EOF { //nolint:errorlint // Readers return it as it is
			r.text = c.scratch[:kept]
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// words says what an error response says: PostgREST's message and code, else the status.
func (r *response) words() string {
	var told struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	switch {
	case json.Unmarshal(r.text, &told) == nil && told.Message != "":
		if told.Code == "" {
			return told.Message
		}
		return told.Message + " (" + told.Code + ")"
	case r.moved != "":
		return r.line + ": it has moved to " + r.moved
	case r.status == http.StatusSwitchingProtocols:
		return r.line + ": nobody has asked for that"
	}
	return r.line
}

// lost puts an error of a connection into words.
func lost(err error) string {
	switch {
	case errors.Is(err, io.EOF):
		return "the server closed the connection without an answer"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "the server closed the connection in the middle of an answer"
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
