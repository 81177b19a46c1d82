package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"poolerd/bench/load"
)

func TestResponses(t *testing.T) {
	const problem = `{"code":"23505","details":"Key (id)=(1) already exists.","hint":null,"message":"duplicate key value"}`
	respond := func(status, body string, header ...string) string {
		return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s", status, len(body), strings.Join(append(header, ""), "\r\n"), body)
	}
	for _, c := range []struct {
		name, response string
		code, text     string
	}{
		{"length", respond("200 OK", "[]"), "", ""},
		{"created", "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n", "", ""},
		{"no content", "HTTP/1.1 204 No Content\r\n\r\n", "", ""},
		{"partial", respond("206 Partial Content", "[]"), "", ""},
		{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n[\r\n1\r\n]\r\n0\r\nServer-Timing: x\r\n\r\n", "", ""},
		{"long", respond("200 OK", strings.Repeat("x", 100_000)), "", ""},
		{"interim", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok, "", ""},
		{"moved", respond("307 Temporary Redirect", "", "Location: /other"), "http-307", "307 Temporary Redirect: it has moved to /other"},
		{"problem", respond("409 Conflict", problem), "http-409", "duplicate key value (23505)"},
		{"problem without code", respond("400 Bad Request", `{"message":"no"}`), "http-400", "no"},
		{"plain", respond("503 Service Unavailable", "try later"), "http-503", "503 Service Unavailable"},
		{"long problem", respond("500 Internal Server Error", strings.Repeat("{", 100_000)), "http-500", "500 Internal Server Error"},
		{"upgrade", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n", "http-101", "101 Switching Protocols: nobody has asked for that"},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The second response shows that the first was taken in whole.
			client := connected(t, Options{URL: script(t, answering(c.response, ok)), Requests: "GET /x"})
			got := client.Run(soon(t))
			if want := (load.Done{Name: "GET /x", Code: c.code, Text: c.text}); got != want {
				t.Errorf("%+v, want %+v", got, want)
			}
			if c.name == "upgrade" {
				return
			}
			if again := client.Run(soon(t)); again.Code != "" {
				t.Errorf("the next: %+v", again)
			}
		})
	}
}

func TestHeadHasNoBody(t *testing.T) {
	client := connected(t, Options{URL: script(t, answering("HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", ok)), Requests: "HEAD /x"})
	for range 2 {
		if got := client.Run(soon(t)); got.Code != "" {
			t.Errorf("%+v", got)
		}
	}
}

// A few texts of each code are enough, and all are counted.
func TestTextsAreFew(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }))
	t.Cleanup(s.Close)
	client := connected(t, Options{URL: s.URL, Requests: "GET /x"})
	texts := 0
	for range 10 {
		got := client.Run(soon(t))
		if got.Code != "http-429" || got.Expected {
			t.Fatalf("%+v", got)
		}
		if got.Text != "" {
			texts++
		}
	}
	if texts != textsEach {
		t.Errorf("%d texts, want %d", texts, textsEach)
	}
}

func TestOneConnection(t *testing.T) {
	var conns atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/last" {
			w.Header().Set("Connection", "close")
		}
		_, _ = io.WriteString(w, "{}")
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			conns.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	run := func(path string) {
		t.Helper()
		client := connected(t, Options{URL: s.URL, Requests: "GET " + path})
		for range 20 {
			if got := client.Run(soon(t)); got.Code != "" {
				t.Fatalf("%+v", got)
			}
		}
	}
	run("/")
	if n := conns.Load(); n != 1 {
		t.Errorf("20 requests over %d connections", n)
	}
	run("/last")
	if n := conns.Load(); n != 21 {
		t.Errorf("20 requests, each the last of its connection, over %d connections", n-1)
	}
}

