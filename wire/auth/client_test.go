package auth

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/wire"
)

// serveLogins answers logins on a free port until the test ends, and closes each client after the welcome.
func serveLogins(t *testing.T, method Method, known Secrets) (port string) {
	a := New()
	return listen(t, func(c net.Conn) error { return serveLogin(c, a, method, known, nil) })
}

// serveTLSLogins is serveLogins over TLS, with channel binding.
func serveTLSLogins(t *testing.T, known Secrets) (port string) {
	pair, digest := certificate(t)
	a, config := New(), &tls.Config{Certificates: []tls.Certificate{pair}}
	return listen(t, func(c net.Conn) error {
		if _, err := pgproto3.NewBackend(c, c).ReceiveStartupMessage(); err != nil {
			return err
		}
		if _, err := c.Write([]byte("S")); err != nil {
			return err
		}
		return serveLogin(tls.Server(c, config), a, SCRAM, known, digest)
	})
}

func listen(t *testing.T, serve func(net.Conn) error) (port string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			if err := serve(c); err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("login: %v", err)
			}
			_ = c.Close()
		}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	_, port, _ = net.SplitHostPort(l.Addr().String())
	return port
}

func serveLogin(c net.Conn, a *Authenticator, method Method, known Secrets, endPoint []byte) error {
	b := pgproto3.NewBackend(c, c)
	m, err := b.ReceiveStartupMessage()
	if err != nil {
		return err
	}
	e := a.Begin(method, 4096, known, m.(*pgproto3.StartupMessage).Parameters["user"])
	if endPoint != nil {
		e.Bind(endPoint)
	}
	out := e.Start()
	for done := false; !done; {
		if _, err := c.Write(out); err != nil {
			return err
		}
		_, body, err := wire.ReadMessage(c, 10000)
		if err != nil {
			return err
		}
		var failure *wire.Error
		if out, done, failure = e.Next(body); failure != nil {
			_, err := c.Write(failure.Append(nil))
			return err
		}
	}
	out = append(out, encode(&pgproto3.AuthenticationOk{})...)
	_, err = c.Write(wire.AppendReadyForQuery(out, wire.TxIdle))
	return err
}

// TestRealClients logs in with pgx and, where psql is installed, with libpq.
func TestRealClients(t *testing.T) {
	known := secrets{"plain": "sécret pass", "scram": stored(t, "sécret pass", 4096), "md5": hashMD5("sécret pass" + "md5")}
	psql, _ := exec.LookPath("psql")
	for _, tc := range []struct {
		method Method
		user   string
		right  bool
	}{
		{SCRAM, "plain", true},
		{SCRAM, "scram", true},
		{SCRAM, "md5", false},
		{SCRAM, "nobody", false},
		{MD5, "plain", true},
		{MD5, "md5", true},
		{MD5, "scram", true},
		{MD5, "nobody", false},
		{Plain, "plain", true},
		{Plain, "scram", true},
		{Plain, "nobody", false},
	} {
		t.Run(tc.method.String()+"/"+tc.user, func(t *testing.T) {
			port := serveLogins(t, tc.method, known)
			for password, right := range map[string]bool{"sécret pass": tc.right, "wrong": false} {
				err := pgxLogin(t, port, tc.user, password)
				if right != (err == nil) {
					t.Errorf("pgx with password %q: %v", password, err)
				}
				if psql == "" {
					continue
				}
				said := psqlLogin(t, psql, port, tc.user, password)
				want := `FATAL:  password authentication failed for user "` + tc.user + `"`
				if right {
					want = "server closed the connection unexpectedly" // after the welcome, at the query
				}
				if !strings.Contains(said, want) {
					t.Errorf("libpq with password %q says %q", password, said)
				}
			}
		})
	}
}

func pgxLogin(t *testing.T, port, user, password string) error {
	t.Helper()
	cfg, err := pgconn.ParseConfig("host=127.0.0.1 sslmode=disable dbname=x user=" + user + " port=" + port)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Password = password
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		var pg *pgconn.PgError
		if !errors.As(err, &pg) || pg.Code != "28P01" {
			t.Errorf("pgx fails with %v", err)
		}
		return err
	}
	return conn.Close(ctx)
}

// TestRealClientsBind has pgx and libpq insist on channel binding.
func TestRealClientsBind(t *testing.T) {
	port := serveTLSLogins(t, secrets{"u": "secret", "stored": stored(t, "secret", 4096)})
	for _, user := range []string{"u", "stored"} {
		for _, binding := range []string{"require", "prefer", "disable"} {
			options := "host=127.0.0.1 sslmode=require channel_binding=" + binding + " dbname=x user=" + user + " port=" + port
			cfg, err := pgconn.ParseConfig(options + " password=secret")
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			if conn, err := pgconn.ConnectConfig(ctx, cfg); err != nil {
				t.Errorf("pgx, channel_binding=%s: %v", binding, err)
			} else {
				_ = conn.Close(ctx)
			}
			if psql, err := exec.LookPath("psql"); err == nil {
				cmd := exec.CommandContext(ctx, psql, "-X", "-w", "-c", "select 1", options+" gssencmode=disable")
				cmd.Env = append(os.Environ(), "PGPASSWORD=secret", "LC_ALL=C")
				if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), "connection to server was lost") { // after the welcome, at the query
					t.Errorf("libpq, channel_binding=%s: %s", binding, out)
				}
			}
			cancel()
		}
	}
}

// psqlLogin gives what psql writes: the server closes the connection after the welcome, so that psql always complains of something.
func psqlLogin(t *testing.T, psql, port, user, password string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, psql, "-X", "-w", "-c", "select 1", "host=127.0.0.1 sslmode=disable gssencmode=disable dbname=x user="+user+" port="+port)
	cmd.Env = append(os.Environ(), "PGPASSWORD="+password, "LC_ALL=C")
	out, _ := cmd.CombinedOutput()
	return string(out)
}
