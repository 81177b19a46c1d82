package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// psqlAs runs psql as a system user and gives what it printed; user "" is the one of this process. An abstract socket's directory begins with @.
func psqlAs(t *testing.T, systemUser, dsn, sql string) (string, error) {
	t.Helper()
	argv := []string{program(t, "psql"), "-XAtq", "-c", sql, dsn}
	if systemUser != "" {
		argv = append([]string{"setpriv", "--reuid", systemUser, "--regid", "nogroup", "--clear-groups"}, argv...)
	}
	cmd := exec.CommandContext(within(t, 2*patience), argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "HOME=/nonexistent")
	cmd.Dir = "/"
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// mayBecome skips what needs to run programs as another system user.
func mayBecome(t *testing.T, systemUser string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can become another user")
	}
	if _, err := user.Lookup(systemUser); err != nil {
		t.Skip(err)
	}
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip(err)
	}
}

// socketIni is the configuration of a pooler with a Unix socket in dir.
func socketIni(dir string, more ...string) string {
	return fmt.Sprintf("[databases]\n* = host=%s port=%d user=postgres\n[pgbouncer]\n%%LISTEN%%unix_socket_dir = %s\npool_mode = transaction\n", shared.Host(), shared.Port(), dir) +
		strings.Join(more, "\n") + "\n"
}

// startAtSocket starts a pooler with a Unix socket in dir and waits until it accepts connections there: the other listeners may be faster.
func startAtSocket(t *testing.T, dir string, more ...string) *pooler {
	t.Helper()
	p := startPooler(t, options{ini: socketIni(dir, more...)})
	p.waitSocket(t, dir)
	return p
}

func (p *pooler) waitSocket(t *testing.T, dir string) {
	t.Helper()
	eventually(t, patience, "the Unix socket accepts connections", func() error {
		nc, err := net.Dial("unix", fmt.Sprintf("%s/.s.PGSQL.%d", dir, p.port))
		if err != nil {
			return err
		}
		return nc.Close()
	})
}

// TestUnixSocket: psql -h DIR, the socket's mode and group, an old one that lies about, and its end.
func TestUnixSocket(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	group, err := user.LookupGroupId(strconv.Itoa(os.Getgid()))
	if os.Getuid() == 0 {
		group, err = user.LookupGroup("nogroup")
	}
	if err != nil {
		t.Skip(err)
	}
	dir := openFolder(t)
	p := startAtSocket(t, dir, "auth_type = any", "unix_socket_mode = 0750", "unix_socket_group = "+group.Name)
	path := filepath.Join(dir, fmt.Sprintf(".s.PGSQL.%d", p.port))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o750 || fmt.Sprint(info.Sys().(*syscall.Stat_t).Gid) != group.Gid {
		t.Errorf("the socket has mode %o and group %d, want 750 and %s", info.Mode().Perm(), info.Sys().(*syscall.Stat_t).Gid, group.Gid)
	}
	dsn := fmt.Sprintf("host=%s port=%d user=postgres dbname=fountain", dir, p.port)
	if got, err := psqlAs(t, "", dsn, "SELECT 'it ' || 'works'"); err != nil || got != "it works" {
		t.Errorf("psql: %q, %v", got, err)
	}
	// It stays where it is when another process with the same port is refused.
	second := exec.Command(under.binary, "serve", "--config", p.config)
	if out, err := second.CombinedOutput(); err == nil {
		t.Errorf("a second process on the same socket and port: %s", out)
	}
	if got, err := psqlAs(t, "", dsn, "SELECT 'still here'"); err != nil || got != "still here" {
		t.Errorf("after a second process: %q, %v", got, err)
	}
	p.signal(t, syscall.SIGKILL)
	_ = p.endsWithin(t, patience)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the socket of a killed process: %v, want it to lie about", err)
	}

	again := &pooler{host: p.host, port: p.port, user: p.user, config: p.config, log: p.log + ".again"}
	again.run(t, exec.Command(under.binary, "serve", "--config", p.config))
	again.waitSocket(t, dir)
	if got, err := psqlAs(t, "", dsn, "SELECT 'back'"); err != nil || got != "back" {
		t.Errorf("in place of the old socket: %q, %v", got, err)
	}
	again.signal(t, syscall.SIGINT)
	if err := again.endsWithin(t, patience); err != nil {
		t.Errorf("SIGINT: %v", err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket after the end: %v, want none", err)
	}
}