// A server may close an idle connection just when a request is on its way.
func TestClosedMeanwhile(t *testing.T) {
	t.Run("read", func(t *testing.T) {
		client := connected(t, Options{URL: script(t, answering(ok), answering(ok)), Requests: "GET /x"})
		for range 2 {
			if got := client.Run(soon(t)); got.Code != "" {
				t.Errorf("%+v", got)
			}
		}
		if got := client.Run(soon(t)); got.Code != "connect" {
			t.Errorf("%+v; want that nobody is there", got)
		}
	})
	t.Run("write", func(t *testing.T) {
		client := connected(t, Options{URL: script(t, answering(ok), answering(ok)), Requests: "POST /x"})
		for i, want := range []string{"", "lost", ""} {
			if got := client.Run(soon(t)); got.Code != want {
				t.Errorf("request %d: %+v, want %q", i, got, want)
			}
		}
	})
	t.Run("first", func(t *testing.T) {
		client := connected(t, Options{URL: script(t, answering("")), Requests: "GET /x"})
		got := client.Run(soon(t))
		if want := (load.Done{Name: "GET /x", Code: "lost", Text: "the server closed the connection without an answer"}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
	t.Run("middle", func(t *testing.T) {
		client := connected(t, Options{URL: script(t, answering(ok, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[")), Requests: "GET /x"})
		client.Run(soon(t))
		got := client.Run(soon(t))
		if want := (load.Done{Name: "GET /x", Code: "lost", Text: "the server closed the connection in the middle of an answer"}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	})
	t.Run("nonsense", func(t *testing.T) {
		client := connected(t, Options{URL: script(t, answering("SSH-2.0-x\r\n\r\n")), Requests: "GET /x"})
		if got := client.Run(soon(t)); got.Code != "lost" || !strings.Contains(got.Text, "no HTTP response") {
			t.Errorf("%+v", got)
		}
	})
}

// A connection that was closed while it was idle is noticed before a request is lost on it.
func TestStaleConnectionIsReplaced(t *testing.T) {
	closed := make(chan struct{})
	url := script(t, func(c net.Conn, in *bufio.Reader) {
		answering(ok)(c, in)
		_ = c.Close()
		close(closed)
	}, answering(ok))
	c := connected(t, Options{URL: url, Requests: "POST /x"}).(*client)
	c.Run(soon(t))
	<-closed
	conn := c.conn
	for limit := time.After(patience); !conn.raw.Gone(); {
		select {
		case <-limit:
			t.Fatal("the close never came")
		default:
		}
	}
	conn.last = conn.last.Add(-2 * idleFor)
	if got := c.Run(soon(t)); got.Code != "" {
		t.Errorf("%+v", got)
	}
}

func TestTimeout(t *testing.T) {
	hang := make(chan struct{})
	url := script(t, func(net.Conn, *bufio.Reader) { <-hang }, answering(ok))
	t.Cleanup(func() { close(hang) }) // before the server's own cleanup, which waits for it
	client := connected(t, Options{URL: url, Requests: "GET /x", Limit: 50 * time.Millisecond})
	got := client.Run(soon(t))
	if want := (load.Done{Name: "GET /x", Code: "timeout", Text: "no answer within 50ms"}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := client.Run(soon(t)); got.Code != "" {
		t.Errorf("afterwards: %+v", got)
	}
}

func TestContextCutsShort(t *testing.T) {
	arrived, hang := make(chan struct{}), make(chan struct{})
	url := script(t, func(_ net.Conn, in *bufio.Reader) {
		take(in)
		close(arrived)
		<-hang
	}, answering(ok))
	t.Cleanup(func() { close(hang) })
	client := connected(t, Options{URL: url, Requests: "GET /x"})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan load.Done, 1)
	go func() { done <- client.Run(ctx) }()
	<-arrived
	cancel()
	select {
	case got := <-done:
		if got.Code != "lost" || got.Text != errCut.Error() {
			t.Errorf("%+v", got)
		}
	case <-time.After(patience):
		t.Fatal("Run did not return")
	}
	if got := client.Run(ctx); got.Code == "" {
		t.Error("a request succeeded after its context had ended")
	}
	if got := client.Run(soon(t)); got.Code != "" {
		t.Errorf("in a new run: %+v", got)
	}
}

func TestSecure(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
	t.Cleanup(s.Close)
	s.Config.ErrorLog = nil
	_, err := Open(t.Context(), Options{URL: s.URL, Requests: "GET /"})
	if err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a certificate that nobody vouches for: %v", err)
	}
	c, err := (&Options{URL: s.URL, Requests: "GET /"}).complete()
	if err != nil {
		t.Fatal(err)
	}
	c.server.roots = s.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	defer func() { _ = c.Close() }()
	for range 3 {
		if got := c.Run(soon(t)); got.Code != "" {
			t.Errorf("%+v", got)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := nobody.Close(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{URL: "http://" + nobody.Addr().String()}, "connect to " + nobody.Addr().String() + ": dial tcp"},
		{Options{URL: "127.0.0.1:3000"}, "the HTTP server's URL"},
		{Options{URL: "ftp://x"}, "must begin with http:// or https://"},
		{Options{URL: "http:///x"}, "names no host"},
		{Options{URL: "http://x/y?z"}, "what follows ? or # belongs to the requests"},
		{Options{URL: "http://me:secret@x/"}, "http://me:xxxxx@x/: a user in it is not supported"},
		{Options{URL: "http://x", Token: "a\r\nb"}, "the HTTP token: has characters that no token has"},
		{Options{URL: "http://x", Secret: "short"}, "the HTTP secret: has 5 bytes"},
		{Options{URL: "http://x", Scale: -1}, "none may be negative"},
		{Options{URL: "http://x", Requests: "GRAB /x"}, `line 1: "GRAB"`},
	} {
		client, err := Open(t.Context(), c.o)
		if err == nil {
			_ = client.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v; want %q", c.o, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret@") {
			t.Errorf("an error tells a password: %v", err)
		}
	}
}

func TestSameSeedAsksTheSame(t *testing.T) {
	ask := func(client int) (paths []string) {
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { paths = append(paths, r.Method+" "+r.RequestURI) }))
		defer s.Close()
		c := connected(t, Options{URL: s.URL, Seed: 7, Client: client})
		for range 50 {
			c.Run(soon(t))
		}
		_ = c.Close()
		return paths
	}
	first, again, other := ask(1), ask(1), ask(2)
	if fmt.Sprint(first) != fmt.Sprint(again) {
		t.Error("the same seed and client asked other things")
	}
	if fmt.Sprint(first) == fmt.Sprint(other) {
		t.Error("two clients asked the same")
	}
	for _, r := range first {
		if !strings.HasPrefix(r, "GET ") && !strings.HasPrefix(r, "HEAD ") {
			t.Errorf("without a token: %s", r)
		}
	}
}
