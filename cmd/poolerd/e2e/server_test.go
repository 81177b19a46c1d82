package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"poolerd/bench/postgres"
)

// patience is the limit of waits that say nothing about the pooler.
const patience = 10 * time.Second

// options say what pooler startPooler starts. The zero value is one before the
// shared cluster, transaction mode, trust, a pool of 10.
type options struct {
	cluster  *postgres.Cluster
	user     string            // known to the pooler; "" is postgres
	password string            // of that user
	upstream string            // host:port of the server; "" is the cluster's
	poolSize int               // 0 is 10
	settings map[string]string // further keys of [pgbouncer] or [poolerd], given as flags

	// ini is the content of a configuration file, used in place of all of the
	// above; %LISTEN% in it becomes the listen_addr and listen_port lines.
	ini string

	env []string // further variables of its environment
}

// pooler is one running poolerd (or peer, or nothing but the cluster itself).
type pooler struct {
	host     string
	port     int
	user     string
	password string    // "" where none is asked for
	cmd      *exec.Cmd // nil when PostgreSQL alone is under test
	log      string    // the file that takes its output
	config   string    // its configuration file, "" when there is none
	done     chan struct{}
	ended    error // of cmd.Wait, once done is closed
}

// startPooler starts what is under test, waits until it accepts connections,
// and ends it with the test, which fails when it does not end well.
func startPooler(t *testing.T, o options) *pooler {
	t.Helper()
	noteInputs(t)
	o.complete()
	p := &pooler{host: o.cluster.Host(), port: o.cluster.Port(), user: o.user}
	if under.kind == direct {
		return p
	}
	p.host, p.port = "127.0.0.1", freePort(t)
	dir := openFolder(t)
	p.log = filepath.Join(dir, "pooler.log")
	if under.kind == pgbouncer {
		p.cmd = p.pgbouncer(t, dir, o)
	} else {
		p.cmd = p.poolerd(t, dir, o)
	}
	if len(o.env) > 0 {
		p.cmd.Env = append(p.cmd.Environ(), o.env...)
	}
	p.run(t, p.cmd)
	return p
}

// run starts a process that listens on p's port and writes p's log.
func (p *pooler) run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	p.cmd, p.done = cmd, make(chan struct{})
	out, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if p.cmd.SysProcAttr == nil {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	endWithTests(p.cmd.SysProcAttr)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.ended = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() { p.stop(t) })
	p.waitAccepting(t)
}

func (o *options) complete() {
	if o.cluster == nil {
		o.cluster = shared
	}
	if o.user == "" {
		o.user = "postgres"
	}
	if o.poolSize == 0 {
		o.poolSize = 10
	}
	if o.upstream == "" {
		o.upstream = net.JoinHostPort(o.cluster.Host(), strconv.Itoa(o.cluster.Port()))
	}
}

// poolerd is the command line of the real thing.
func (p *pooler) poolerd(t *testing.T, dir string, o options) *exec.Cmd {
	t.Helper()
	args := []string{"serve", "--log-format", "json"}
	if o.ini != "" {
		p.config = filepath.Join(dir, "poolerd.ini")
		p.writeConfig(t, o.ini)
		args = append(args, "--config", p.config)
	} else {
		credentials := o.user
		if o.password != "" {
			credentials += ":" + o.password
		}
		args = append(args, "--listen", p.address(), "--upstream", "postgres://"+credentials+"@"+o.upstream+"/fountain",
			"--pool-size", strconv.Itoa(o.poolSize))
		settings := map[string]string{"max_client_conn": "6000", "auth_type": "trust", "admin_users": o.user}
		maps.Copy(settings, o.settings)
		for key, value := range settings {
			args = append(args, "--"+strings.ReplaceAll(key, "_", "-"), value)
		}
	}
	cmd := exec.Command(under.binary, args...)
	cmd.Dir = dir
	// A dump of a crashed process shows every goroutine, and the race detector does not wait a second at the end.
	cmd.Env = append(os.Environ(), "GOTRACEBACK=all", "GORACE=atexit_sleep_ms=0")
	return cmd
}

// writeConfig writes the configuration file again, for a reload.
func (p *pooler) writeConfig(t *testing.T, ini string) {
	t.Helper()
	listen := fmt.Sprintf("listen_addr = %s\nlisten_port = %d\n", p.host, p.port)
	if under.kind == pgbouncer {
		listen += "unix_socket_dir =\n"
	}
	if err := os.WriteFile(p.config, []byte(strings.ReplaceAll(ini, "%LISTEN%", listen)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (p *pooler) address() string { return net.JoinHostPort(p.host, strconv.Itoa(p.port)) }

// url is the connection string of a client.
func (p *pooler) url(database string) string {
	who := url.User(p.user)
	if p.password != "" {
		who = url.UserPassword(p.user, p.password)
	}
	return fmt.Sprintf("postgres://%v@%s/%s?sslmode=disable", who, p.address(), database)
}

func (p *pooler) waitAccepting(t *testing.T) {
	t.Helper()
	eventually(t, patience, "the pooler accepts connections", func() error {
		select {
		case <-p.done:
			t.Fatalf("the pooler ended at once: %v", p.ended)
		default:
		}
		conn, err := net.DialTimeout("tcp", p.address(), time.Second)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// signal sends the process a signal; one that has ended takes none.
func (p *pooler) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
}

// endsWithin waits until the process has ended and returns how.
func (p *pooler) endsWithin(t *testing.T, limit time.Duration) error {
	t.Helper()
	select {
	case <-p.done:
		return p.ended
	case <-time.After(limit):
		t.Fatalf("the pooler still runs after %s", limit)
		return nil
	}
}

// stop ends the process as a service manager would, and reads its log.
func (p *pooler) stop(t *testing.T) {
	t.Helper()
	running := true
	select {
	case <-p.done:
		running = false
	default:
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		if !running {
			break
		}
		if sig == syscall.SIGKILL {
			t.Error("SIGINT and SIGQUIT did not end the pooler")
		}
		_ = p.cmd.Process.Signal(sig)
		select {
		case <-p.done:
			running = false
		case <-time.After(3 * time.Second):
		}
	}
	p.readLog(t)
}

// readLog fails the test for what must never be in a log, and shows the log's
// tail when the test has failed.
func (p *pooler) readLog(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(p.log)
	if err != nil {
		t.Error(err)
		return
	}
	for _, bad := range []string{"panic: ", "fatal error: ", "WARNING: DATA RACE", `"level":"panic"`} {
		if i := strings.Index(string(text), bad); i >= 0 {
			t.Errorf("the pooler's log has %q:\n%s", bad, text[i:min(len(text), i+4000)])
		}
	}
	if t.Failed() {
		t.Logf("the end of the pooler's log:\n%s", text[max(0, len(text)-6000):])
	}
}

// freePort is a TCP port of the loopback interface that nobody listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// openFolder is a temporary folder that other users may enter and write to:
// PgBouncer does not run as root.
func openFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "poolerd-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	return dir
}

// eventually waits until a condition holds, which then returns nil.
func eventually(t *testing.T, limit time.Duration, what string, holds func() error) {
	t.Helper()
	begin := time.Now()
	for {
		err := holds()
		if err == nil {
			return
		}
		if time.Since(begin) > limit {
			t.Fatalf("after %s still not so: %s: %v", limit, what, err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// within is a context for one step of a test.
func within(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}
