package sock

import (
	"bufio"
	"crypto/tls"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestTLSKeyUpdate: new keys that the peer asks for come into use on both sides. OpenSSL is the peer, since crypto/tls cannot ask.
func TestTLSKeyUpdate(t *testing.T) {
	openssl, err := exec.LookPath("openssl")
	if err != nil {
		t.Skip(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	peer := exec.CommandContext(t.Context(), openssl, "s_client", "-connect", l.Addr().String(), "-tls1_3")
	say, err := peer.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	heard, err := peer.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	stderr, err := peer.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	notices := bufio.NewScanner(stderr)
	if err := peer.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = peer.Process.Kill()
		_ = peer.Wait()
	}()
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	_ = in.SetDeadline(time.Now().Add(20 * time.Second))
	near := tls.Server(Gate(in), serverConfig())
	if err := near.Handshake(); err != nil {
		t.Fatal(err)
	}
	c := New(near)
	_, _ = say.Write([]byte("one\n"))
	if got := receive(t, c, 4, 100); string(got) != "one\n" {
		t.Fatalf("%q", got)
	}
	for range 3 {
		_, _ = say.Write([]byte("K\n")) // asks for ours too
		for notices.Scan() && !strings.Contains(notices.Text(), "KEYUPDATE") {
		}
		_, _ = say.Write([]byte("two\n"))
		if got := receive(t, c, 4, 100); string(got) != "two\n" {
			t.Fatalf("%q", got)
		}
		if _, err := c.Write([]byte("answer\n")); err != nil {
			t.Fatal(err)
		}
	}
	answers := 0
	for lines := bufio.NewScanner(heard); answers < 3 && lines.Scan(); {
		if strings.Contains(lines.Text(), "answer") {
			answers++
		}
	}
	if answers != 3 {
		t.Errorf("%d answers came", answers)
	}
}
