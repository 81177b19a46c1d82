package e2e

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

// Peers that mean harm: floods of logins, bytes that are no protocol, logins that never end. Beside them steady clients work all the while, and must not notice.

// TestLoginFlood lets logins come by the thousand a second, in every way that fails, while others work.
func TestLoginFlood(t *testing.T) {
	needsPoolerd(t)
	const rate = 2000 // logins a second
	during := 3 * time.Second
	if os.Getenv("POOLERD_E2E_STORM") != "" {
		during = 30 * time.Second
	}
	p := startGuarded(t, "")
	steady := startSteady(t, p)
	storm(t, p, rate, during/3)
	p.waitSteadyAlone(t)
	warm, files := p.memory(t), p.descriptors(t)
	came := storm(t, p, rate, during)
	p.waitSteadyAlone(t)
	end := p.memory(t)
	done, slowest := steady.stop(t)
	t.Logf("%d logins came in %v, %d steady transactions were done meanwhile, the slowest in %v; memory %d, then %d bytes", came, during, done, slowest, warm, end)
	if came < int(rate*during.Seconds()/4) {
		t.Errorf("only %d logins came in %v", came, during)
	}
	p.wantFlat(t, warm, end, files)
}

// TestMalformedPackets sends thousands of packets that no client would, before the login, inside it and after it.
func TestMalformedPackets(t *testing.T) {
	needsPoolerd(t)
	const packets, atOnce = 10_000, 32
	p := startGuarded(t, "client_login_timeout = 2\n")
	steady := startSteady(t, p)
	throw := func(n int, seed uint64) {
		var next atomic.Int64
		var all sync.WaitGroup
		for range atOnce {
			all.Go(func() {
				for i := next.Add(1); i <= int64(n); i = next.Add(1) {
					throwPacket(p, rand.New(rand.NewPCG(seed, uint64(i))))
				}
			})
		}
		all.Wait()
	}
	throw(packets/5, 1)
	p.waitSteadyAlone(t)
	warm, files := p.memory(t), p.descriptors(t)
	throw(packets, 2)
	p.waitSteadyAlone(t)
	end := p.memory(t)
	done, slowest := steady.stop(t)
	t.Logf("%d packets; %d steady transactions meanwhile, the slowest in %v; memory %d, then %d bytes", packets, done, slowest, warm, end)
	p.wantFlat(t, warm, end, files)
}

// TestSlowLogins holds hundreds of logins open that send a byte now and then: each is closed by client_login_timeout, however far it came, and nobody waits for them.
func TestSlowLogins(t *testing.T) {
	needsPoolerd(t)
	t.Parallel()
	const slow, limit = 300, 2 * time.Second
	p := startGuarded(t, fmt.Sprintf("client_login_timeout = %v\n", limit.Seconds()))
	steady := startSteady(t, p)
	hello := startupPacket("steady", "fountain")
	var all sync.WaitGroup
	for i := range slow {
		all.Go(func() {
			if took, err := dribble(p, hello[:len(hello)-1-i%len(hello)/2]); err != nil || took > limit+patience {
				t.Errorf("a slow login was closed after %v: %v", took, err)
			}
		})
	}
	all.Wait()
	p.waitSteadyAlone(t)
	done, slowest := steady.stop(t)
	t.Logf("%d steady transactions meanwhile, the slowest in %v", done, slowest)
}

// startGuarded starts a pooler whose clients need passwords.
func startGuarded(t *testing.T, settings string) *pooler {
	t.Helper()
	users := filepath.Join(openFolder(t), "userlist.txt")
	if err := os.WriteFile(users, []byte("\"postgres\" \"secret\"\n\"steady\" \"secret\"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := startPooler(t, options{ini: fmt.Sprintf("[databases]\n* = host=%s port=%d user=postgres\n", shared.Host(), shared.Port()) +
		"[pgbouncer]\n%LISTEN%\nauth_type = scram-sha-256\nauth_file = " + users + "\npool_mode = transaction\ndefault_pool_size = 5\nadmin_users = postgres\n" +
		"max_client_conn = 6000\nlog_connections = 0\nlog_disconnections = 0\nlog_pooler_errors = 0\n" + settings})
	p.password = "secret"
	return p
}

