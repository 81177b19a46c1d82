package pool

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
)

// nobody is a canceller that notes what it is asked.
type nobody struct{ cancelled int }

func (n *nobody) cancelRunning() { n.cancelled++ }

// TestKeyOfPeer: the bits are where PgBouncer looks for them.
func TestKeyOfPeer(t *testing.T) {
	for _, peer := range []int{1, 2, 255, 256, 0x1234, config.MaxPeerID} {
		for _, version := range []wire.Version{wire.Version30, wire.Version32} {
			var k keys
			key := k.issue(&nobody{}, version, peer)
			b := append(binary.BigEndian.AppendUint32(nil, key.pid), key.secret...)
			if got := int(b[1]) | int(b[2])<<8; got != peer || key.peer() != peer {
				t.Errorf("peer %d: the second and third byte say %d, peer() says %d", peer, got, key.peer())
			}
			if b[7]&3 != 3 || key.hops() != 3 || b[0]&0x80 != 0 {
				t.Errorf("peer %d: % x", peer, b)
			}
			if once := key.withHops(key.hops() - 1); once.hops() != 2 || once.peer() != peer || !once.fresh().equal(key) || key.hops() != 3 {
				t.Errorf("peer %d: passed on once it is % x", peer, once.secret)
			}
		}
	}
}

func TestKeysOfPeersAreFound(t *testing.T) {
	var k keys
	who := &nobody{}
	key := k.issue(who, wire.Version30, 7)
	for hops := range byte(4) {
		if k.find(key.withHops(hops)) != canceller(who) {
			t.Errorf("not found with %d hops left", hops)
		}
	}
	wrong := key.withHops(3)
	wrong.secret[0] ^= 1
	if k.find(wrong) != nil || k.find(cancelKey{key.pid, append(bytes.Clone(key.secret), 0)}) != nil {
		t.Error("found with another secret")
	}
	alone := k.issue(who, wire.Version30, 0)
	if k.find(alone.withHops(alone.hops()^1)) != nil {
		t.Error("all bits count of a key that is no peer's")
	}
	k.revoke(key)
	k.revoke(alone)
	if k.find(key) != nil || len(k.byPID) != 0 {
		t.Errorf("%d process ids are left", len(k.byPID))
	}
}

// TestManyKeysOfPeers: there are fewer process ids than clients may be.
func TestManyKeysOfPeers(t *testing.T) {
	const n = 100_000
	var k keys
	all := make([]cancelKey, n)
	who := make([]nobody, n)
	for i := range all {
		all[i] = k.issue(&who[i], wire.Version30, 1)
	}
	if len(k.byPID) > 1<<15 {
		t.Errorf("%d process ids of 15 bits", len(k.byPID))
	}
	for i, key := range all {
		if k.find(key) != canceller(&who[i]) {
			t.Fatalf("key %d finds another client", i)
		}
		k.revoke(key)
	}
	if len(k.byPID) != 0 {
		t.Errorf("%d process ids are left", len(k.byPID))
	}
}

func FuzzKeyOfPeer(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7}, uint16(1))
	f.Add(bytes.Repeat([]byte{0xff}, 36), uint16(0xffff))
	f.Fuzz(func(t *testing.T, b []byte, peer uint16) {
		if len(b) < 8 {
			t.Skip()
		}
		key := cancelKey{binary.BigEndian.Uint32(b), bytes.Clone(b[4:])}
		mine := key.of(int(peer))
		if mine.peer() != int(peer) || mine.hops() != 3 || mine.pid&0xff0000ff != key.pid&0xff0000ff || !bytes.Equal(mine.secret[4:], key.secret[4:]) {
			t.Errorf("% x of %d is %x % x", b, peer, mine.pid, mine.secret)
		}
		if !bytes.Equal(key.secret, b[4:]) {
			t.Error("the key it was made of has changed")
		}
	})
}

// heardCancel is a peer that notes the cancel requests sent to it, and closes their connections when it is told to.
type heardCancel struct {
	listener net.Listener
	requests chan wire.Startup
	answer   chan struct{}
	wg       sync.WaitGroup
}

