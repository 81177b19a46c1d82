package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// command gives the console a command by psql, which must succeed.
func (p *pooler) command(t *testing.T, sql string) {
	t.Helper()
	if out, err := p.tries(t, sql); err != nil {
		t.Fatalf("%s: %v, %s", sql, err, out)
	}
}

// tries gives the console a command by psql and tells what that printed.
func (p *pooler) tries(t *testing.T, sql string) (string, error) {
	t.Helper()
	return psqlAs(t, "", fmt.Sprintf("host=%s port=%d user=%s dbname=pgbouncer sslmode=disable", p.host, p.port, p.user), sql)
}

// loadedIni is the configuration of a pooler with one database, which is also there under the name other, and a pool of size.
func loadedIni(size int) string {
	return fmt.Sprintf("[databases]\nfountain = host=%[1]s port=%[2]d user=postgres\nother = host=%[1]s port=%[2]d user=postgres dbname=fountain\n[pgbouncer]\n%%LISTEN%%unix_socket_dir =\nauth_type = any\nadmin_users = postgres\npool_mode = transaction\ndefault_pool_size = %[3]d\n",
		shared.Host(), shared.Port(), size)
}

// load is pgbench at work, again and again.
type load struct {
	stopped chan struct{}
	ended   sync.WaitGroup
	stop    func()
}

