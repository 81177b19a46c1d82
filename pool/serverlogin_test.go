package pool

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/rs/zerolog"

	"poolerd/pool/config"
	"poolerd/wire"
	"poolerd/wire/auth"
	"poolerd/wire/secure"
)

// scripted is a connection to a server that says what it was told to say, and keeps what it hears.
type scripted struct {
	discardConn
	says  io.Reader
	heard bytes.Buffer
}

func (s *scripted) Read(p []byte) (int, error)  { return s.says.Read(p) }
func (s *scripted) Write(p []byte) (int, error) { return s.heard.Write(p) }
func (s *scripted) Close() error                { return nil }

// newLogin makes a login to a server that says says.
func newLogin(says []byte, secret string) (*loginConn, *scripted) {
	nc := &scripted{says: bytes.NewReader(says)}
	conf := config.Pool{User: "u", Database: config.Database{Name: "d", Password: config.NewSecret(secret)}}
	pool := &Pool{pooler: &Pooler{log: zerolog.Nop()}}
	l := &launch{pool: pool, conf: conf, global: &config.Config{}}
	l.known = func(endpoint) Credentials { return Credentials{Secret: conf.Database.Password} }
	return &loginConn{Conn: nc, launch: l, began: time.Now()}, nc
}

func request(code uint32, data string) []byte {
	b := []byte{wire.ServerAuthentication, 0, 0, 0, byte(8 + len(data)), 0, 0, 0, byte(code)}
	return append(b, data...)
}

// welcomeOf is what a server says to whom it lets in.
func welcomeOf() []byte {
	b := wire.AppendParameterStatus(wire.AppendAuthenticationOK(nil), "TimeZone", "UTC")
	return wire.AppendReadyForQuery(wire.AppendBackendKeyData(b, 1, []byte{1, 2, 3, 4}), wire.TxIdle)
}

// TestServerLoginRequests: what a server may ask for, sensibly or not.
func TestServerLoginRequests(t *testing.T) {
	mechanisms := auth.MD5Answer("u", "secret", []byte("salt"))
	for _, test := range []struct {
		name   string
		says   []byte
		secret string
		heard  string // what is answered begins so
		told   string // what clients are told; empty: we are let in
	}{
		{"trust", nil, "", "", ""},
		{"cleartext", request(authCleartext, ""), "secret", "p\x00\x00\x00\x0bsecret\x00", ""},
		{"md5", request(authMD5, "salt"), "secret", "p\x00\x00\x00\x28" + mechanisms + "\x00", ""},
		{"md5 without salt", request(authMD5, "sa"), "secret", "", toldBrokenAuth},
		{"kerberos", request(2, ""), "secret", "", toldMethod},
		{"gss", request(7, ""), "secret", "", toldMethod},
		{"gss continued", request(8, "data"), "secret", "", toldMethod},
		{"sspi", request(9, ""), "secret", "", toldMethod},
		{"unknown", request(99, ""), "secret", "", toldMethod},
		{"no code", []byte{'R', 0, 0, 0, 6, 0, 0}, "secret", "", toldBrokenAuth},
		{"twice", slices.Concat(request(authCleartext, ""), request(authCleartext, "")), "secret", "p", toldBrokenAuth},
		{"unknown mechanism", request(authSASL, "OAUTHBEARER\x00\x00"), "secret", "", toldMechanism},
		{"endless mechanisms", request(authSASL, "SCRAM-SHA-256\x00"), "secret", "", toldBrokenAuth},
		{"scram, let in without proof", request(authSASL, "SCRAM-SHA-256\x00\x00"), "secret", "p", toldSignature},
		{"scram continued at once", request(authSASLContinue, "r=x"), "secret", "", toldBrokenAuth},
		{"scram ended at once", request(authSASLFinal, "v=x"), "secret", "", toldBrokenAuth},
		{"scram with nonsense", slices.Concat(request(authSASL, "SCRAM-SHA-256\x00\x00"), request(authSASLContinue, "nonsense")), "secret", "p", toldWrongType},
		{"asked after the end", slices.Concat(wire.AppendAuthenticationOK(nil), request(authCleartext, "")), "secret", "", toldBrokenAuth},
		{"ready without a login", wire.AppendReadyForQuery(nil, wire.TxIdle), "secret", "", toldBrokenAuth},
		{"nothing known", request(authCleartext, ""), "", "", toldNoSecret},
	} {
		for _, chopped := range []bool{false, true} {
			c, nc := newLogin(slices.Concat(test.says, welcomeOf()), test.secret)
			if chopped {
				nc.says = oneByte{nc.says}
			}
			got := make([]byte, len(welcomeOf()))
			_, err := io.ReadFull(c, got)
			login := new(errLogin)
			switch {
			case test.told == "" && (err != nil || !bytes.Equal(got, welcomeOf()) || c.taken() != nil):
				t.Errorf("%s: %v, %q", test.name, err, got)
			case test.told != "" && (!errors.As(err, &login) || login.told != test.told):
				t.Errorf("%s: %v, want %s", test.name, err, test.told)
			case test.told != "" && !strings.Contains(connectError(err).Message, test.told):
				t.Errorf("%s: clients are told %v", test.name, connectError(err))
			}
			if !strings.HasPrefix(nc.heard.String(), test.heard) {
				t.Errorf("%s: the server hears %q, want %q", test.name, nc.heard.String(), test.heard)
			}
			_ = c.Close()
		}
	}
}

