package secure

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"testing"
	"time"
)

// counted is a Pace of one place that counts.
type counted struct {
	place        chan struct{}
	begun, ended int
}

func newCounted() *counted { return &counted{place: make(chan struct{}, 1)} }

func (c *counted) Begin(ctx context.Context) (func(), error) {
	select {
	case c.place <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	c.begun++
	return func() { c.ended++; <-c.place }, nil
}

// TestPace: a handshake computes when it may, has no part of the pace while it waits for its client, and none afterwards.
func TestPace(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("server")
	server := mustServer(t, Settings{Mode: Require, CertFile: cert, KeyFile: key})
	pace := newCounted()
	near, far := loopback(t)
	came := make(chan *tls.Conn, 1)
	go func() {
		conn, err := server.Handshake(t.Context(), near, false, pace)
		if err != nil {
			t.Error(err)
		}
		came <- conn
	}()
	client := tls.Client(far, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec // a test
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	conn := <-came
	if pace.begun == 0 || pace.begun != pace.ended {
		t.Errorf("begun %d times, ended %d times", pace.begun, pace.ended)
	}
	begun := pace.begun
	if _, err := client.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Read(make([]byte, 1)); err != nil || pace.begun != begun {
		t.Errorf("behind the handshake: %v, begun %d times more", err, pace.begun-begun)
	}
}

// TestPaceWaits: a client that is slow to speak keeps nobody waiting, and no handshake waits longer than its context lasts.
func TestPaceWaits(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("server")
	server := mustServer(t, Settings{Mode: Require, CertFile: cert, KeyFile: key})
	pace := newCounted()
	silent, quiet := loopback(t)
	defer func() { _ = quiet.Close() }()
	over := make(chan error, 1)
	go func() {
		_, err := server.Handshake(t.Context(), silent, false, pace)
		over <- err
	}()
	meetPaced := func(limit time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		near, far := loopback(t)
		go func() { _ = tls.Client(far, &tls.Config{InsecureSkipVerify: true}).Handshake() }() //nolint:gosec // a test
		_, err := server.Handshake(ctx, near, false, pace)
		_ = near.Close()
		return err
	}
	if err := meetPaced(10 * time.Second); err != nil {
		t.Errorf("beside a client that says nothing: %v", err)
	}
	pace.place <- struct{}{}
	if err := meetPaced(20 * time.Millisecond); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a place: %v", err)
	}
	<-pace.place
	_ = quiet.Close()
	if err := <-over; err == nil {
		t.Error("a handshake with nobody")
	}
}

// stuck is the connection of a client that does not read.
type stuck struct {
	net.Conn
	write func() // is told of a write
}

func (s *stuck) Write([]byte) (int, error) {
	s.write()
	_, err := s.Read(make([]byte, 1)) // until it is closed
	return 0, err
}

// TestPaceOfAWrite: a client that asks for much, and does not take it, keeps nobody waiting.
func TestPaceOfAWrite(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("server")
	server := mustServer(t, Settings{Mode: Require, CertFile: cert, KeyFile: key})
	pace := newCounted()
	near, far := loopback(t)
	written := make(chan struct{})
	unread := &stuck{near, sync.OnceFunc(func() { close(written) })}
	over := make(chan error, 1)
	go func() {
		_, err := server.Handshake(t.Context(), unread, false, pace)
		over <- err
	}()
	go func() { _ = tls.Client(far, &tls.Config{InsecureSkipVerify: true}).Handshake() }() //nolint:gosec // a test
	select {
	case <-written:
	case err := <-over:
		t.Fatalf("the handshake ended before it wrote: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if end, err := pace.Begin(ctx); err != nil {
		t.Error("nobody may compute while a client does not take what it was sent")
	} else {
		end()
	}
	_ = far.Close()
	if err := <-over; err == nil {
		t.Error("a handshake that was not written")
	}
}
