package e2e

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/bench/postgres"
)

// startCluster makes a cluster for a test that disturbs it.
func startCluster(t *testing.T, o postgres.Options) *postgres.Cluster {
	t.Helper()
	c, err := postgres.Start(within(t, time.Minute), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(within(t, time.Minute)); err != nil {
			t.Error(err)
		}
	})
	return c
}

// TestOutage stops PostgreSQL and starts it again. While it is away nobody
// listens on its port first, then somebody who refuses each login as a server
// does that is starting up. Idle clients stay, asking ones get an error and
// stay, the logins tried are few, and service is back within a second.
func TestOutage(t *testing.T) {
	t.Parallel()
	needsPooler(t)
	const (
		clients  = 20
		refusing = 3 * time.Second
		// A backoff, for all of the pool's ten servers together, and not one
		// login for each client that asks: 20 ask all the time.
		loginsASecond = 20
	)
	c := startCluster(t, postgres.Options{Sample: true})
	p := startPooler(t, options{cluster: c, settings: map[string]string{"query_wait_timeout": "1", "server_connect_timeout": "2"}})
	idle, asking := make([]*pgx.Conn, clients), make([]*pgx.Conn, clients)
	for i := range clients {
		idle[i], asking[i] = connect(t, p, "fountain"), connect(t, p, "fountain")
		want(t, idle[i], fmt.Sprintf("SELECT %d", i), strconv.Itoa(i))
		want(t, asking[i], fmt.Sprintf("SELECT %d", i), strconv.Itoa(i))
	}
	// One is in the middle of a transaction, and loses it.
	inside := connect(t, p, "fountain")
	mustExec(t, inside, "BEGIN")
	want(t, inside, "SELECT 1", "1")

	if err := c.Halt(within(t, time.Minute), "fast"); err != nil {
		t.Fatal(err)
	}
	_, err := ask(within(t, patience), inside, "SELECT 2")
	wantState(t, "a client in a transaction", err, "08", "57")
	needsPoolerd(t) // a peer closes clients that ask
	mustFail(t, asking, 1500*time.Millisecond)

	logins := refuseLogins(t, c.Port())
	mustFail(t, asking, refusing)
	tried := logins()
	t.Logf("%d logins tried in %s", tried, refusing)
	if most := int(refusing.Seconds()) * loginsASecond; tried < 1 || tried > most {
		t.Errorf("%d logins tried in %s, want 1 to %d", tried, refusing, most)
	}

	if err := c.Resume(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	eventually(t, time.Second, "service is back", func() error {
		_, err := ask(within(t, patience), asking[0], "SELECT 1")
		return err
	})
	t.Logf("service was back after %s", time.Since(begin))
	for i := range clients {
		want(t, idle[i], fmt.Sprintf("SELECT %d", i), strconv.Itoa(i))
		want(t, asking[i], fmt.Sprintf("SELECT %d", i), strconv.Itoa(i))
	}
}

// mustFail lets clients ask again and again, by turns in both protocols. Each
// answer must be an error that tells what is wrong, and leave the client
// connected.
func mustFail(t *testing.T, clients []*pgx.Conn, during time.Duration) {
	t.Helper()
	end := time.Now().Add(during)
	var (
		all   sync.WaitGroup
		asked atomic.Int64
	)
	for i, conn := range clients {
		all.Go(func() {
			for n := i; time.Now().Before(end); n++ {
				time.Sleep(10 * time.Millisecond) // an error that comes at once must not keep the machine busy
				mode := []pgx.QueryExecMode{pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeExec}[n%2]
				_, err := conn.Exec(within(t, patience), "SELECT 1", mode)
				asked.Add(1)
				code := sqlState(err)
				if len(code) != 5 || code[:2] != "08" && code[:2] != "57" {
					t.Errorf("without a server: got %v, want an error of class 08 or 57", err)
					return
				}
				if conn.IsClosed() {
					t.Errorf("without a server the client was closed: %v", err)
					return
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d errors for %d clients in %s", asked.Load(), len(clients), during)
	if t.Failed() {
		t.FailNow()
	}
}

// refuseLogins listens on a port in PostgreSQL's place and answers each login
// with 57P03, until the function that it returns is called, which gives their
// number.
func refuseLogins(t *testing.T, port int) func() int {
	t.Helper()
	var listener net.Listener
	eventually(t, patience, "the server's port is free", func() (err error) {
		listener, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
		return err
	})
	var (
		all    sync.WaitGroup
		logins atomic.Int64
	)
	all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				if !errors.Is(err, net.ErrClosed) {
					t.Error(err)
				}
				return
			}
			logins.Add(1)
			all.Go(func() { refuseLogin(conn) })
		}
	})
	stop := sync.OnceFunc(func() {
		_ = listener.Close()
		all.Wait()
	})
	t.Cleanup(stop)
	return func() int {
		stop()
		return int(logins.Load())
	}
}

// refuseLogin speaks the server's part of one login that fails.
func refuseLogin(conn net.Conn) {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	backend := pgproto3.NewBackend(conn, conn)
	for {
		message, err := backend.ReceiveStartupMessage()
		if err != nil {
			return
		}
		switch message.(type) {
		case *pgproto3.SSLRequest, *pgproto3.GSSEncRequest:
			if _, err := conn.Write([]byte("N")); err != nil {
				return
			}
			continue
		}
		backend.Send(&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "57P03", Message: "the database system is starting up"})
		_ = backend.Flush()
		return
	}
}

// TestRestart restarts PostgreSQL below an idle client, which stays, and below
// one in the middle of a query, which is told at once: by a shutdown with the
// server's own words, after a crash without any.
func TestRestart(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	c := startCluster(t, postgres.Options{})
	p := startPooler(t, options{cluster: c})
	idle := connect(t, p, "postgres")
	for _, mode := range []string{"fast", "immediate"} {
		want(t, idle, "SELECT 1", "1")
		busy := connect(t, p, "postgres")
		failed := make(chan error, 1)
		go func() {
			_, err := busy.Exec(within(t, patience), "SELECT pg_sleep(30)", pgx.QueryExecModeSimpleProtocol)
			failed <- err
		}()
		becomes(t, patience, observer(t, c, "postgres"), "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = 'SELECT pg_sleep(30)'", "1")
		begin := time.Now()
		if err := c.Halt(within(t, time.Minute), mode); err != nil {
			t.Fatal(err)
		}
		wantState(t, "the query under way ("+mode+")", <-failed, "08", "57")
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("the query under way (%s) failed after %s", mode, took)
		}
		if err := c.Resume(within(t, time.Minute)); err != nil {
			t.Fatal(err)
		}
		// The pool's servers are dead and the idle client does not know it.
		eventually(t, time.Second, "service is back", func() error {
			_, err := ask(within(t, patience), idle, "SELECT 1")
			if err != nil {
				wantState(t, "after a restart", err, "08", "57")
			}
			return err
		})
		if idle.IsClosed() {
			t.Fatalf("the idle client was closed by a restart (%s)", mode)
		}
	}
}