func listenForCancels(t *testing.T) *heardCancel {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &heardCancel{listener: l, requests: make(chan wire.Startup, 10), answer: make(chan struct{})}
	h.wg.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			h.wg.Go(func() {
				defer func() { _ = nc.Close() }()
				if s, err := wire.ReadStartup(nc); err == nil {
					h.requests <- *s
					<-h.answer
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		select {
		case <-h.answer:
		default:
			close(h.answer)
		}
		h.wg.Wait()
	})
	return h
}

func (h *heardCancel) peer(id int) config.Peer {
	host, port, _ := net.SplitHostPort(h.listener.Addr().String())
	n, _ := strconv.Atoi(port)
	return config.Peer{ID: id, Host: host, Port: n}
}

// sendKey sends a cancel request, and returns a channel that is closed when the pooler has closed the connection.
func sendKey(t *testing.T, addr string, key cancelKey) <-chan struct{} {
	t.Helper()
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	if _, err := nc.Write(wire.AppendCancelRequest(nil, key.pid, key.secret)); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(io.Discard, nc)
	}()
	return done
}

func awaitClosed(t *testing.T, what string, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatalf("not within 10 s: %s", what)
	}
}

// TestForward: a request goes on with one hop less, and its connection stays open until the peer has carried it out.
func TestForward(t *testing.T) {
	h := listenForCancels(t)
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) {
		c.PeerID, c.Peers = 1, map[int]config.Peer{300: h.peer(300)}
	})
	key := randomKey(32).of(300)
	done := sendKey(t, addr, key)
	got := <-h.requests
	if sent := (cancelKey{got.CancelPID, got.CancelSecret}); sent.hops() != 2 || !sent.fresh().equal(key) {
		t.Errorf("sent on: %x % x, want %x % x with a hop less", sent.pid, sent.secret, key.pid, key.secret)
	}
	select {
	case <-done:
		t.Error("the request's connection was closed before the peer closed its own")
	default:
	}
	close(h.answer)
	awaitClosed(t, "the end of the request", done)

	for name, dropped := range map[string]cancelKey{"unknown peer": key.of(301), "no hops left": key.withHops(0), "unknown key of our own": key.of(1)} {
		awaitClosed(t, name, sendKey(t, addr, dropped))
	}
	select {
	case got := <-h.requests:
		t.Errorf("passed on: %+v", got)
	default:
	}
}

// TestForwardIsBounded: a peer that does not answer costs cancel_wait_timeout.
func TestForwardIsBounded(t *testing.T) {
	h := listenForCancels(t)
	f := startFake(t)
	p, addr := startPooler(t, f.url(), func(c *config.Config) {
		c.PeerID, c.Peers, c.CancelWaitTimeout = 1, map[int]config.Peer{2: h.peer(2)}, 100*time.Millisecond
	})
	awaitClosed(t, "the request", sendKey(t, addr, randomKey(4).of(2)))
	if n := len(h.requests); n != 1 {
		t.Errorf("the peer was sent %d requests, want 1", n)
	}
	p.peers.mu.Lock()
	defer p.peers.mu.Unlock()
	if n := len(p.peers.gates[2]); n != 0 {
		t.Errorf("%d requests are under way still", n)
	}
}

// TestForwardEvicted: a request that waits for a peer, whose key proves nothing here, is pushed out like a login.
func TestForwardEvicted(t *testing.T) {
	h := listenForCancels(t)
	f := startFake(t)
	_, addr := startPooler(t, f.url(), func(c *config.Config) {
		c.PeerID, c.Peers, c.MaxClientConn = 1, map[int]config.Peer{2: h.peer(2)}, 1
	})
	done := sendKey(t, addr, randomKey(4).of(2))
	<-h.requests
	for range leastLobby {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = nc.Close() }()
	}
	awaitClosed(t, "the request", done)
}

// TestCancelsAreBounded: who sends cancel requests without end opens few connections to its server.
func TestCancelsAreBounded(t *testing.T) {
	s := &Server{}
	s.pending.Store(mostCancels)
	c := &Client{server: s}
	c.cancelOn(s)
	if n := s.pending.Load(); n != mostCancels {
		t.Errorf("%d are under way", n)
	}
}

func TestPeersEnter(t *testing.T) {
	var p peers
	ctx, cancel := context.WithCancel(t.Context())
	leave, err := p.enter(ctx, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	other, err := p.enter(ctx, 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	other()
	cancel()
	if _, err := p.enter(ctx, 1, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("one too many: %v", err)
	}
	leave()
	if leave, err = p.enter(t.Context(), 1, 1); err != nil {
		t.Fatal(err)
	}
	wider, err := p.enter(t.Context(), 1, 2) // as a reload may make it
	if err != nil {
		t.Fatal(err)
	}
	leave()
	wider()
}
