package sock

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

func serverConfig() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{certificate()}, DynamicRecordSizingDisabled: true}
}

func clientConfig() *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, DynamicRecordSizingDisabled: true}
}

// tap is the connection below the client's TLS: what is written while held is kept.
type tap struct {
	net.Conn
	hold bool
	held []byte
}

func (c *tap) Write(p []byte) (int, error) {
	if c.hold {
		c.held = append(c.held, p...)
		return len(p), nil
	}
	return c.Conn.Write(p)
}

// release gives the bytes that were held.
func (c *tap) release() []byte {
	held := c.held
	c.hold, c.held = false, nil
	return held
}

// tlsPair gives an armed server's end, and the client's with what is below it.
func tlsPair(t testing.TB, network string, conf *tls.Config) (*Conn, *tls.Conn, *tap) {
	t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(t.TempDir(), "s")
	}
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	out, err := net.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = in.Close(), out.Close() })
	below := &tap{Conn: out}
	far := tls.Client(below, conf)
	done := make(chan error, 1)
	go func() { done <- far.Handshake() }()
	near := tls.Server(Gate(in), serverConfig())
	if err := errors.Join(near.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	c := New(near)
	if !c.Armed() {
		t.Fatal("TLS over a gate does not wait in the poller")
	}
	_ = far.SetDeadline(time.Now().Add(20 * time.Second)) // for whatever is broken
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c, far, below
}

// receive reads until n bytes have come, with buffers of size. Each wait is the poller's.
func receive(t *testing.T, c *Conn, n, size int) []byte {
	t.Helper()
	var got []byte
	var failed error
	buf := make([]byte, size)
	err := c.Serve(func(uintptr) bool {
		for {
			k, err := c.TryRead(buf)
			if errors.Is(err, ErrWait) {
				return false
			}
			got = append(got, buf[:k]...)
			if failed = err; err != nil || len(got) >= n {
				return true
			}
			if c.Drained() {
				return false
			}
		}
	})
	if err := errors.Join(err, failed); err != nil {
		t.Fatalf("%d bytes of %d, then %v", len(got), n, err)
	}
	return got
}

var versions = []struct {
	name string
	max  uint16
}{{"TLS 1.2", tls.VersionTLS12}, {"TLS 1.3", tls.VersionTLS13}}

// TestTLSServe is TestServe over TLS: two calls, with the request written from the first.
func TestTLSServe(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		c, far, _ := tlsPair(t, network, clientConfig())
		go func() {
			b := make([]byte, 4)
			if _, err := io.ReadFull(far, b); err == nil {
				_, _ = far.Write([]byte("pong"))
			}
		}()
		calls := 0
		var got []byte
		err := c.Serve(func(uintptr) bool {
			if calls++; calls == 1 {
				if n, err := c.TryWrite([]byte("ping")); n != 4 || err != nil {
					t.Errorf("wrote %d, %v", n, err)
				}
				return false
			}
			b := make([]byte, 16)
			n, err := c.TryRead(b)
			if errors.Is(err, ErrWait) {
				return false
			}
			got = b[:n]
			return true
		})
		if err != nil || string(got) != "pong" || calls != 2 || !c.Drained() || c.Readable() {
			t.Errorf("%s: %q, %v, %d calls, drained %v, readable %v", network, got, err, calls, c.Drained(), c.Readable())
		}
	}
}

// TestTLSSplit: a record that comes in two parts, cut at each byte, is read once it is whole, and what was there of it before is not lost.
func TestTLSSplit(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			conf := clientConfig()
			conf.MaxVersion = v.max
			c, far, below := tlsPair(t, "tcp", conf)
			want := []byte("one message")
			for cut, size := 1, 2; cut < size; cut++ {
				below.hold = true
				if _, err := far.Write(want); err != nil {
					t.Fatal(err)
				}
				record := below.release()
				size = len(record)
				_, _ = below.Conn.Write(record[:cut])
				f := &c.gate.frames
				err := c.Serve(func(uintptr) bool {
					if n, err := c.TryRead(make([]byte, 100)); n != 0 || !errors.Is(err, ErrWait) {
						t.Errorf("cut at %d: read %d, %v", cut, n, err)
						return true
					}
					return cut < recordHeader && f.have == cut || cut >= recordHeader && f.rest == size-cut && f.have == 0
				})
				if err != nil || c.Readable() {
					t.Fatalf("cut at %d: %v, readable %v", cut, err, c.Readable())
				}
				_, _ = below.Conn.Write(record[cut:])
				if got := receive(t, c, len(want), 100); !bytes.Equal(got, want) || !c.Drained() {
					t.Fatalf("cut at %d: %q, drained %v", cut, got, c.Drained())
				}
			}
		})
	}
}

