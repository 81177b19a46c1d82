package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"poolerd/bench/proc"
)

// pgbouncer is an installed PgBouncer.
type pgbouncer struct {
	label string
	path  string
	// dir holds a folder for each start; the unprivileged user must be able to
	// reach it.
	dir string
}

// errNoPgBouncer says that there is no PgBouncer to compare with.
var errNoPgBouncer = errors.New("no PgBouncer found: name one with --pgbouncer PATH or PGBOUNCER=PATH, or put it on the PATH")

// findPgBouncer looks for the binary where the flag, the variable PGBOUNCER and
// PATH say, in this order, and returns its path and version ("1.25.2").
func findPgBouncer(ctx context.Context, flag string) (path, version string, err error) {
	name := flag
	if name == "" {
		name = os.Getenv("PGBOUNCER")
	}
	named := name != ""
	if !named {
		name = "pgbouncer"
	}
	if path, err = exec.LookPath(name); err != nil {
		if named {
			return "", "", fmt.Errorf("PgBouncer %q: %w", name, err)
		}
		return "", "", errNoPgBouncer
	}
	out, err := exec.CommandContext(ctx, path, "--version").Output()
	if err != nil {
		return "", "", fmt.Errorf("%s --version: %w", path, err)
	}
	version, err = parsePgBouncerVersion(string(out))
	return path, version, err
}

// parsePgBouncerVersion reads the first line of pgbouncer --version.
func parsePgBouncerVersion(out string) (string, error) {
	line, _, _ := strings.Cut(out, "\n")
	version, found := strings.CutPrefix(strings.TrimSpace(line), "PgBouncer ")
	if !found || version == "" {
		return "", fmt.Errorf("%q is not how PgBouncer tells its version", line)
	}
	return version, nil
}

func (p pgbouncer) name() string { return p.label }

func (p pgbouncer) start(ctx context.Context, s setup) (*endpoint, error) {
	port, err := proc.FreePort()
	if err != nil {
		return nil, err
	}
	who, err := proc.Unprivileged()
	if err != nil {
		return nil, err
	}
	config, err := p.configure(s, port, who)
	if err != nil {
		return nil, fmt.Errorf("configure %s: %w", p.label, err)
	}
	cmd := exec.Command(p.path, "-q", config)
	cmd.Dir = filepath.Dir(config)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who}
	// SIGTERM would wait for the clients to go.
	process, err := proc.Start(p.label, cmd, syscall.SIGQUIT)
	if err != nil {
		return nil, err
	}
	return ready(ctx, s, port, process)
}

// configure writes the files that PgBouncer reads and returns the path of its
// pgbouncer.ini.
func (p pgbouncer) configure(s setup, port int, who *syscall.Credential) (string, error) {
	dir, err := os.MkdirTemp(p.dir, "pgbouncer")
	if err != nil {
		return "", err
	}
	users := filepath.Join(dir, "userlist.txt")
	if err := os.WriteFile(users, []byte(userlist(s.target)), 0o600); err != nil {
		return "", err
	}
	ini := filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(ini, []byte(pgbouncerIni(s, port, users)), 0o600); err != nil {
		return "", err
	}
	if who == nil {
		return ini, nil
	}
	for _, path := range []string{dir, users, ini} {
		if err := os.Chown(path, int(who.Uid), int(who.Gid)); err != nil {
			return "", err
		}
	}
	return ini, nil
}

// pgbouncerIni is the configuration of a measurement: transaction pooling as
// poolerd does it, statements renamed only where the load names any, all else
// as PgBouncer ships but for the log lines of each login.
func pgbouncerIni(s setup, port int, users string) string {
	statements := 0
	if s.prepared {
		statements = 200
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[databases]\n* = host=%s port=%d\n\n[pgbouncer]\n", s.target.host, s.target.port)
	for _, setting := range [][2]string{
		{"listen_addr", "127.0.0.1"},
		{"listen_port", strconv.Itoa(port)},
		{"unix_socket_dir", ""},
		{"auth_type", "trust"},
		{"auth_file", users},
		{"pool_mode", "transaction"},
		{"default_pool_size", strconv.Itoa(s.poolSize)},
		{"max_client_conn", strconv.Itoa(s.maxClients)},
		{"max_prepared_statements", strconv.Itoa(statements)},
		{"log_connections", "0"},
		{"log_disconnections", "0"},
	} {
		fmt.Fprintf(&b, "%s = %s\n", setting[0], setting[1])
	}
	return b.String()
}

// userlist is the one user of the target in the format of auth_file, where a
// quote is doubled. PgBouncer logs in to PostgreSQL with this password.
func userlist(t *target) string {
	quote := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
	return quote(t.user) + " " + quote(t.password) + "\n"
}