// oneByte reads byte by byte.
type oneByte struct{ r io.Reader }

func (o oneByte) Read(p []byte) (int, error) { return o.r.Read(p[:min(len(p), 1)]) }

// TestServerLoginBroken: logins that break off, and servers that say too much.
func TestServerLoginBroken(t *testing.T) {
	whole := welcomeOf()
	for n := range whole {
		c, _ := newLogin(whole[:n], "")
		if got, err := io.ReadAll(c); err != nil || c.done || !bytes.HasPrefix(whole, got) {
			t.Fatalf("after %d bytes: %q, %v", n, got, err)
		}
		if c.taken() == nil {
			t.Fatalf("after %d bytes the connection is taken", n)
		}
	}
	c, _ := newLogin(append(whole, "more"...), "")
	if _, err := io.ReadFull(c, make([]byte, len(whole))); err != nil || !errors.Is(c.taken(), errBehindLogin) {
		t.Errorf("%v, %v", err, c.taken())
	}
	c, _ = newLogin([]byte{'R', 0x7f, 0, 0, 0, 0}, "")
	if _, err := io.ReadAll(c); err == nil {
		t.Error("a message of two gigabytes is waited for")
	}
}

// FuzzServerLogin: whatever a server says, nothing but whole messages goes on to pgconn, and nothing is a login that was not let in.
func FuzzServerLogin(f *testing.F) {
	f.Add(welcomeOf())
	f.Add(slices.Concat(request(authSASL, "SCRAM-SHA-256-PLUS\x00SCRAM-SHA-256\x00\x00"), request(authSASLContinue, "r=,s=,i="), request(authSASLFinal, "v="), welcomeOf()))
	f.Add(slices.Concat(request(authMD5, "salt"), wire.Fatalf(wire.CodeInvalidPassword, "no").Append(nil)))
	f.Add(request(7, ""))
	f.Fuzz(func(t *testing.T, says []byte) {
		c, _ := newLogin(says, "secret")
		got, err := io.ReadAll(c)
		if !c.done && c.taken() == nil {
			t.Fatal("taken before its time")
		}
		if err == nil && c.done && !bytes.Contains(got, []byte{wire.ServerReadyForQuery}) {
			t.Fatal("done without a word")
		}
		if c.done && (!c.auth.over || c.auth.scram && !c.auth.proved) {
			t.Fatal("let in by nobody")
		}
		_ = c.Close()
	})
}

