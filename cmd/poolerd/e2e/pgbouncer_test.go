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

// pgbouncer is the command line of the peer: the same settings in its file.
func (p *pooler) pgbouncer(t *testing.T, dir string, o options) *exec.Cmd {
	t.Helper()
	p.config = filepath.Join(dir, "pgbouncer.ini")
	ini := o.ini
	if ini == "" {
		ini = pgbouncerIni(t, dir, o)
	}
	p.writeConfig(t, ini)
	cmd := exec.Command(under.binary, "-q", p.config)
	cmd.Dir = dir
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: unprivileged(t)}
	}
	return cmd
}

func pgbouncerIni(t *testing.T, dir string, o options) string {
	t.Helper()
	users := filepath.Join(dir, "users.txt")
	if err := os.WriteFile(users, fmt.Appendf(nil, "%q %q\n", o.user, o.password), 0o644); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(o.upstream)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{
		"auth_type": "trust", "auth_file": users, "pool_mode": "transaction",
		"default_pool_size": strconv.Itoa(o.poolSize), "max_client_conn": "6000", "max_prepared_statements": "200",
		"admin_users": o.user,
	}
	for key, value := range o.settings {
		if key != "defer_begin" && key != "defer_parse" {
			settings[key] = value
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[databases]\n* = host=%s port=%s\n[pgbouncer]\n%%LISTEN%%", host, port)
	for key, value := range settings {
		fmt.Fprintf(&b, "%s = %s\n", key, value)
	}
	return b.String()
}

// unprivileged is the user that PgBouncer runs as when the test is root.
func unprivileged(t *testing.T) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup("nobody")
	if err != nil {
		t.Fatal(err)
	}
	uid, errUID := strconv.ParseUint(u.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(u.Gid, 10, 32)
	if errUID != nil || errGID != nil {
		t.Fatalf("user nobody: uid %q, gid %q", u.Uid, u.Gid)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}