// startLoad runs pgbench with 20 clients until it is stopped. Each of its transactions must succeed.
func startLoad(t *testing.T, p *pooler) *load {
	t.Helper()
	script := filepath.Join(openFolder(t), "script.sql")
	if err := os.WriteFile(script, []byte("BEGIN;\nSELECT 1;\nSELECT pg_sleep(0.002);\nEND;\nSELECT 2;\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l := &load{stopped: make(chan struct{})}
	path := program(t, "pgbench")
	l.ended.Go(func() {
		for runs := 0; ; runs++ {
			select {
			case <-l.stopped:
				if runs == 0 {
					t.Error("pgbench has done nothing")
				}
				return
			default:
			}
			cmd := exec.Command(path, "-n", "-M", []string{"simple", "extended", "prepared"}[runs%3], "-c", "20", "-j", "2", "-T", "2", "-f", script,
				"-h", p.host, "-p", strconv.Itoa(p.port), "-U", p.user, "fountain")
			var out bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &out
			err := cmd.Run()
			if err != nil || !strings.Contains(out.String(), "number of failed transactions: 0 ") || strings.Contains(out.String(), "actually processed: 0\n") {
				t.Errorf("pgbench: %v\n%s", err, &out)
				return
			}
		}
	})
	l.stop = sync.OnceFunc(func() { close(l.stopped); l.ended.Wait() })
	t.Cleanup(l.stop)
	return l
}

// pool is the row of SHOW POOLS of a database.
func poolRow(t *testing.T, console *pgx.Conn, database string) map[string]string {
	t.Helper()
	for _, row := range show(t, console, "POOLS") {
		if row["database"] == database {
			return row
		}
	}
	return nil
}

// sum adds columns of a row.
func sum(t *testing.T, row map[string]string, columns ...string) (n int) {
	t.Helper()
	for _, column := range columns {
		value, err := strconv.Atoi(row[column])
		if err != nil {
			t.Fatalf("column %s: %v", column, err)
		}
		n += value
	}
	return n
}

// becomesTrue waits for a condition that says what it sees when it does not hold.
func becomesTrue(t *testing.T, what string, holds func() (bool, string)) {
	t.Helper()
	eventually(t, 2*patience, what, func() error {
		if ok, seen := holds(); !ok {
			return errors.New(seen)
		}
		return nil
	})
}

// clientCalled is the row of SHOW CLIENTS of the client with an application_name.
func clientCalled(t *testing.T, console *pgx.Conn, name string) map[string]string {
	t.Helper()
	for _, row := range show(t, console, "CLIENTS") {
		if row["application_name"] == name {
			return row
		}
	}
	t.Fatalf("SHOW CLIENTS has no client called %s", name)
	return nil
}

// TestConsoleUnderLoad commands a pooler while pgbench works through it, which must not notice.
func TestConsoleUnderLoad(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	p := startPooler(t, options{ini: loadedIni(8)})
	console, kept := connectConsole(t, p), connect(t, p, "fountain")
	mustExec(t, kept, "SET application_name = 'kept'")
	l := startLoad(t, p)
	servers := func(states ...string) int {
		return sum(t, poolRow(t, console, "fountain"), states...)
	}
	all := []string{"sv_active", "sv_idle", "sv_used", "sv_tested", "sv_login"}
	hasServers := func(n int) {
		t.Helper()
		becomesTrue(t, fmt.Sprintf("the pool has %d servers", n), func() (bool, string) {
			got := servers(all...)
			return got == n, fmt.Sprint(got)
		})
	}
	queries := func() int {
		for _, row := range show(t, console, "STATS") {
			if row["database"] == "fountain" {
				return sum(t, row, "total_query_count")
			}
		}
		return 0
	}
	works := func() {
		t.Helper()
		begin := queries()
		becomesTrue(t, "the load goes on", func() (bool, string) { return queries() > begin+100, fmt.Sprint(queries() - begin) })
	}
	hasServers(8)
	works()

	for _, command := range []string{"PAUSE", "PAUSE fountain"} {
		p.command(t, command)
		if n := servers("sv_active"); n != 0 {
			t.Errorf("%s: %d active servers", command, n)
		}
		becomesTrue(t, "20 clients wait", func() (bool, string) {
			n := servers("cl_waiting")
			return n >= 20, fmt.Sprint(n)
		})
		before := queries() // what ended with the last servers is counted by then
		if command == "PAUSE" {
			for _, again := range []string{"PAUSE", "PAUSE fountain"} {
				if out, err := p.tries(t, again); err == nil {
					t.Errorf("%s while all is paused: %s, want an error", again, out)
				}
			}
		}
		if after := queries(); after != before {
			t.Errorf("%s: %d queries went on", command, after-before)
		}
		p.command(t, strings.Replace(command, "PAUSE", "RESUME", 1))
		works()
	}

	p.command(t, "RECONNECT")
	const old = "SELECT count(*) FROM pg_stat_activity WHERE pid = ANY ($1)"
	watch := observer(t, shared, "fountain")
	pids := []int{}
	for _, row := range show(t, console, "SERVERS") {
		pids = append(pids, sum(t, row, "remote_pid"))
	}
	p.command(t, "RECONNECT fountain")
	p.command(t, "WAIT_CLOSE fountain")
	becomesTrue(t, "the servers from before are gone", func() (bool, string) { // PostgreSQL takes a moment
		var n int
		if err := watch.QueryRow(within(t, patience), old, pids).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n == 0, fmt.Sprint(n)
	})
	works()

	for _, size := range []int{16, 2, 8} {
		p.writeConfig(t, loadedIni(size))
		p.command(t, "RELOAD")
		hasServers(size)
		works()
	}
	p.command(t, "SET default_pool_size = 4")
	wantConfig(t, console, "default_pool_size", "4")
	hasServers(4)
	if out, err := p.tries(t, "SET default_pool_size = 'many'"); err == nil {
		t.Errorf("SET default_pool_size = 'many': %s, want an error", out)
	}
	wantConfig(t, console, "default_pool_size", "4")
	p.command(t, "RELOAD")
	wantConfig(t, console, "default_pool_size", "8")
	works()
	l.stop()
	want(t, kept, "SHOW application_name", "kept")
}

// TestConsoleGates: DISABLE lets nobody new in, KILL and KILL_CLIENT send clients away, and only those.
func TestConsoleGates(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	p := startPooler(t, options{ini: loadedIni(5)})
	console := connectConsole(t, p)
	inside, outside := connect(t, p, "fountain"), connect(t, p, "other")
	want(t, outside, "SELECT 1", "1")

	p.command(t, "DISABLE fountain")
	_, err := p.knocks(t, p.host, "postgres", "", "fountain")
	wantExplained(t, err, "08", "57", "3D")
	want(t, inside, "SELECT 1", "1")
	if _, err := p.knocks(t, p.host, "postgres", "", "other"); err != nil {
		t.Errorf("another database: %v", err)
	}
	p.command(t, "ENABLE fountain")
	if _, err := p.knocks(t, p.host, "postgres", "", "fountain"); err != nil {
		t.Errorf("ENABLE: %v", err)
	}

	one, two := connect(t, p, "fountain"), connect(t, p, "fountain")
	mustExec(t, one, "SET application_name = 'one'")
	mustExec(t, two, "SET application_name = 'two'")
	p.command(t, "KILL_CLIENT "+clientCalled(t, console, "one")["ptr"])
	wantClosed(t, one, patience)
	want(t, two, "SHOW application_name", "two")
	if out, err := p.tries(t, "KILL_CLIENT 0xffffff"); err == nil {
		t.Errorf("KILL_CLIENT of nobody: %s, want an error", out)
	}

	mustExec(t, two, "BEGIN")
	p.command(t, "KILL fountain")
	wantClosed(t, two, patience)
	wantClosed(t, inside, patience)
	want(t, outside, "SELECT 1", "1")
	// Until RESUME the database is paused.
	came := make(chan error, 1)
	go func() {
		_, err := p.knocks(t, p.host, "postgres", "", "fountain")
		came <- err
	}()
	becomesTrue(t, "who comes after KILL waits", func() (bool, string) {
		row := poolRow(t, console, "fountain")
		return row["cl_waiting"] == "1", fmt.Sprint(row)
	})
	p.command(t, "RESUME fountain")
	if err := <-came; err != nil {
		t.Errorf("after KILL and RESUME: %v", err)
	}
	for _, bad := range []string{"KILL nowhere", "PAUSE nowhere", "RESUME fountain", "ENABLE nowhere", "NONSENSE", "SHOW FDS", "SHUTDOWN now"} {
		if out, err := p.tries(t, bad); err == nil {
			t.Errorf("%s: %s, want an error", bad, out)
		}
	}
}

// TestConsoleSuspend: everything stands still until RESUME, and nothing is lost.
func TestConsoleSuspend(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	p := startPooler(t, options{ini: loadedIni(5)})
	console, conn := connectConsole(t, p), connect(t, p, "fountain") // without anybody on the console the suspension would end
	want(t, conn, "SELECT 1", "1")
	mustExec(t, console, "SUSPEND")
	answered := make(chan error, 1)
	go func() {
		_, err := ask(within(t, patience), conn, "SELECT 2")
		answered <- err
	}()
	for _, row := range show(t, console, "DATABASES") { // the console goes on
		if row["name"] == "fountain" && row["paused"] == "1" {
			t.Error("SUSPEND: the database is paused")
		}
	}
	select {
	case err := <-answered:
		t.Errorf("a query was answered while all was suspended: %v", err)
	default:
	}
	mustExec(t, console, "RESUME")
	if err := <-answered; err != nil {
		t.Error(err)
	}
}

// TestConsoleShutdown: at once, when the servers are free, and when the clients are gone.
func TestConsoleShutdown(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	for _, command := range []string{"SHUTDOWN", "SHUTDOWN WAIT_FOR_SERVERS", "SHUTDOWN WAIT_FOR_CLIENTS"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			p := startPooler(t, options{ini: loadedIni(5)})
			idle, inside := connect(t, p, "fountain"), connect(t, p, "fountain")
			want(t, idle, "SELECT 1", "1")
			mustExec(t, inside, "BEGIN")
			want(t, inside, "SELECT 1", "1")
			if out, err := p.tries(t, command); err != nil && command != "SHUTDOWN" { // which may take the console with it
				t.Fatalf("%v, %s", err, out)
			}
			switch command {
			case "SHUTDOWN":
				wantClosed(t, idle, patience)
				wantClosed(t, inside, patience)
			case "SHUTDOWN WAIT_FOR_SERVERS":
				wantClosed(t, idle, patience)
				want(t, inside, "SELECT 2", "2")
				mustExec(t, inside, "COMMIT")
			default:
				want(t, idle, "SELECT 2", "2")
				want(t, inside, "SELECT 2", "2")
				mustExec(t, inside, "COMMIT")
				leave(idle)
				leave(inside)
			}
			if err := p.endsWithin(t, patience); err != nil {
				t.Errorf("%v, want exit code 0", err)
			}
		})
	}
	t.Run("a stats user may not", func(t *testing.T) {
		p := startPooler(t, options{ini: loadedIni(5) + "stats_users = reader\nauth_type = trust\nauth_file = " + userlist(t, "postgres", "", "reader", "", "stranger", "") + "\n"})
		reader := fmt.Sprintf("host=%s port=%d user=reader dbname=pgbouncer sslmode=disable", p.host, p.port)
		if out, err := psqlAs(t, "", reader, "SHOW POOLS"); err != nil {
			t.Errorf("SHOW POOLS: %v, %s", err, out)
		}
		for _, sql := range []string{"SHUTDOWN", "PAUSE", "RELOAD", "SET verbose = 1", "KILL fountain"} {
			if out, err := psqlAs(t, "", reader, sql); err == nil {
				t.Errorf("%s: %s, want an error", sql, out)
			}
		}
		if out, err := psqlAs(t, "", strings.Replace(reader, "reader", "stranger", 1), "SHOW POOLS"); err == nil {
			t.Errorf("SHOW POOLS of a stranger: %s, want an error", out)
		}
		p.signal(t, syscall.SIGQUIT)
		if err := p.endsWithin(t, patience); err != nil {
			t.Error(err)
		}
	})
}