// TestTLSDrained: several records that came at once are one read, a short read says that nothing is left, and what a small buffer leaves behind is known to be there.
func TestTLSDrained(t *testing.T) {
	for _, v := range versions {
		t.Run(v.name, func(t *testing.T) {
			conf := clientConfig()
			conf.MaxVersion = v.max
			c, far, below := tlsPair(t, "tcp", conf)
			send := func(parts ...string) {
				below.hold = true
				for _, p := range parts {
					_, _ = far.Write([]byte(p))
				}
				_, _ = below.Conn.Write(below.release())
			}
			wait := func(buf []byte) (n int, err error) {
				werr := c.Serve(func(uintptr) bool {
					n, err = c.TryRead(buf)
					return !errors.Is(err, ErrWait)
				})
				return n, errors.Join(werr, err)
			}
			send("ab", "cd", "ef")
			buf := make([]byte, 100)
			if n, err := wait(buf); string(buf[:n]) != "abcdef" || err != nil || !c.Drained() || c.Readable() {
				t.Fatalf("%q, %v, drained %v, readable %v", buf[:n], err, c.Drained(), c.Readable())
			}
			send("abcd", "efgh")
			for i, want := range []string{"abc", "def", "gh"} {
				n, err := wait(buf[:3])
				if string(buf[:n]) != want || err != nil {
					t.Fatalf("%q, %v, want %q", buf[:n], err, want)
				}
				if last := i == 2; c.Drained() != last || c.Readable() == last {
					t.Fatalf("after %q: drained %v, readable %v", want, c.Drained(), c.Readable())
				}
			}
			send("abc") // exactly the buffer: nobody can say that nothing is left
			if n, err := wait(buf[:3]); n != 3 || err != nil || c.Drained() || !c.Readable() {
				t.Fatalf("%d, %v, drained %v, readable %v", n, err, c.Drained(), c.Readable())
			}
			if n, err := c.TryRead(buf[:3]); n != 0 || !errors.Is(err, ErrWait) || c.Readable() {
				t.Fatalf("%d, %v, readable %v", n, err, c.Readable())
			}
			big := bytes.Repeat([]byte("0123456789abcdef"), 1<<14) // 16 records
			go func() { _, _ = far.Write(big) }()
			if got := receive(t, c, len(big), 5000); !bytes.Equal(got, big) {
				t.Fatal("what came is not what was sent")
			}
		})
	}
}

// TestTLSBlockingRead: Read waits as ever, also when a part has been read without waiting, and the other way about.
func TestTLSBlockingRead(t *testing.T) {
	c, far, _ := tlsPair(t, "tcp", clientConfig())
	_, _ = far.Write([]byte("abcdefgh"))
	buf := make([]byte, 3)
	if _, err := io.ReadFull(c, buf); string(buf) != "abc" || err != nil {
		t.Fatalf("%q, %v", buf, err)
	}
	if !c.Readable() {
		t.Error("the rest of a record is not seen")
	}
	if n, err := c.TryRead(buf); string(buf[:n]) != "def" || err != nil {
		t.Fatalf("%q, %v", buf[:n], err)
	}
	go func() { _, _ = far.Write([]byte("i")) }()
	if _, err := io.ReadFull(c, buf); string(buf) != "ghi" || err != nil {
		t.Fatalf("%q, %v", buf, err)
	}
	_ = c.SetReadDeadline(time.Now().Add(time.Millisecond))
	if _, err := c.Read(buf); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a deadline: %v", err)
	}
	_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
	go func() { _, _ = far.Write([]byte("jkl")) }()
	if got := receive(t, c, 3, 10); string(got) != "jkl" {
		t.Errorf("%q after a deadline", got)
	}
}