// steady is traffic that nothing may disturb.
type steady struct {
	cancel  context.CancelFunc
	all     sync.WaitGroup
	done    atomic.Int64
	slowest atomic.Int64
	failed  chan error
}

const steadyClients = 4

func startSteady(t *testing.T, p *pooler) *steady {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s := &steady{cancel: cancel, failed: make(chan error, steadyClients)}
	for range steadyClients {
		conn, err := pgx.Connect(within(t, patience), p.url("fountain"))
		if err != nil {
			cancel()
			t.Fatal(err)
		}
		s.all.Go(func() {
			defer leave(conn)
			if err := s.work(ctx, conn); err != nil {
				s.failed <- err
			}
		})
	}
	t.Cleanup(cancel)
	return s
}

func (s *steady) work(ctx context.Context, conn *pgx.Conn) error {
	for i := 0; ctx.Err() == nil; i++ {
		began := time.Now()
		limited, cancel := context.WithTimeout(context.Background(), patience)
		var got int
		err := conn.QueryRow(limited, "SELECT $1::int + 1", i).Scan(&got)
		cancel()
		if err != nil || got != i+1 {
			return fmt.Errorf("steady transaction %d answered %d: %w", i, got, err)
		}
		if took := int64(time.Since(began)); took > s.slowest.Load() {
			s.slowest.Store(took)
		}
		s.done.Add(1)
	}
	return nil
}

func (s *steady) stop(t *testing.T) (done int64, slowest time.Duration) {
	t.Helper()
	s.cancel()
	s.all.Wait()
	close(s.failed)
	for err := range s.failed {
		t.Error(err)
	}
	return s.done.Load(), time.Duration(s.slowest.Load())
}

// waitSteadyAlone waits until nobody but the steady clients is there.
func (p *pooler) waitSteadyAlone(t *testing.T) {
	t.Helper()
	console := connectConsole(t, p)
	defer leave(console)
	eventually(t, 2*patience, "the others have gone", func() error {
		there := slices.DeleteFunc(show(t, console, "CLIENTS"), func(row map[string]string) bool { return row["database"] == "pgbouncer" })
		if len(there) != steadyClients {
			return fmt.Errorf("SHOW CLIENTS has %d rows, want %d", len(there), steadyClients)
		}
		return nil
	})
}

// storm makes logins that all fail, at a rate, and counts those that reached the pooler.
func storm(t *testing.T, p *pooler, rate int, during time.Duration) int {
	t.Helper()
	const atOnce = 400
	var came atomic.Int64
	var all sync.WaitGroup
	places := make(chan struct{}, atOnce)
	began := time.Now()
	for i := 0; time.Since(began) < during; i++ {
		if due := began.Add(time.Duration(i) * time.Second / time.Duration(rate)); time.Until(due) > time.Millisecond {
			time.Sleep(time.Until(due))
		}
		places <- struct{}{}
		all.Go(func() {
			defer func() { <-places }()
			if failLogin(p, i) {
				came.Add(1)
			}
		})
	}
	all.Wait()
	return int(came.Load())
}

// failLogin logs in and fails in one of several ways, and tells whether the pooler was reached.
func failLogin(p *pooler, i int) bool {
	nc, err := net.DialTimeout("tcp", p.address(), patience)
	if err != nil {
		return false
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	switch i % 5 {
	case 0: // comes and goes
		return true
	case 1: // asks for TLS, and goes
		_, err := nc.Write(binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, 80877103))
		return err == nil
	case 2: // a user that nobody knows
		return proveNothing(nc, "nobody"+strconv.Itoa(i))
	case 3: // a wrong proof
		return proveNothing(nc, "steady")
	}
	_, err = nc.Write(startupPacket("steady", "fountain"))
	return err == nil // goes in the middle of it
}