// TestAbstractSocket has no file.
func TestAbstractSocket(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	name := fmt.Sprintf("@poolerd-e2e-%d", os.Getpid())
	p := startAtSocket(t, name, "auth_type = any")
	got, err := psqlAs(t, "", fmt.Sprintf("host=%s port=%d user=postgres dbname=fountain", name, p.port), "SELECT 'it ' || 'works'")
	if err != nil || got != "it works" {
		t.Errorf("psql: %q, %v", got, err)
	}
}

// TestPeer: over the Unix socket the system says who a client is.
func TestPeer(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	mayBecome(t, "nobody")
	mayBecome(t, "daemon")
	dir := openFolder(t)
	maps := filepath.Join(dir, "ident.conf")
	if err := os.WriteFile(maps, []byte("staff daemon actor\nstaff daemon director\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rules := rulesFile(t, "local fountain nobody peer\nlocal all actor,director peer map=staff\n")
	p := startAtSocket(t, dir, "auth_type = hba", "auth_hba_file = "+rules, "auth_ident_file = "+maps,
		"auth_file = "+userlist(t, "nobody", "", "actor", "", "director", "", "postgres", "unguessable"))
	for _, tc := range []struct {
		system, user, database, host string
		works                        bool
	}{
		{"nobody", "nobody", "fountain", dir, true},
		{"nobody", "nobody", "bench", dir, false},
		{"daemon", "nobody", "fountain", dir, false},
		{"", "nobody", "fountain", dir, false}, // root is nobody special
		{"daemon", "actor", "bench", dir, true},
		{"daemon", "director", "bench", dir, true},
		{"nobody", "actor", "bench", dir, false},
		{"nobody", "nobody", "fountain", "127.0.0.1", false},
		{"daemon", "postgres", "fountain", dir, false},
	} {
		got, err := psqlAs(t, tc.system, fmt.Sprintf("host=%s port=%d user=%s dbname=%s", tc.host, p.port, tc.user, tc.database), "SELECT 'it ' || 'works'")
		if works := err == nil && got == "it works"; works != tc.works {
			t.Errorf("%q as %s to %s at %s: %s, %v; want it to work: %v", tc.system, tc.user, tc.database, tc.host, got, err, tc.works)
		}
	}
}

// TestConsoleOverSocket: the user of the process is an administrator under the name pgbouncer, without a password, and nobody else is.
func TestConsoleOverSocket(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	dir := openFolder(t)
	p := startAtSocket(t, dir, "auth_type = scram-sha-256", "auth_file = "+userlist(t, "postgres", "quire"))
	dsn := func(host string) string {
		return fmt.Sprintf("host=%s port=%d user=pgbouncer dbname=pgbouncer", host, p.port)
	}
	if got, err := psqlAs(t, "", dsn(dir), "SHOW VERSION"); err != nil || !strings.Contains(got, "PgBouncer 1.25") {
		t.Errorf("over the socket: %q, %v, want a version", got, err)
	}
	if got, err := psqlAs(t, "", dsn(dir), "RELOAD"); err != nil {
		t.Errorf("RELOAD over the socket: %q, %v", got, err)
	}
	if got, err := psqlAs(t, "", dsn("127.0.0.1"), "SHOW VERSION"); err == nil {
		t.Errorf("over TCP: %q, want an error", got)
	}
	mayBecome(t, "nobody")
	if got, err := psqlAs(t, "nobody", dsn(dir), "SHOW VERSION"); err == nil {
		t.Errorf("another system user: %q, want an error", got)
	}
}
