package console

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"go.uber.org/goleak"

	"poolerd/bench/postgres"
	"poolerd/bench/proc"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 60 * time.Second

// cluster starts a private PostgreSQL for a test.
func cluster(ctx context.Context, t *testing.T) *postgres.Cluster {
	t.Helper()
	c, err := postgres.Start(ctx, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	return c
}

// pooler is a running one, with one server a pool.
type pooler struct {
	name string
	port int
}

func (p pooler) url(user, database string) string {
	return fmt.Sprintf("postgres://%s@127.0.0.1:%d/%s?sslmode=disable&search_path=public", user, p.port, database)
}

// start runs a pooler's command until the test ends.
func start(ctx context.Context, t *testing.T, name string, port int, cmd *exec.Cmd, quit syscall.Signal) pooler {
	t.Helper()
	process, err := proc.Start(name, cmd, quit)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(process.Stop)
	p := pooler{name: name, port: port}
	if err := process.WaitReady(ctx, strings.ReplaceAll(p.url("postgres", "postgres"), "&search_path=public", "")); err != nil {
		t.Fatal(err)
	}
	return p
}

// startPoolerd builds and runs poolerd; the variable POOLERD_E2E_BINARY names one that is built already.
func startPoolerd(ctx context.Context, t *testing.T, pg *postgres.Cluster) pooler {
	t.Helper()
	binary := os.Getenv("POOLERD_E2E_BINARY")
	if binary == "" {
		binary = filepath.Join(t.TempDir(), "poolerd")
		if out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "poolerd/cmd/poolerd").CombinedOutput(); err != nil {
			t.Fatalf("go build: %v\n%s", err, out)
		}
	}
	port := freePort(t)
	cmd := exec.Command(binary, "serve", "--listen", fmt.Sprintf("127.0.0.1:%d", port), "--upstream", pg.URL("postgres", "postgres"),
		"--pool-size", "1", "--auth-type", "trust", "--admin-users", "postgres")
	return start(ctx, t, "poolerd", port, cmd, syscall.SIGINT)
}

// startPgBouncer runs the installed PgBouncer, that of the variable PGBOUNCER or of the PATH. Where there is none the test is left out: what reads its
// console is the code that reads poolerd's, and TestTotals has the columns of both its generations.
func startPgBouncer(ctx context.Context, t *testing.T, pg *postgres.Cluster) pooler {
	t.Helper()
	name := os.Getenv("PGBOUNCER")
	if name == "" {
		name = "pgbouncer"
	}
	binary, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("no PgBouncer to ask: %v; name one in PGBOUNCER", err)
	}
	who, err := proc.Unprivileged()
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "console")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	port := freePort(t)
	files := map[string]string{
		"users": `"postgres" ""` + "\n" + `"stranger" ""` + "\n",
		"ini": fmt.Sprintf("[databases]\n* = host=%s port=%d\n[pgbouncer]\nlisten_addr=127.0.0.1\nlisten_port=%d\nunix_socket_dir=\nauth_type=trust\nauth_file=%s\npool_mode=transaction\ndefault_pool_size=1\nadmin_users=postgres\nignore_startup_parameters=search_path\n",
			pg.Host(), pg.Port(), port, filepath.Join(dir, "users")),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, "-q", filepath.Join(dir, "ini"))
	cmd.Dir, cmd.SysProcAttr = dir, &syscall.SysProcAttr{Credential: who}
	return start(ctx, t, "PgBouncer", port, cmd, syscall.SIGQUIT)
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := proc.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func TestPoolers(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	pg := cluster(ctx, t)
	for name, begin := range map[string]func(context.Context, *testing.T, *postgres.Cluster) pooler{"poolerd": startPoolerd, "PgBouncer": startPgBouncer} {
		t.Run(name, func(t *testing.T) {
			p := begin(ctx, t, pg)
			t.Run("figures", func(t *testing.T) { figures(ctx, t, p) })
			t.Run("stranger", func(t *testing.T) {
				c, err := Open(ctx, p.url("stranger", "postgres"))
				if err == nil {
					_ = c.Close()
				}
				if !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "stats_users") {
					t.Errorf("%v; want %v with a way out", err, ErrRefused)
				}
			})
		})
	}
}

