package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// dropIn is a poolerd that is started with PgBouncer's command line, from PgBouncer's configuration file.
type dropIn struct {
	dir, config, pidFile, logFile string
	port                          int
}

// newDropIn writes the file. more are further lines of [pgbouncer].
func newDropIn(t *testing.T, more ...string) *dropIn {
	t.Helper()
	needsPoolerd(t)
	d := &dropIn{dir: openFolder(t), port: freePort(t)}
	d.config, d.pidFile, d.logFile = filepath.Join(d.dir, "pgbouncer.ini"), filepath.Join(d.dir, "pgbouncer.pid"), filepath.Join(d.dir, "pgbouncer.log")
	lines := []string{
		"[databases]", fmt.Sprintf("fountain = host=%s port=%d user=postgres", shared.Host(), shared.Port()),
		"[pgbouncer]", "listen_addr = 127.0.0.1", fmt.Sprintf("listen_port = %d", d.port), "unix_socket_dir = " + d.dir, "auth_type = any",
		"pidfile = " + d.pidFile, "logfile = " + d.logFile,
	}
	if err := os.WriteFile(d.config, []byte(strings.Join(append(lines, more...), "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return d
}

// start runs poolerd with further flags before the file's name, and ends it with the test.
func (d *dropIn) start(t *testing.T, flags ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(under.binary, append(flags, d.config)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	endWithTests(cmd.SysProcAttr)
	cmd.Stderr = &strings.Builder{}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT)
		_ = cmd.Wait()
	})
	eventually(t, patience, "the pid file is written", func() error {
		_, err := os.Stat(d.pidFile)
		return err
	})
	return cmd
}

// over is the connection string through the Unix socket.
func (d *dropIn) over() string {
	return fmt.Sprintf("host=%s port=%d user=postgres dbname=fountain", d.dir, d.port)
}

func (d *dropIn) pid(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(d.pidFile)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// logged waits for a line of the log.
func (d *dropIn) logged(t *testing.T, pattern string) {
	t.Helper()
	eventually(t, patience, "the log has "+pattern, func() error {
		text, err := os.ReadFile(d.logFile)
		if err != nil {
			return err
		}
		if !regexp.MustCompile(pattern).Match(text) {
			return errors.New(string(text))
		}
		return nil
	})
}

// TestDropIn: --quiet says nothing on standard error, the log is PgBouncer's and moves when logrotate asks, and QUIT leaves nothing behind.
func TestDropIn(t *testing.T) {
	t.Parallel()
	d := newDropIn(t)
	cmd := d.start(t, "--quiet")
	conn, err := pgx.Connect(within(t, patience), d.over())
	if err != nil {
		t.Fatal(err)
	}
	defer leave(conn)
	want(t, conn, "SELECT 1", "1")
	d.logged(t, fmt.Sprintf(`(?m)^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S+ \[%d\] LOG listening on 127\.0\.0\.1:%d$`, cmd.Process.Pid, d.port))
	d.logged(t, `(?m) LOG listening on unix:`+regexp.QuoteMeta(d.dir))
	if pid := d.pid(t); pid != cmd.Process.Pid {
		t.Errorf("the pid file says %d, the process is %d", pid, cmd.Process.Pid)
	}

	moved := d.logFile + ".1"
	if err := os.Rename(d.logFile, moved); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Signal(syscall.SIGHUP)
	eventually(t, patience, "there is a new log", func() error {
		_, err := os.Stat(d.logFile)
		return err
	})
	_ = cmd.Process.Signal(syscall.SIGUSR2)
	d.logged(t, "got SIGUSR2, ")

	_ = cmd.Process.Signal(syscall.SIGQUIT)
	if err := cmd.Wait(); err != nil {
		t.Errorf("SIGQUIT: %v, want exit code 0", err)
	}
	if said := cmd.Stderr.(*strings.Builder).String(); said != "" {
		t.Errorf("standard error: %s", said)
	}
	left, err := filepath.Glob(filepath.Join(d.dir, "*"))
	if hidden, _ := filepath.Glob(filepath.Join(d.dir, ".s*")); err != nil || len(left) != 3 || len(hidden) > 0 {
		t.Errorf("left behind: %q, %q", left, hidden)
	}
}

// TestDaemon: -d comes back when the process in the background serves, and a second one is refused while it does.
func TestDaemon(t *testing.T) {
	t.Parallel()
	d := newDropIn(t)
	if out, err := exec.Command(under.binary, "-d", d.config).CombinedOutput(); err != nil || len(out) > 0 {
		t.Fatalf("%v, said %s", err, out)
	}
	pid := d.pid(t)
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	conn, err := pgx.Connect(within(t, patience), d.over())
	if err != nil {
		t.Fatal(err)
	}
	want(t, conn, "SELECT 1", "1")
	if sid, err := sessionOf(pid); err != nil || sid != pid {
		t.Errorf("it is in session %d, %v: it has not let go of the terminal", sid, err)
	}
	out, err := exec.Command(under.binary, "-d", d.config).CombinedOutput()
	var code *exec.ExitError
	if !errors.As(err, &code) || code.ExitCode() != 1 || !strings.Contains(string(out), "another instance running?") || strings.Count(string(out), "\n") != 1 {
		t.Errorf("a second one: %v, said %s", err, out)
	}
	want(t, conn, "SELECT 2", "2")
	leave(conn)
	_ = syscall.Kill(pid, syscall.SIGINT)
	eventually(t, patience, "the process ends", func() error {
		if _, err := os.Stat(d.pidFile); !os.IsNotExist(err) {
			return fmt.Errorf("the pid file is there: %w", err)
		}
		return nil
	})
}

// TestDaemonNeeds says what a process in the background lacks.
func TestDaemonNeeds(t *testing.T) {
	t.Parallel()
	d := newDropIn(t, "pidfile =", "logfile =")
	out, err := exec.Command(under.binary, "-d", d.config).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "set pidfile, and") || !strings.Contains(string(out), "set logfile, or syslog") {
		t.Errorf("%v, said %s", err, out)
	}
}

// TestBecomesUser: root is given up, and what the process makes is the user's.
func TestBecomesUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can become another user")
	}
	d := newDropIn(t)
	cmd := d.start(t, "-q", "-u", "nobody")
	for _, path := range []string{fmt.Sprintf("/proc/%d", cmd.Process.Pid), d.logFile, d.pidFile, filepath.Join(d.dir, ".s.PGSQL."+strconv.Itoa(d.port))} {
		info, err := os.Stat(path)
		if err != nil {
			t.Error(err)
		} else if owner := info.Sys().(*syscall.Stat_t); owner.Uid != 65534 {
			t.Errorf("%s belongs to user %d", path, owner.Uid)
		}
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if err != nil || !regexp.MustCompile(`(?m)^Uid:\t65534\t65534\t65534\t65534$`).Match(status) {
		t.Errorf("%v, %s", err, status)
	}
	conn, err := pgx.Connect(within(t, patience), d.over())
	if err != nil {
		t.Fatal(err)
	}
	want(t, conn, "SELECT 1", "1")
	leave(conn)
}