// proveNothing answers the request for a SCRAM exchange with a proof that is none. It does not wait for the refusal, for which guesses from one address have to queue.
func proveNothing(nc net.Conn, user string) bool {
	if _, err := nc.Write(startupPacket(user, "fountain")); err != nil {
		return false
	}
	front := pgproto3.NewFrontend(nc, nc)
	for {
		m, err := front.Receive()
		if err != nil {
			return false
		}
		switch m := m.(type) {
		case *pgproto3.AuthenticationSASL:
			front.Send(&pgproto3.SASLInitialResponse{AuthMechanism: "SCRAM-SHA-256", Data: []byte("n,,n=,r=abcdefghijklmnop")})
		case *pgproto3.AuthenticationSASLContinue:
			_, nonce, _ := cutNonce(string(m.Data))
			front.Send(&pgproto3.SASLResponse{Data: []byte("c=biws,r=" + nonce + ",p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")})
			return front.Flush() == nil
		case *pgproto3.ErrorResponse:
			return true
		}
		if front.Flush() != nil {
			return false
		}
	}
}

// cutNonce takes the nonce out of a server's first SCRAM message.
func cutNonce(message string) (before, nonce string, ok bool) {
	for i := range message {
		if message[i] == ',' && len(message) > 2 {
			return "", message[2:i], true
		}
	}
	return message, "", false
}

func startupPacket(user, database string) []byte {
	b, err := (&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": user, "database": database}}).Encode(nil)
	if err != nil {
		panic(err)
	}
	return b
}

// throwPacket sends bytes of one of several kinds and reads what comes until the pooler closes, or for a moment.
func throwPacket(p *pooler, random *rand.Rand) {
	nc, err := net.DialTimeout("tcp", p.address(), patience)
	if err != nil {
		return
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(200 * time.Millisecond))
	noise := make([]byte, random.IntN(300))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	hello := startupPacket("steady", "fountain")
	switch random.IntN(7) {
	case 0: // no protocol at all
	case 1: // a length that lies
		noise = append(binary.BigEndian.AppendUint32(nil, random.Uint32()), noise...)
	case 2: // a startup packet with one byte changed
		hello[random.IntN(len(hello))] ^= byte(1 + random.IntN(255))
		noise = hello
	case 3: // bytes behind an SSLRequest
		noise = append(binary.BigEndian.AppendUint32([]byte{0, 0, 0, 8}, 80877103), noise...)
	case 4: // noise in place of a proof
		noise = append(hello, noise...)
	case 5: // a cancel request of a key that nobody has, cut or too long
		noise = append(binary.BigEndian.AppendUint32([]byte{0, 0, 0, 16}, 80877102), noise...)
	case 6: // a ClientHello in part
		noise = append([]byte{0x16, 3, 1, byte(random.IntN(3)), byte(random.Uint32())}, noise...)
	}
	if _, err := nc.Write(noise); err != nil {
		return
	}
	var reply [512]byte
	for {
		if _, err := nc.Read(reply[:]); err != nil {
			return
		}
	}
}

// dribble sends a byte at a time, and tells how long the pooler bore it.
func dribble(p *pooler, packet []byte) (time.Duration, error) {
	nc, err := net.DialTimeout("tcp", p.address(), patience)
	if err != nil {
		return 0, err
	}
	defer nc.Close()
	began := time.Now()
	_ = nc.SetReadDeadline(began.Add(2 * patience))
	closed := make(chan error, 1)
	go func() {
		var reply [512]byte
		for {
			if _, err := nc.Read(reply[:]); err != nil {
				closed <- err
				return
			}
		}
	}()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		select {
		case err := <-closed:
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return time.Since(began), err
			}
			return time.Since(began), nil
		case <-tick.C:
			if i < len(packet) {
				_, _ = nc.Write(packet[i : i+1])
			}
		}
	}
}

// wantFlat fails when memory or descriptors are left of those who came.
func (p *pooler) wantFlat(t *testing.T, warm, end, files int) {
	t.Helper()
	const grown = 8 << 20 // bytes: what a heap may swing
	if end-warm > grown && os.Getenv("POOLERD_E2E_RACE") == "" {
		t.Errorf("the memory grew by %d bytes to %d, want at most %d", end-warm, end, grown)
	}
	eventually(t, patience, "the descriptors of clients are closed", func() error {
		if now := p.descriptors(t); now > files+5 {
			return fmt.Errorf("%d are open, before it was %d", now, files)
		}
		return nil
	})
}
