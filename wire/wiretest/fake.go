package wiretest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"poolerd/wire"
)

// FakeServer is a server that does what it is told, one list of steps a session: it lets tests see what happens when a server dies at a chosen point,
// answers in pieces, or says what PostgreSQL would not. What comes before a session is its own affair: TLS is refused, a CancelRequest is noted.
type FakeServer struct {
	listener net.Listener
	play     func(session int) []Step
	ctx      context.Context
	stop     context.CancelFunc
	running  sync.WaitGroup

	mu       sync.Mutex
	sessions int
	cancels  []uint32
	errs     []error
}

// Step is one thing that a FakeServer does in a session. Its error ends the session and comes back from Stop.
type Step func(s *FakeSession) error

// errOver ends a session without being a failure.
var errOver = errors.New("the session is over")

// StartFakeServer starts a server on a free port of the loopback interface. play gives the steps of each session, which are counted from 0; after the last
// step the connection is closed. It must be stopped.
func StartFakeServer(play func(session int) []Step) (*FakeServer, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &FakeServer{listener: listener, play: play}
	f.ctx, f.stop = context.WithCancel(context.Background())
	f.running.Go(f.accept)
	return f, nil
}

// Address is host:port.
func (f *FakeServer) Address() string { return f.listener.Addr().String() }

// Sessions tells how many sessions have begun.
func (f *FakeServer) Sessions() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sessions
}

// Cancels gives the process ids of the CancelRequests so far.
func (f *FakeServer) Cancels() []uint32 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]uint32(nil), f.cancels...)
}

// Stop ends all sessions and waits for them. It returns what did not go as the steps said.
func (f *FakeServer) Stop() error {
	f.stop()
	_ = f.listener.Close()
	f.running.Wait()
	return errors.Join(f.errs...)
}

func (f *FakeServer) accept() {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.running.Go(func() {
			unwatch := context.AfterFunc(f.ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
			defer unwatch()
			defer conn.Close()
			if err := f.serve(conn); err != nil && f.ctx.Err() == nil {
				f.mu.Lock()
				f.errs = append(f.errs, err)
				f.mu.Unlock()
			}
		})
	}
}

func (f *FakeServer) serve(conn net.Conn) error {
	start, err := f.begin(conn)
	if start == nil {
		return err
	}
	f.mu.Lock()
	number := f.sessions
	f.sessions++
	f.mu.Unlock()
	s := &FakeSession{conn: conn, ctx: f.ctx, Number: number, Start: start, status: wire.TxIdle}
	for i, step := range f.play(number) {
		err := step(s)
		if errors.Is(err, errOver) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("session %d, step %d: %w", number, i, err)
		}
	}
	return nil
}

// begin reads initial packets up to the one that starts a session. start is nil if none comes.
func (f *FakeServer) begin(conn net.Conn) (start *wire.Startup, err error) {
	for {
		packet, err := wire.ReadStartup(conn)
		if errors.Is(err, io.EOF) {
			return nil, nil // many clients give up a connection on which TLS was refused, and open another
		}
		if err != nil {
			return nil, err
		}
		switch packet.Kind {
		case wire.RequestSession:
			return packet, nil
		case wire.RequestCancel:
			f.mu.Lock()
			f.cancels = append(f.cancels, packet.CancelPID)
			f.mu.Unlock()
			return nil, nil
		case wire.RequestSSL, wire.RequestGSSENC:
			if _, err := conn.Write([]byte{'N'}); err != nil {
				return nil, err
			}
		}
	}
}