// TestSocketActivation: a socket that systemd has opened is served, and systemd is told of every step.
func TestSocketActivation(t *testing.T) {
	t.Parallel()
	d := newDropIn(t)
	notes := newNotifySocket(t, d.dir)
	listener, file := passedSocket(t)
	cmd := exec.Command("sh", "-c", `LISTEN_PID=$$ exec "$0" -q "$1"`, under.binary, d.config)
	cmd.Env = append(os.Environ(), "LISTEN_FDS=1", "NOTIFY_SOCKET="+notes.LocalAddr().String())
	cmd.ExtraFiles = []*os.File{file}
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	endWithTests(cmd.SysProcAttr)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGQUIT)
		_ = cmd.Wait()
	})
	wantNote(t, notes, `^READY=1$`)
	conn, err := pgx.Connect(within(t, patience), fmt.Sprintf("postgres://postgres@%s/fountain?sslmode=disable", listener))
	if err != nil {
		t.Fatal(err)
	}
	want(t, conn, "SELECT 1", "1")
	leave(conn)
	_ = cmd.Process.Signal(syscall.SIGHUP)
	wantNote(t, notes, `^RELOADING=1\nMONOTONIC_USEC=\d+$`)
	wantNote(t, notes, `^READY=1$`)
	_ = cmd.Process.Signal(syscall.SIGINT)
	wantNote(t, notes, `^STOPPING=1$`)
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("SIGINT: %v", err)
		}
	case <-time.After(patience):
		t.Error("it does not end")
	}
}