// keysOf computes what a client's SCRAM login shows, from the secret that PostgreSQL stores and the password.
func keysOf(t *testing.T, secret, password string) *auth.Keys {
	t.Helper()
	parts := strings.FieldsFunc(secret, func(r rune) bool { return r == '$' || r == ':' }) // mechanism, iterations, salt, keys
	iterations, err := strconv.Atoi(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	salt, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil {
		t.Fatal(err)
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, iterations, sha256.Size)
	if err != nil {
		t.Fatal(err)
	}
	mac := func(text string) []byte {
		h := hmac.New(sha256.New, salted)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	return &auth.Keys{ClientKey: mac("Client Key"), ServerKey: mac("Server Key"), Salt: salt, Iterations: iterations}
}

// TestServerKeys: the keys of a client's login open PostgreSQL, in plain text and bound to TLS, and those of another password do not.
func TestServerKeys(t *testing.T) {
	g := startGuarded(t)
	g.rule(t, "host all all all scram-sha-256")
	secret := g.run(t, "SELECT rolpassword FROM pg_authid WHERE rolname = 'scrammed'")
	for _, mode := range []secure.Mode{secure.Disable, secure.Require} {
		for _, password := range []string{"secret", "wrong"} {
			f := startFront(t, g.Port(), func(c *config.Config, db *config.Database) { c.ServerTLS.Mode, db.User = mode, "scrammed" })
			pool, refused := f.pool("postgres", "scrammed")
			if refused != nil {
				t.Fatal(refused)
			}
			cc, err := pgconn.ParseConfig("sslmode=disable")
			if err != nil {
				t.Fatal(err)
			}
			if err := pool.aim(cc, pool.settings(), notReplication); err != nil {
				t.Fatal(err)
			}
			dial := cc.DialFunc
			cc.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
				nc, err := dial(ctx, network, address)
				if c, ok := nc.(*loginConn); ok {
					c.launch.known = func(endpoint) Credentials {
						return Credentials{Secret: config.NewSecret(secret), Keys: keysOf(t, secret, password)}
					}
				}
				return nc, err
			}
			pg, err := pgconn.ConnectConfig(t.Context(), cc)
			switch {
			case password == "secret" && err != nil:
				t.Errorf("%v: %v\n%s", mode, err, f.log)
			case password == "wrong" && (err == nil || !strings.Contains(connectError(err).Message, "password authentication failed")):
				t.Errorf("%v: %v\n%s", mode, err, f.log)
			}
			if pg != nil {
				_ = pg.Close(t.Context())
			}
		}
	}
}

// TestClientsLoginOpensServers: where the pooler knows a secret only, what a client shows of its password opens PostgreSQL: the keys of a SCRAM login, in plain text and
// bound to TLS, or the password of a plain one.
func TestClientsLoginOpensServers(t *testing.T) {
	g := startGuarded(t)
	g.rule(t, "host all all all scram-sha-256")
	users := filepath.Join(t.TempDir(), "users")
	secret := g.run(t, "SELECT rolpassword FROM pg_authid WHERE rolname = 'scrammed'")
	if err := os.WriteFile(users, []byte(`"scrammed" "`+secret+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, method := range []config.AuthType{config.AuthSCRAM, config.AuthPlain} {
		for _, mode := range []secure.Mode{secure.Disable, secure.Require} {
			f := startFront(t, g.Port(), func(c *config.Config, _ *config.Database) {
				c.AuthType, c.AuthFile, c.ServerTLS.Mode = method, users, mode
			})
			if got, err := f.ask(t, "scrammed", "SELECT current_user::text"); err != nil || got != "scrammed" {
				t.Errorf("%v, %v: %s, %v\n%s", method, mode, got, err, f.log)
			}
		}
	}
}

// TestServerDirectTLS: TLS from the first byte, with PostgreSQL's protocol named, where no SSLRequest is understood.
func TestServerDirectTLS(t *testing.T) {
	ca := newAuthority(t, "ca")
	ca.issue("db.test")
	cert, err := tls.LoadX509KeyPair(ca.file("db.test.crt"), ca.file("db.test.key"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"postgresql"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	asked := make(chan string, 1)
	go func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = nc.Close() }()
		b := pgproto3.NewBackend(nc, nc)
		if _, err := b.ReceiveStartupMessage(); err != nil {
			asked <- err.Error()
			return
		}
		asked <- nc.(*tls.Conn).ConnectionState().NegotiatedProtocol
		_, _ = nc.Write(wire.Fatalf(wire.CodeUndefinedDatabase, "enough").Append(nil))
	}()
	f := startFront(t, l.Addr().(*net.TCPAddr).Port, func(c *config.Config, db *config.Database) {
		c.ServerTLS = secure.Settings{Mode: secure.VerifyFull, CAFile: ca.root(), Direct: true}
		db.Host = "db.test"
	})
	if _, err := f.ask(t, "u", "SELECT 1"); err == nil || !strings.Contains(err.Error(), "enough") {
		t.Errorf("%v\n%s", err, f.log)
	}
	if got := <-asked; got != "postgresql" {
		t.Errorf("the server saw %s", got)
	}
}

// TestServerDirectTLSWithoutALPN: whoever does not say that it speaks PostgreSQL's protocol learns nothing.
func TestServerDirectTLSWithoutALPN(t *testing.T) {
	ca := newAuthority(t, "ca")
	ca.issue("db.test")
	cert, err := tls.LoadX509KeyPair(ca.file("db.test.crt"), ca.file("db.test.key"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	heard := make(chan int, 1)
	go func() {
		nc, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = nc.Close() }()
		n, _ := nc.Read(make([]byte, 1))
		heard <- n
	}()
	f := startFront(t, l.Addr().(*net.TCPAddr).Port, func(c *config.Config, db *config.Database) {
		c.ServerTLS = secure.Settings{Mode: secure.VerifyFull, CAFile: ca.root(), Direct: true}
		db.Host = "db.test"
	})
	if _, err := f.ask(t, "u", "SELECT 1"); err == nil {
		t.Error("served")
	}
	if n := <-heard; n > 0 {
		t.Error("it was sent a startup packet")
	}
	if text := f.log.String(); !strings.Contains(text, "without the ALPN protocol postgresql") {
		t.Error(text)
	}
}
