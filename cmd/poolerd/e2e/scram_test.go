package e2e

import (
	"context"
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"poolerd/bench/postgres"
)

// TestSCRAM has passwords on both sides: clients prove theirs to the pooler,
// which has secrets of all kinds in its userlist.txt, and the pooler proves
// them to PostgreSQL.
func TestSCRAM(t *testing.T) {
	t.Parallel()
	needsPooler(t)
	c := startCluster(t, postgres.Options{Sample: true, Auth: "scram-sha-256"})
	super := observer(t, c, "postgres")
	// quill is made only to let PostgreSQL hash a password that it does not know
	// of scribe.
	mustExec(t, super, `CREATE ROLE scribe LOGIN PASSWORD 'inkwell'; CREATE ROLE quill PASSWORD 'goose-feather'`)
	secret := func(role string) string {
		value, err := ask(within(t, patience), super, "SELECT rolpassword FROM pg_authid WHERE rolname = '"+role+"'")
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	users := filepath.Join(openFolder(t), "userlist.txt")
	list := fmt.Sprintf("%q %q\n%q %q\n%q %q\n%q %q\n",
		"authenticator", "authenticator", // plain
		"scribe", secret("scribe"), // PostgreSQL's own secret of the same role
		"quill", secret("quill"), // a secret that PostgreSQL would not take: quill may not log in there
		"old", fmt.Sprintf("md5%x", md5.Sum([]byte("parchment"+"old")))) // of no use with SCRAM
	if err := os.WriteFile(users, []byte(list), 0o644); err != nil {
		t.Fatal(err)
	}
	server := fmt.Sprintf("host=%s port=%d", c.Host(), c.Port())
	p := startPooler(t, options{cluster: c, ini: "[databases]\n* = " + server + "\n" +
		"forced = " + server + " dbname=fountain user=authenticator password=authenticator\n" +
		"[pgbouncer]\n%LISTEN%\nauth_type = scram-sha-256\nauth_file = " + users + "\npool_mode = transaction\ndefault_pool_size = 3\nserver_connect_timeout = 3\n"})

	for _, login := range []struct{ name, user, password, database, as string }{
		{"plain secret", "authenticator", "authenticator", "fountain", "authenticator"},
		{"another SCRAM secret and a forced user", "quill", "goose-feather", "forced", "authenticator"},
	} {
		t.Run(login.name, func(t *testing.T) { logIn(t, p, login.user, login.password, login.database, login.as) })
	}
	for _, login := range []struct{ name, user, password string }{
		{"wrong password for a plain secret", "authenticator", "authenticato"},
		{"wrong password for a SCRAM secret", "scribe", "goose-feather"},
		{"no password", "authenticator", ""},
		{"unknown user", "nobody-knows", "inkwell"},
		{"md5 secret", "old", "parchment"},
	} {
		t.Run(login.name, func(t *testing.T) { refuse(t, p, login.user, login.password) })
	}
	t.Run("flags", func(t *testing.T) {
		p := startPooler(t, options{
			cluster: c, user: "authenticator", password: "authenticator",
			settings: map[string]string{"auth_type": "scram-sha-256", "auth_file": users},
		})
		logIn(t, p, "authenticator", "authenticator", "fountain", "authenticator")
		refuse(t, p, "authenticator", "wrong")
	})
	log := p.readWholeLog(t)
	for _, password := range []string{"inkwell", "goose-feather", "parchment", "SCRAM-SHA-256$"} {
		if strings.Contains(log, password) {
			t.Errorf("the log holds the secret %q", password)
		}
	}
}

// withPassword is the connection string of a user with a password.
func (p *pooler) withPassword(user, password, database string) string {
	return fmt.Sprintf("postgres://%s:%s@%s/%s?sslmode=disable", user, password, p.address(), database)
}

// logIn lets three kinds of client log in.
func logIn(t *testing.T, p *pooler, user, password, database, as string) {
	t.Helper()
	if user != as {
		needsPoolerd(t) // PgBouncer 1.25 logs in with the client's own secret
	}
	url := p.withPassword(user, password, database)
	const sql = "SELECT current_user::text"
	conn, err := pgx.Connect(within(t, patience), url)
	if err != nil {
		t.Fatalf("pgx: %v", err)
	}
	defer leave(conn)
	want(t, conn, sql, as)
	if out := runClient(t, patience, program(t, "psql"), "-XAtq", "-c", sql, url); strings.TrimSpace(string(out)) != as {
		t.Errorf("psql: got %q, want %q", out, as)
	}
	if out := runPython(t, patience, "ask.py", url, sql); strings.TrimSpace(string(out)) != as {
		t.Errorf("psycopg: got %q, want %q", out, as)
	}
}

// refuse wants a login to fail as PostgreSQL's own does, whatever the reason.
func refuse(t *testing.T, p *pooler, user, password string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, p.withPassword(user, password, "fountain"))
	if err == nil {
		leave(conn)
		t.Fatal("the login succeeded")
	}
	if password == "" && sqlState(err) == "" {
		return // the client itself gave up: it has nothing to send
	}
	refused := "28P01"
	if under.kind == pgbouncer {
		refused = "08P01"
	}
	wantState(t, "the login of "+strconv.Quote(user), err, refused)
}
