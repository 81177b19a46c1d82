package web

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"
	"time"
)

// canned answers every request with the same bytes, and allocates nothing for it.
func canned(c net.Conn, in *bufio.Reader) {
	response := []byte("HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 12:00:00 GMT\r\nServer: postgrest/14.14\r\nContent-Range: 0-0/*\r\n" +
		"Content-Location: /playwright?id=eq.1\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n[]")
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		if len(line) > 2 {
			continue
		}
		if _, err := c.Write(response); err != nil {
			return
		}
	}
}

// mostAllocations a request are those of net/http for a response with its headers.
const mostAllocations = 16

func TestAllocations(t *testing.T) {
	c := connected(t, Options{URL: script(t, canned), Requests: "GET /playwright?id=eq.{1..20}"})
	ctx := soon(t)
	n := testing.AllocsPerRun(500, func() {
		if d := c.Run(ctx); d.Code != "" {
			t.Fatalf("%+v", d)
		}
	})
	t.Logf("%v allocations a request", n)
	if n > mostAllocations {
		t.Errorf("%v allocations a request, want at most %d", n, mostAllocations)
	}
}

// Making a request allocates nothing.
func TestRequestIsMadeWithoutAllocations(t *testing.T) {
	c, err := (&Options{URL: "http://127.0.0.1:1", Token: "a.b.c"}).complete()
	if err != nil {
		t.Fatal(err)
	}
	next := func() { c.out = c.mix.next(c.random).append(c.out[:0], &c.making) }
	for range 1000 { // memory for the longest request
		next()
	}
	if n := testing.AllocsPerRun(1000, next); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func cannedServer(b *testing.B) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		c, err := l.Accept()
		if err != nil {
			return
		}
		canned(c, bufio.NewReader(c))
		_ = c.Close()
	}()
	b.Cleanup(func() { _ = l.Close(); <-done })
	return "http://" + l.Addr().String()
}

// processor is the time that this process has used: what counts for a load generator beside what it measures.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkRequest(b *testing.B) {
	c, err := Open(b.Context(), Options{URL: cannedServer(b), Requests: "GET /playwright?id=eq.{1..20}"})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	used := processor(b)
	for b.Loop() {
		if d := c.Run(b.Context()); d.Code != "" {
			b.Fatalf("%+v", d)
		}
	}
	b.ReportMetric(float64((processor(b)-used).Microseconds())/float64(b.N), "cpu-µs/op")
	_ = c.Close()
}

// BenchmarkNetHTTP is what the same costs through net/http's Client.
func BenchmarkNetHTTP(b *testing.B) {
	url := cannedServer(b) + "/playwright?id=eq.1"
	transport := &http.Transport{MaxConnsPerHost: 1, DisableCompression: true}
	client := &http.Client{Transport: transport}
	b.ReportAllocs()
	used := processor(b)
	for b.Loop() {
		r, err := client.Get(url)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			b.Fatal(err)
		}
		if err := r.Body.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((processor(b)-used).Microseconds())/float64(b.N), "cpu-µs/op")
	transport.CloseIdleConnections()
}
