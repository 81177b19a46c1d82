package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/wire"
)

// peerConfig is the configuration of one pooler of a group. others are lines of
// its [peers].
func peerConfig(id int, others ...string) string {
	return fmt.Sprintf("[databases]\n* = host=%s port=%d\n[peers]\n%s\n[pgbouncer]\n%%LISTEN%%\nauth_type = trust\npeer_id = %d\ncancel_wait_timeout = 5\n",
		shared.Host(), shared.Port(), strings.Join(others, "\n"), id)
}

// peerAt is the line of [peers] that names a pooler.
func peerAt(id int, p *pooler) string { return fmt.Sprintf("%d = host=%s port=%d", id, p.host, p.port) }

// cancelAt sends the cancel request of a client to a pooler.
func cancelAt(t *testing.T, p *pooler, client *pgconn.PgConn) {
	t.Helper()
	sendCancel(t, p, client.PID(), client.SecretKey())
}

// sendCancel sends a cancel request, and waits until the pooler closes the
// connection, which it does when the request has been carried out or dropped.
func sendCancel(t *testing.T, p *pooler, pid uint32, secret []byte) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", p.address(), patience)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(wire.AppendCancelRequest(nil, pid, secret)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil {
		t.Fatalf("waiting for the end of the cancel request: %v", err)
	}
}

// connectVersion logs in with a version of the protocol; 3.2 brings long cancel
// keys.
func connectVersion(t *testing.T, p *pooler, version string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(within(t, patience), p.url("fountain")+"&max_protocol_version="+version)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leave(conn) })
	if size := len(conn.PgConn().SecretKey()); version == "3.2" && size != 32 || version == "3.0" && size != 4 {
		t.Fatalf("protocol %s: the secret has %d bytes", version, size)
	}
	return conn
}

// sleeper lets a client sleep for long, and returns once the server does. The
// channel then takes what comes of it.
func sleeper(t *testing.T, conn *pgx.Conn, name string) <-chan error {
	t.Helper()
	failed := make(chan error, 1)
	text := "SELECT pg_sleep(60) /* " + name + " */"
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_, err := conn.Exec(ctx, text, pgx.QueryExecModeSimpleProtocol)
		failed <- err
	}()
	becomes(t, patience, observer(t, shared, "fountain"), "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = '"+text+"'", "1")
	return failed
}

func wantCancelled(t *testing.T, what string, failed <-chan error) {
	t.Helper()
	select {
	case err := <-failed:
		wantState(t, what, err, "57014")
	case <-time.After(patience):
		t.Fatalf("%s: still runs", what)
	}
}

// TestCancelAcrossPeers sends each of two poolers the cancel requests of the
// other's clients. The first one hears of the second by a reload.
func TestCancelAcrossPeers(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	first := startPooler(t, options{ini: peerConfig(1)})
	second := startPooler(t, options{ini: peerConfig(2, peerAt(1, first))})
	for _, version := range []string{"3.0", "3.2"} {
		conn := connectVersion(t, first, version)
		failed := sleeper(t, conn, "of the first, "+version)
		cancelAt(t, second, conn.PgConn())
		wantCancelled(t, "protocol "+version, failed)
	}

	// The first one knows no peer yet: it drops the request, and the query goes on.
	conn := connectVersion(t, second, "3.0")
	failed := sleeper(t, conn, "of the second")
	cancelAt(t, first, conn.PgConn())
	if !strings.Contains(first.readWholeLog(t), "its peer is not in [peers]") {
		t.Error("the log does not say that the peer is unknown")
	}
	first.writeConfig(t, peerConfig(1, peerAt(1, first), peerAt(2, second)))
	first.signal(t, syscall.SIGHUP)
	eventually(t, patience, "the first pooler has read its configuration again", func() error {
		if !strings.Contains(first.readWholeLog(t), "peers.2") {
			return fmt.Errorf("its log does not say so")
		}
		return nil
	})
	select {
	case err := <-failed:
		t.Fatalf("the query has ended: %v", err)
	default:
	}
	eventually(t, patience, "the query is cancelled", func() error {
		cancelAt(t, first, conn.PgConn())
		select {
		case err := <-failed:
			wantState(t, "after the reload", err, "57014")
			return nil
		default:
			return fmt.Errorf("it still runs")
		}
	})
}

// TestCancelHops passes a cancel request on three times, which is the most.
func TestCancelHops(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	first := startPooler(t, options{ini: peerConfig(1)})
	// Each one takes the next for the first, so that a request goes from the last to the first.
	second := startPooler(t, options{ini: peerConfig(2, peerAt(1, first))})
	third := startPooler(t, options{ini: peerConfig(3, peerAt(1, second))})
	fourth := startPooler(t, options{ini: peerConfig(4, peerAt(1, third))})
	fifth := startPooler(t, options{ini: peerConfig(5, peerAt(1, fourth))})

	conn := connectVersion(t, first, "3.0")
	failed := sleeper(t, conn, "four hops away")
	cancelAt(t, fifth, conn.PgConn())
	const dropped = "passed on three times already"
	if !strings.Contains(second.readWholeLog(t), dropped) {
		t.Error("the second pooler has not dropped a request that came to it over three others")
	}
	select {
	case err := <-failed:
		t.Fatalf("the query has ended: %v", err)
	default:
	}
	cancelAt(t, fourth, conn.PgConn())
	wantCancelled(t, "three hops away", failed)
	for _, p := range []*pooler{third, fourth, fifth} {
		if strings.Contains(p.readWholeLog(t), dropped) {
			t.Error("another than the second pooler has dropped the request")
		}
	}
}
