package wiretest_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/wire"
	"poolerd/wire/wiretest"
)

func startFake(t *testing.T, play func(session int) []wiretest.Step) *wiretest.FakeServer {
	t.Helper()
	f, err := wiretest.StartFakeServer(play)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// talk runs a script against a fake server.
func talk(t *testing.T, f *wiretest.FakeServer, text string) (string, error) {
	t.Helper()
	return wiretest.Run(t.Context(), wiretest.Script{Name: "talk", Text: text}, wiretest.Options{
		Dial: func(ctx context.Context) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "tcp", f.Address())
		},
		Patience: 5 * time.Second,
	})
}

// TestFakeServer: a real driver is content with what Answer says.
func TestFakeServer(t *testing.T) {
	f := startFake(t, func(int) []wiretest.Step { return []wiretest.Step{wiretest.Welcome, wiretest.Answer(-1)} })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, "postgres://me@"+f.Address()+"/db?sslmode=prefer")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if status := conn.PgConn().TxStatus(); status != 'T' {
		t.Errorf("status %q after BEGIN", status)
	}
	rows, err := tx.Query(ctx, "SELECT 1")
	if err != nil {
		t.Fatal(err)
	}
	if rows.Next() {
		t.Error("a row from nowhere")
	}
	if rows.Close(); rows.Err() != nil || rows.CommandTag().String() != "SELECT 0" {
		t.Errorf("%v, %v", rows.CommandTag(), rows.Err())
	}
	if err := tx.Rollback(ctx); err != nil {
		t.Fatal(err)
	}
	if err := conn.PgConn().CancelRequest(ctx); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if err := f.Stop(); err != nil {
		t.Error(err)
	}
	if f.Sessions() != 1 || !slices.Equal(f.Cancels(), []uint32{1000}) {
		t.Errorf("%d sessions, cancels %v", f.Sessions(), f.Cancels())
	}
}

// TestFakeServerDies: the second session never gets its reply whole.
func TestFakeServerDies(t *testing.T) {
	gone := wire.Fatalf(wire.CodeAdminShutdown, "terminating connection").Append(nil)
	tag := wire.AppendCommandComplete(nil, "SELECT 1")
	for _, c := range []struct {
		name  string
		steps []wiretest.Step
		want  string
	}{
		{"with a word", []wiretest.Step{wiretest.Say(gone), wiretest.HangUp}, `c1 B	50	ErrorResponse	 S "FATAL" V "FATAL" C "57P01" M "terminating connection" \x00` + "\nc1 EOF\n"},
		{"without a word", []wiretest.Step{wiretest.HangUp}, "c1 EOF\n"},
		{"by a reset", []wiretest.Step{wiretest.Reset}, "c1 EOF\n"},
		{"between two messages", []wiretest.Step{wiretest.SayInPieces(1, tag), wiretest.HangUp}, "c1 B	13	CommandComplete	 \"SELECT 1\"\nc1 EOF\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			steps := append([]wiretest.Step{wiretest.Welcome, wiretest.Expect("Q")}, c.steps...)
			f := startFake(t, func(int) []wiretest.Step { return steps })
			got, err := talk(t, f, "c1 connect\nc1 > Query \"x\"\n")
			if err != nil {
				t.Error(err)
			}
			if _, replies, _ := strings.Cut(got, "c1 > Query \"x\"\n"); replies != c.want {
				t.Errorf("got %s\nwant %s", replies, c.want)
			}
			if err := f.Stop(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("inside a message", func(t *testing.T) {
		f := startFake(t, func(int) []wiretest.Step {
			return []wiretest.Step{wiretest.Welcome, wiretest.Expect("Q"), wiretest.SayPart(len(tag)-1, tag)}
		})
		if _, err := talk(t, f, "c1 connect\nc1 > Query \"x\"\n"); err == nil || !strings.Contains(err.Error(), "unexpected EOF") {
			t.Errorf("got %v", err)
		}
		if err := f.Stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestFakeServerComplains about a client that does not follow the steps.
func TestFakeServerComplains(t *testing.T) {
	f := startFake(t, func(int) []wiretest.Step { return []wiretest.Step{wiretest.Welcome, wiretest.Expect("PS")} })
	if _, err := talk(t, f, "c1 connect\nc1 > Query \"x\"\n"); err != nil {
		t.Error(err)
	}
	if err := f.Stop(); err == nil || !strings.Contains(err.Error(), "session 0, step 1: want 'P'") {
		t.Errorf("got %v", err)
	}
}

// TestFakeServerWaits for the test, and the test for it.
func TestFakeServerWaits(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	f := startFake(t, func(int) []wiretest.Step {
		return []wiretest.Step{
			wiretest.Welcome, wiretest.Expect("Q"), wiretest.Signal(asked), wiretest.Await(answer),
			wiretest.Say(wire.AppendReadyForQuery(nil, wire.TxIdle)), wiretest.Hang,
		}
	})
	done := make(chan error, 1)
	go func() {
		_, err := talk(t, f, "c1 connect\nc1 > Query \"x\"\n")
		done <- err
	}()
	limit := time.After(5 * time.Second)
	select {
	case <-asked:
	case <-limit:
		t.Fatal("nothing was asked")
	}
	select {
	case err := <-done:
		t.Fatalf("answered before its time: %v", err)
	default:
	}
	close(answer)
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-limit:
		t.Fatal("not answered")
	}
	if err := f.Stop(); err != nil {
		t.Error(err)
	}
}

// TestFakeServerStops while a session hangs.
func TestFakeServerStops(t *testing.T) {
	f := startFake(t, func(int) []wiretest.Step { return []wiretest.Step{wiretest.Welcome, wiretest.Hang} })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := pgconn.Connect(ctx, fmt.Sprintf("postgres://me@%s/db?sslmode=disable", f.Address()))
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := conn.Exec(ctx, "x").ReadAll(); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	_ = conn.Close(ctx)
}