// TestTLSEnds: what came before the end is given first, whichever way the peer ends.
func TestTLSEnds(t *testing.T) {
	tests := []struct {
		name string
		end  func(far *tls.Conn, below *tap)
		want error
	}{
		{"close", func(far *tls.Conn, _ *tap) { _ = far.Close() }, io.EOF},
		{"half", func(far *tls.Conn, _ *tap) { _ = far.CloseWrite() }, io.EOF},
		{"without a word", func(_ *tls.Conn, below *tap) { _ = below.Conn.Close() }, io.EOF},
		{"inside a record", func(far *tls.Conn, below *tap) {
			below.hold = true
			_, _ = far.Write([]byte("x"))
			record := below.release()
			_, _ = below.Conn.Write(record[:len(record)-1])
			_ = below.Conn.Close()
		}, io.ErrUnexpectedEOF},
	}
	for _, test := range tests {
		c, far, below := tlsPair(t, "tcp", clientConfig())
		_, _ = far.Write([]byte("last words"))
		test.end(far, below)
		var got []byte
		var failed error
		err := c.Serve(func(uintptr) bool {
			buf := make([]byte, 100)
			for {
				n, err := c.TryRead(buf)
				got = append(got, buf[:n]...)
				if errors.Is(err, ErrWait) {
					return false
				}
				if failed = err; err != nil {
					return true
				}
			}
		})
		if err != nil || string(got) != "last words" || !errors.Is(failed, test.want) {
			t.Errorf("%s: %q, %v, %v", test.name, got, err, failed)
		}
		if !c.Readable() {
			t.Errorf("%s: the end does not show", test.name)
		}
		if _, err := c.TryRead(make([]byte, 1)); !errors.Is(err, test.want) {
			t.Errorf("%s: then %v", test.name, err)
		}
		if test.name != "half" {
			for end := time.Now().Add(5 * time.Second); !c.Gone(); {
				if time.Now().After(end) {
					t.Fatalf("%s: not noticed", test.name)
				}
			}
			continue
		}
		go func() { _, _ = c.Write([]byte("answer")) }()
		if b := make([]byte, 6); c.Gone() {
			t.Error("gone, and it listens")
		} else if _, err := io.ReadFull(far, b); string(b) != "answer" || err != nil {
			t.Errorf("half closed: %q, %v", b, err)
		}
	}
}

// TestTLSServeEnds: deadlines and Close wake who waits.
func TestTLSServeEnds(t *testing.T) {
	c, far, _ := tlsPair(t, "tcp", clientConfig())
	never := func(uintptr) bool { _, _ = c.TryRead(make([]byte, 10)); return false }
	_ = c.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if err := c.Serve(never); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a deadline: %v", err)
	}
	_ = c.SetReadDeadline(time.Time{})
	_, _ = far.Write([]byte("abc"))
	if got := receive(t, c, 3, 10); string(got) != "abc" {
		t.Errorf("%q", got)
	}
	waiting := make(chan struct{})
	go func() {
		<-waiting
		_ = c.Close()
	}()
	err := c.Serve(func(uintptr) bool {
		close(waiting)
		return false
	})
	if !errors.Is(err, net.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if _, err := c.Write([]byte("x")); err == nil {
		t.Error("wrote to a closed connection")
	}
}

// TestNewAroundTLS: what New does with connections that cannot wait in the poller, or are not TLS after all.
func TestNewAroundTLS(t *testing.T) {
	c, far := pair(t)
	plain := New(Gate(c.Conn))
	if !plain.Armed() || plain.gate != nil || plain.Conn != c.Conn {
		t.Error("a gate without TLS is not the plain connection")
	}
	if early := New(tls.Server(Gate(c.Conn), serverConfig())); early.Armed() {
		t.Error("armed before the handshake")
	}
	go func() { _ = tls.Client(far, clientConfig()).Handshake() }()
	near := tls.Server(c.Conn, serverConfig())
	if err := near.Handshake(); err != nil {
		t.Fatal(err)
	}
	if New(near).Armed() {
		t.Error("armed without a gate")
	}
}
