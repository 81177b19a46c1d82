package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/pool/config"
)

var here = netip.MustParsePrefix("127.0.0.1/32")

func stays() bool { return false }

// guessed is a slowdown that has seen many failures from here.
func guessed() *slowdown {
	s := newSlowdown()
	for range 20 {
		s.shared.make(laneKey{source: here}).fail(time.Now())
	}
	return s
}

// fill takes all turns of the shared lane.
func (s *slowdown) fill(t *testing.T) (turns []*turn) {
	t.Helper()
	for range laneTurns {
		turn, err := s.take(t.Context(), here, "someone", stays)
		if err != nil {
			t.Fatal(err)
		}
		turns = append(turns, turn)
	}
	return turns
}

// count tells how many have a turn in the shared lane, and how many wait.
func (s *slowdown) count() (taken, waiting int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.shared.make(laneKey{source: here})
	return l.taken, l.waiting.Len()
}

// TestSlowdownOwnLane: a user who has logged in from an address does not wait among its guesses, and waits like all others when he fails.
func TestSlowdownOwnLane(t *testing.T) {
	s := guessed()
	turn, err := s.take(t.Context(), here, "friend", stays)
	if err != nil {
		t.Fatal(err)
	}
	turn.passed()
	s.fill(t)
	over, stop := context.WithCancel(context.Background())
	stop()
	if _, err := s.take(over, here, "stranger", stays); !errors.Is(err, context.Canceled) {
		t.Errorf("a stranger has a turn among the guesses: %v", err)
	}
	if turn, err = s.take(over, here, "friend", stays); err != nil {
		t.Fatalf("one who has logged in before waits: %v", err)
	}
	if _, err := turn.failed(over); !errors.Is(err, context.Canceled) {
		t.Errorf("his failure is told before those of others: %v", err)
	}
	if _, waiting := s.count(); waiting != 0 {
		t.Errorf("%d wait", waiting)
	}
}

// TestSlowdownOwnLaneIsBounded: who guesses the password of one who has logged in from there gets few answers too, and each wrong one keeps its turn for a pause.
func TestSlowdownOwnLaneIsBounded(t *testing.T) {
	s := guessed()
	turn, err := s.take(t.Context(), here, "friend", stays)
	if err != nil {
		t.Fatal(err)
	}
	turn.passed()
	s.fill(t)
	own := s.own.find(laneKey{here, "friend"})
	for range 20 {
		own.fail(time.Now())
	}
	over, stop := context.WithCancel(context.Background())
	stop()
	for i := range 2 * laneTurns {
		if turn, err = s.take(over, here, "friend", stays); (err == nil) != (i < laneTurns) {
			t.Fatalf("guess %d: %v", i, err)
		}
		if i == 0 {
			defer turn.leave()
		}
		if i == laneTurns-1 {
			began := time.Now()
			_, _ = turn.failed(over)
			if turn, err := s.take(over, here, "friend", stays); err == nil && time.Since(began) < slowMost {
				t.Error("a failure leaves its turn to the next guess at once")
			} else if err == nil {
				turn.leave()
			}
		}
	}
	within(t, "the failure's turn is over", func() bool {
		turn, err := s.take(over, here, "friend", stays)
		turn.leave()
		return err == nil
	})
}

// TestSlowdownGone: a client that has gone gets no turn, and takes none.
func TestSlowdownGone(t *testing.T) {
	s := guessed()
	s.fill(t)
	if _, err := s.take(t.Context(), here, "stranger", func() bool { return true }); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
	if _, waiting := s.count(); waiting != 0 {
		t.Errorf("%d wait", waiting)
	}
}

// TestFailuresWaitAlone: after many wrong passwords from an address a wrong one waits, and a right one does not.
func TestFailuresWaitAlone(t *testing.T) {
	f := startFake(t)
	h := openHouse(t, f.url(), func(c *config.Config, dir string) { c.AuthType, c.AuthFile = config.AuthPlain, usersFile(t, dir) }, func(p *Pooler) { p.slowdown = guessed() })
	h.expect("dbname=d user=plain password=foo", "") // opens the server
	began := time.Now()
	h.expect("dbname=d user=plain password=foo", "")
	if d := time.Since(began); d >= slowMost {
		t.Errorf("a right password took %v", d)
	}
	began = time.Now()
	h.expect("dbname=d user=nobody password=foo", "password authentication failed")
	if d := time.Since(began); d < slowMost {
		t.Errorf("a wrong password took %v, want %v", d, slowMost)
	}
}

// TestGuessesInParallel: of many guesses at once few are judged, whatever the method, while those who have logged in from there do so again, and whoever else comes overtakes the guesser.
func TestGuessesInParallel(t *testing.T) {
	for _, method := range []config.AuthType{config.AuthPlain, config.AuthMD5, config.AuthSCRAM} {
		t.Run(method.String(), func(t *testing.T) { guessInParallel(t, method) })
	}
}

func guessInParallel(t *testing.T, method config.AuthType) {
	const guesses = 30
	f := startFake(t)
	h := openHouse(t, f.url(), func(c *config.Config, dir string) {
		c.AuthType, c.AuthFile = method, file(t, dir, "users", `"plain" "foo"`+"\n"+`"other" "foo"`+"\n")
	}, func(p *Pooler) { p.slowdown = guessed() })
	h.expect("dbname=d user=plain password=foo", "")
	s := h.pooler.slowdown
	turns := s.fill(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	host, port, _ := net.SplitHostPort(h.tcp)
	settings := "host=" + host + " port=" + port + " sslmode=disable dbname=d"
	ended := make(chan error, guesses)
	for i := range guesses {
		go func() {
			_, err := pgconn.Connect(ctx, fmt.Sprintf("%s user=nobody password=guess%d", settings, i))
			ended <- err
		}()
	}
	wait := func(n int) {
		t.Helper()
		within(t, fmt.Sprint(n, " wait"), func() bool { _, waiting := s.count(); return waiting == n })
	}
	wait(guesses)
	h.expect("dbname=d user=plain password=foo", "")
	came := make(chan error, 1)
	go func() {
		conn, err := pgconn.Connect(t.Context(), settings+" user=other password=foo")
		if err == nil {
			_ = conn.Close(t.Context())
		}
		came <- err
	}()
	wait(guesses + 1)
	judged := func() int {
		return h.log.count("closing because: password authentication failed") + h.log.count("closing because: SASL authentication failed")
	}
	if n := judged(); n != 0 {
		t.Errorf("%d guesses have had no turn, and were judged", n)
	}
	s.mu.Lock()
	s.shared.make(laneKey{source: here}).second = true // the next turn is the last one's
	s.mu.Unlock()
	turns[0].leave()
	if err := <-came; err != nil {
		t.Errorf("who came last: %v", err)
	}
	stop()
	for range guesses {
		<-ended
	}
	wait(0)
	if judged() >= guesses {
		t.Error("all guesses were judged")
	}
}