// figures makes a client wait for the only server, for a time that is known, and asks the console of it.
func figures(ctx context.Context, t *testing.T, p pooler) {
	const wait = 150 * time.Millisecond
	c, err := Open(ctx, p.url("postgres", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}()
	if !strings.HasPrefix(c.Version(), "PgBouncer ") { // poolerd names the PgBouncer whose console it has
		t.Errorf("version %q", c.Version())
	}
	holder, waiter := connect(ctx, t, p), connect(ctx, t, p)
	run(ctx, t, holder, "SELECT 1")
	before, err := c.Waits(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// poolerd holds no server for a BEGIN alone.
	run(ctx, t, holder, "BEGIN")
	run(ctx, t, holder, "SELECT 1")
	answered := make(chan error, 1)
	started := time.Now()
	go func() {
		_, err := waiter.Exec(ctx, "SELECT 2").ReadAll()
		answered <- err
	}()
	pool := waitForPool(ctx, t, c, func(p Pool) bool { return p.Waiting == 1 && p.LongestWait >= wait })
	if pool.Database != "postgres" || pool.User != "postgres" || pool.ServersActive != 1 || pool.ServersIdle != 0 {
		t.Errorf("while one waits: %+v", pool)
	}
	run(ctx, t, holder, "COMMIT")
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	waited := time.Since(started)
	after, err := c.Waits(ctx)
	if err != nil {
		t.Fatal(err)
	}
	d := after.Minus(before)
	if d.Transactions != 2 || d.Received <= 0 || d.Sent <= 0 || d.TransactionTime < wait || d.Queries < 4 {
		t.Errorf("two transactions, one of them of %v and more: %+v", wait, d)
	}
	mean, ok := d.MeanWait()
	if !ok || mean < wait/2 || mean > waited {
		t.Errorf("mean wait %v, %v; one of two transactions waited at least %v and at most %v", mean, ok, wait, waited)
	}
	for _, database := range []string{"postgres", "no such one"} {
		if n, err := c.PoolSize(ctx, database); n != 1 || err != nil {
			t.Errorf("pool size of %s: %d, %v; want 1", database, n, err)
		}
	}
	pool = waitForPool(ctx, t, c, func(p Pool) bool { return p.ServersIdle == 1 })
	if pool.Waiting != 0 || pool.ServersActive != 0 {
		t.Errorf("afterwards: %+v", pool)
	}
}

func connect(ctx context.Context, t *testing.T, p pooler) *pgconn.PgConn {
	t.Helper()
	conn, err := pgconn.Connect(ctx, p.url("postgres", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(ctx)) })
	return conn
}

func run(ctx context.Context, t *testing.T, conn *pgconn.PgConn, sql string) {
	t.Helper()
	if _, err := conn.Exec(ctx, sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// waitForPool asks until the only pool is as wanted.
func waitForPool(ctx context.Context, t *testing.T, c *Console, wanted func(Pool) bool) Pool {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var all []Pool
	for {
		var err error
		if all, err = c.Pools(ctx); err != nil {
			t.Fatalf("%v; before it %+v", err, all)
		}
		if len(all) == 1 && wanted(all[0]) {
			return all[0]
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not as wanted in time: %+v", all)
		case <-tick.C:
		}
	}
}

func TestPlainPostgreSQL(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	pg := cluster(ctx, t)
	none := func(what string) {
		t.Helper()
		c, err := Open(ctx, pg.URL("postgres", "postgres"))
		if err == nil {
			_ = c.Close()
		}
		if !errors.Is(err, ErrNone) {
			t.Errorf("%s: %v; want %v", what, err, ErrNone)
		}
	}
	none("no database pgbouncer")
	conn, err := pgconn.Connect(ctx, pg.URL("postgres", "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	run(ctx, t, conn, "CREATE DATABASE pgbouncer")
	if err := conn.Close(ctx); err != nil {
		t.Fatal(err)
	}
	none("a database that is only called so")
}

func TestUnreachable(t *testing.T) {
	for url, want := range map[string]string{
		fmt.Sprintf("postgres://a@127.0.0.1:%d/x?sslmode=disable", freePort(t)): "connect to the console: ",
		"postgres://a@127.0.0.1:port/x":                                         "connect to the console: ",
	} {
		c, err := Open(t.Context(), url)
		if err == nil {
			_ = c.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, ErrNone) || errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", url, err)
		}
	}
}
