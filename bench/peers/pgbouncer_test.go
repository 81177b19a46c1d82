package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"gopkg.in/ini.v1"
)

func TestParsePgBouncerVersion(t *testing.T) {
	if got, err := parsePgBouncerVersion("PgBouncer 1.25.2\nlibevent 2.1.12-stable\n"); err != nil || got != "1.25.2" {
		t.Fatalf("version = %q, %v", got, err)
	}
	if _, err := parsePgBouncerVersion("odyssey 1.5\n"); err == nil {
		t.Fatal("another program passes for PgBouncer")
	}
}

func TestFindPgBouncer(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("PGBOUNCER", "")
	if _, _, err := findPgBouncer(context.Background(), ""); !errors.Is(err, errNoPgBouncer) {
		t.Fatalf("with none installed: %v", err)
	}
	// One that was named must be there: the table shall not lack it silently.
	t.Setenv("PGBOUNCER", "/nonexistent/pgbouncer")
	_, _, err := findPgBouncer(context.Background(), "")
	if err == nil || errors.Is(err, errNoPgBouncer) || !strings.Contains(err.Error(), "/nonexistent/pgbouncer") {
		t.Fatalf("with a wrong name: %v", err)
	}
}

// TestPgBouncerIni turns prepared statements on for the loads that name them,
// and only for those.
func TestPgBouncerIni(t *testing.T) {
	for prepared, statements := range map[bool]string{true: "200", false: "0"} {
		s := setup{target: &target{host: "127.0.0.1", port: 5555}, prepared: prepared, poolSize: 20, maxClients: 5000}
		file, err := ini.Load([]byte(pgbouncerIni(s, 6543, "/x/userlist.txt")))
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]string{
			"listen_port": "6543", "auth_type": "trust", "auth_file": "/x/userlist.txt", "pool_mode": "transaction",
			"default_pool_size": "20", "max_client_conn": "5000", "max_prepared_statements": statements, "unix_socket_dir": "",
		} {
			if !file.Section("pgbouncer").HasKey(key) || file.Section("pgbouncer").Key(key).String() != want {
				t.Errorf("%s = %q; want %q", key, file.Section("pgbouncer").Key(key), want)
			}
		}
		if got := file.Section("databases").Key("*").String(); got != "host=127.0.0.1 port=5555" {
			t.Errorf("databases: %q", got)
		}
	}
}

func TestUserlistQuotes(t *testing.T) {
	if got := userlist(&target{user: `a"b`, password: "c"}); got != `"a""b" "c"`+"\n" {
		t.Fatalf("userlist = %s", got)
	}
}
