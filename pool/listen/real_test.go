package listen

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/bench/postgres"
)

// TestPostgreSQL asks a real server, one for all.
func TestPostgreSQL(t *testing.T) {
	cluster, err := postgres.Start(t.Context(), postgres.Options{})
	must(t, err)
	t.Cleanup(func() {
		if err := cluster.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	for _, test := range []struct {
		name string
		run  func(*testing.T, *real)
	}{
		{"payloads", payloads},
		{"names", realNames},
		{"a thousand in order", thousandInOrder},
		{"barrier", barrier},
		{"barrier of a stopped server", barrierOfStoppedServer},
		{"nothing old", nothingOld},
		{"terminated", terminated},
		{"restarted", restarted},
		{"slow", slowAmongOthers},
		{"many channels", manyChannels},
		{"never idle", neverIdles}, // the last, since it changes the server's settings
	} {
		t.Run(test.name, func(t *testing.T) {
			r := &real{cluster: cluster, url: cluster.URL("postgres", "postgres")}
			r.hub = New(Options{Connect: r.connect})
			t.Cleanup(r.hub.Close)
			r.teller = r.session(t)
			test.run(t, r)
		})
	}
}

type real struct {
	cluster *postgres.Cluster
	url     string
	hub     *Hub
	teller  *pgconn.PgConn // on which tests NOTIFY
}

func (r *real) connect(ctx context.Context) (*pgconn.PgConn, error) {
	return pgconn.Connect(ctx, r.url)
}

func (r *real) session(t *testing.T) *pgconn.PgConn {
	t.Helper()
	c, err := r.connect(within(t))
	must(t, err)
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// do runs statements and returns the last one's only value, if any.
func (r *real) do(t *testing.T, sql string) string {
	t.Helper()
	results, err := r.teller.Exec(within(t), sql).ReadAll()
	must(t, err)
	if last := results[len(results)-1]; len(last.Rows) == 1 && len(last.Rows[0]) == 1 {
		return string(last.Rows[0][0])
	}
	return ""
}

// tell notifies, committed when it returns.
func (r *real) tell(t *testing.T, channel, payload string) {
	t.Helper()
	result := r.teller.ExecParams(within(t), "SELECT pg_notify($1, $2)", [][]byte{[]byte(channel), []byte(payload)}, nil, nil, nil).Read()
	must(t, result.Err)
}

// payloads: from nothing to PostgreSQL's limit of less than 8000 bytes.
func payloads(t *testing.T, r *real) {
	m := join(r.hub)
	must(t, m.Listen(within(t), "x"))
	list := []string{"", "reload schema", "héllo \" ' \\", strings.Repeat("x", 7999)}
	for _, p := range list {
		r.tell(t, "x", p)
	}
	r.do(t, "NOTIFY x")
	must(t, m.Barrier(within(t)))
	got := decode(t, m.Take(nil, r.teller.PID(), 12345))
	if len(got) != len(list)+1 {
		t.Fatalf("%d notifications, want %d", len(got), len(list)+1)
	}
	for i, p := range append(list, "") {
		if got[i].Channel != "x" || got[i].Payload != p || got[i].PID != 12345 {
			t.Errorf("notification %d: %d %q %d bytes", i, got[i].PID, got[i].Channel, len(got[i].Payload))
		}
	}
}

// realNames: whatever an identifier may hold is quoted rightly.
func realNames(t *testing.T, r *real) {
	m := join(r.hub)
	list := []string{"x", "X", `a "b" c`, `";DROP`, `back\slash`, "tab\tnew\nline", "$1", "日本語", strings.Repeat("n", 63), "*", " "}
	for _, name := range list {
		must(t, m.Listen(within(t), name))
	}
	for _, name := range list {
		r.tell(t, name, "p")
	}
	must(t, m.Barrier(within(t)))
	got := decode(t, m.Take(nil, 0, 0))
	if len(got) != len(list) {
		t.Fatalf("%d notifications, want %d", len(got), len(list))
	}
	for i, name := range list {
		if got[i].Channel != name {
			t.Errorf("channel %q, want %q", got[i].Channel, name)
		}
	}
	m.UnlistenAll()
	stay := join(r.hub)
	must(t, stay.Listen(within(t), "stay"))
	must(t, stay.Barrier(within(t))) // behind the UNLISTENs, which had been asked for before
	if i := r.hub.Info(); i.Channels != 1 {
		t.Errorf("info %+v", i)
	}
}

// thousandInOrder: each of 1000 Members gets each of 200 notifications in order, over two channels.
func thousandInOrder(t *testing.T, r *real) {
	const people, notes = 1000, 200
	members := make([]*person, people)
	var work sync.WaitGroup
	for i := range members {
		members[i] = join(r.hub)
		work.Go(func() {
			for _, c := range []string{"even", "odd"} {
				if err := members[i].Listen(within(t), c); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	for i := range notes {
		r.tell(t, []string{"even", "odd"}[i%2], strconv.Itoa(i))
	}
	must(t, members[0].Barrier(within(t)))
	for n, m := range members {
		got := decode(t, m.Take(nil, 0, 0))
		if len(got) != notes {
			t.Fatalf("member %d got %d, want %d", n, len(got), notes)
		}
		for i := range got {
			if got[i].Payload != strconv.Itoa(i) {
				t.Fatalf("member %d: %q in the place of %d", n, got[i].Payload, i)
			}
		}
	}
	if i := r.hub.Info(); i.Received != notes || i.Put != notes*people {
		t.Errorf("info %+v", i)
	}
}

// barrier: what was committed before is there, each time.
func barrier(t *testing.T, r *real) {
	m := join(r.hub)
	must(t, m.Listen(within(t), "x"))
	for i := range 300 {
		r.do(t, fmt.Sprintf("NOTIFY x, '%d'", i))
		must(t, m.Barrier(within(t)))
		if got := m.heard(t); len(got) != 1 || got[0] != "x="+strconv.Itoa(i) {
			t.Fatalf("round %d: heard %v behind the barrier", i, got)
		}
	}
}

// barrierOfStoppedServer: the hub's server sees the notification's signal and the barrier in one moment, when it goes on. A barrier that does not wait for the server fails each time.
func barrierOfStoppedServer(t *testing.T, r *real) {
	m := join(r.hub)
	must(t, m.Listen(within(t), "x"))
	server, err := os.FindProcess(int(r.hub.Info().PID))
	must(t, err)
	t.Cleanup(func() { _ = server.Signal(syscall.SIGCONT) })
	for i := range 20 {
		must(t, server.Signal(syscall.SIGSTOP))
		eventually(t, "the server is stopped", func() bool { return stopped(t, server.Pid) })
		passed := make(chan error, 1)
		for n := range 3 {
			r.do(t, fmt.Sprintf("NOTIFY x, '%d.%d'", i, n))
		}
		before := r.hub.Info().Trips
		go func() { passed <- m.Barrier(within(t)) }()
		eventually(t, "the barrier is sent", func() bool { return r.hub.Info().Trips == before+1 })
		select {
		case <-passed:
			t.Fatal("passed the barrier of a server that is stopped")
		default:
		}
		must(t, server.Signal(syscall.SIGCONT))
		must(t, receive(t, "Barrier", passed))
		if got := m.heard(t); len(got) != 3 || got[2] != fmt.Sprintf("x=%d.2", i) {
			t.Fatalf("round %d: heard %v behind the barrier", i, got)
		}
	}
}

// stopped reads the process's state.
func stopped(t *testing.T, pid int) bool {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(t, err)
	_, behind, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(behind, "T")
}

// nothingOld: a notification that was committed before the Listen is not heard, though the server listens already and may not have sent it yet.
func nothingOld(t *testing.T, r *real) {
	must(t, join(r.hub).Listen(within(t), "x"))
	for i := range 100 {
		r.do(t, "NOTIFY x, 'old'")
		m := join(r.hub)
		must(t, m.Listen(within(t), "x"))
		r.do(t, "NOTIFY x, 'new'")
		must(t, m.Barrier(within(t)))
		if got := m.heard(t); len(got) != 1 || got[0] != "x=new" {
			t.Fatalf("round %d: heard %v", i, got)
		}
		m.Leave()
	}
}

// terminated: pg_terminate_backend ends all who listen, and the Hub listens again.
func terminated(t *testing.T, r *real) {
	members := make([]*person, 50)
	for i := range members {
		members[i] = join(r.hub)
		must(t, members[i].Listen(within(t), "x"))
	}
	if got := r.do(t, fmt.Sprintf("SELECT pg_terminate_backend(%d)", r.hub.Info().PID)); got != "t" {
		t.Fatalf("pg_terminate_backend: %q", got)
	}
	for _, m := range members {
		if err := receive(t, "lost", m.lost); !errors.Is(err, ErrLost) {
			t.Errorf("lost with %v", err)
		}
	}
	m := join(r.hub)
	must(t, m.Listen(within(t), "x"))
	r.tell(t, "x", "again")
	must(t, m.Barrier(within(t)))
	if got := m.heard(t); len(got) != 1 || got[0] != "x=again" {
		t.Errorf("heard %v", got)
	}
}

// restarted: while PostgreSQL is down Listen says so, and afterwards it works.
func restarted(t *testing.T, r *real) {
	m := join(r.hub)
	must(t, m.Listen(within(t), "x"))
	must(t, r.cluster.Halt(within(t), "fast"))
	receive(t, "lost", m.lost)
	next := join(r.hub)
	var failed *pgconn.ConnectError
	if err := next.Listen(within(t), "x"); !errors.As(err, &failed) {
		t.Errorf("got %v", err)
	}
	must(t, r.cluster.Resume(within(t)))
	must(t, next.Listen(within(t), "x"))
	r.teller = r.session(t)
	r.tell(t, "x", "up")
	must(t, next.Barrier(within(t)))
	if got := next.heard(t); len(got) != 1 || got[0] != "x=up" {
		t.Errorf("heard %v", got)
	}
}

// slowAmongOthers: one does not take anything, the others hear all.
func slowAmongOthers(t *testing.T, r *real) {
	r.hub.Close()
	r.hub = New(Options{Connect: r.connect, Backlog: 64 << 10})
	t.Cleanup(r.hub.Close)
	slow, quick := join(r.hub), join(r.hub)
	must(t, slow.Listen(within(t), "x"))
	must(t, quick.Listen(within(t), "x"))
	payload, heard := strings.Repeat("p", 7900), 0
	for range 30 {
		r.tell(t, "x", payload)
		must(t, quick.Barrier(within(t)))
		heard += len(decode(t, quick.Take(nil, 0, 0)))
	}
	if err := receive(t, "lost", slow.lost); !errors.Is(err, ErrSlow) {
		t.Errorf("lost with %v", err)
	}
	if heard != 30 || slow.Waiting() || len(quick.lost) != 0 {
		t.Errorf("the quick one heard %d of 30", heard)
	}
}

// neverIdles: PostgreSQL does not close the hub's session for saying nothing.
func neverIdles(t *testing.T, r *real) {
	if r.do(t, "SELECT count(*) FROM pg_settings WHERE name = 'idle_session_timeout'") == "0" {
		t.Log("this PostgreSQL has no idle_session_timeout")
		return
	}
	r.do(t, "ALTER SYSTEM SET idle_session_timeout = '300ms'")
	r.do(t, "SELECT pg_reload_conf()")
	t.Cleanup(func() {
		if _, err := r.cluster.Psql(context.Background(), "postgres", "ALTER SYSTEM RESET idle_session_timeout"); err != nil {
			t.Error(err)
		}
		if _, err := r.cluster.Psql(context.Background(), "postgres", "SELECT pg_reload_conf()"); err != nil {
			t.Error(err)
		}
	})
	m := join(r.hub)
	must(t, m.Listen(within(t), "x"))
	var lost *pgconn.PgError
	idle := r.session(t)
	if err := idle.WaitForNotification(within(t)); !errors.As(err, &lost) || lost.Code != "57P05" {
		t.Fatalf("a session that is idle for 300 ms: %v", err)
	}
	r.teller = r.session(t)
	r.tell(t, "x", "still here")
	must(t, m.Barrier(within(t)))
	if got := m.heard(t); len(got) != 1 || len(m.lost) != 0 {
		t.Errorf("heard %v", got)
	}
}

// manyChannels: each Member its own channel, more than a batch holds.
func manyChannels(t *testing.T, r *real) {
	const people = 3 * maxStatements
	members := make([]*person, people)
	var work sync.WaitGroup
	for i := range members {
		members[i] = join(r.hub)
		work.Go(func() {
			if err := members[i].Listen(within(t), fmt.Sprintf("c%d", i)); err != nil {
				t.Error(err)
			}
		})
	}
	work.Wait()
	r.do(t, fmt.Sprintf("SELECT count(pg_notify('c' || i, i::text)) FROM generate_series(0, %d) i", people-1))
	must(t, members[0].Barrier(within(t)))
	for i, m := range members {
		if got := m.heard(t); len(got) != 1 || got[0] != fmt.Sprintf("c%d=%d", i, i) {
			t.Fatalf("member %d heard %v", i, got)
		}
		m.Leave()
	}
	last := join(r.hub)
	must(t, last.Listen(within(t), "last"))
	eventually(t, "UNLISTEN of all others is on its way", func() bool { return r.hub.Info().Channels == 1 })
	must(t, last.Barrier(within(t))) // and carried out
	r.do(t, fmt.Sprintf("SELECT count(pg_notify('c' || i, i::text)) FROM generate_series(0, %d) i", people-1))
	before := r.hub.Info().Received
	must(t, last.Barrier(within(t)))
	if got := r.hub.Info().Received; got != before || before != people {
		t.Errorf("the server has sent %d notifications, and %d that nobody listens to", before, got-before)
	}
}
