package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/bench/postgres"
	"poolerd/wire"
)

// postgresServer is a real PostgreSQL that asks for passwords, with TLS.
type postgresServer struct {
	*postgres.Cluster
	endPoint []byte
}

func startPostgres(t *testing.T) *postgresServer {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	c, err := postgres.Start(ctx, postgres.Options{Auth: "scram-sha-256"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	s := &postgresServer{Cluster: c}
	s.enableTLS(t)
	return s
}

func (s *postgresServer) query(t *testing.T, sql string) string {
	t.Helper()
	out, err := s.Psql(t.Context(), "postgres", sql)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return strings.TrimSuffix(out, "\n")
}

// certificate makes one for localhost, and its digest.
func certificate(t *testing.T) (pair tls.Certificate, digest []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der) // the certificate is signed by ECDSA with SHA-256
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, sum[:]
}

// enableTLS gives the server a certificate, and a line for md5.
func (s *postgresServer) enableTLS(t *testing.T) {
	t.Helper()
	var pair tls.Certificate
	pair, s.endPoint = certificate(t)
	keyDER, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(s.Dir(), "data")
	info, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	for name, block := range map[string]*pem.Block{"server.crt": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, "server.key": {Type: "PRIVATE KEY", Bytes: keyDER}} {
		path := filepath.Join(data, name)
		if err := errors.Join(os.WriteFile(path, pem.EncodeToMemory(block), 0o600), os.Chown(path, int(owner.Uid), int(owner.Gid))); err != nil {
			t.Fatal(err)
		}
	}
	hba := filepath.Join(data, "pg_hba.conf")
	rest, err := os.ReadFile(hba)
	if err == nil {
		err = os.WriteFile(hba, append([]byte("host all by_md5 all md5\n"), rest...), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.query(t, "alter system set ssl = on")
	s.query(t, "select pg_reload_conf()")
	for end := time.Now().Add(20 * time.Second); s.query(t, "show ssl") != "on"; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the server does not turn TLS on")
		}
	}
}

// visitor is a connection to the server on which a user has said who it is.
type visitor struct {
	net.Conn
	t *testing.T
}

func (s *postgresServer) login(t *testing.T, user string, secure bool) *visitor {
	t.Helper()
	nc, err := net.DialTimeout("tcp", net.JoinHostPort(s.Host(), fmt.Sprint(s.Port())), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	if secure {
		request, err := (&pgproto3.SSLRequest{}).Encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		answer := make([]byte, 1)
		if _, err := nc.Write(request); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(nc, answer); err != nil || answer[0] != 'S' {
			t.Fatalf("the server answers %q to SSLRequest: %v", answer, err)
		}
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true})
	}
	if _, err := nc.Write(wire.AppendStartup(nil, wire.Version30, []wire.Param{{Name: "user", Value: user}, {Name: "database", Value: "postgres"}})); err != nil {
		t.Fatal(err)
	}
	return &visitor{nc, t}
}

func (l *visitor) receive() pgproto3.BackendMessage {
	l.t.Helper()
	typ, b, err := wire.ReadMessage(l, 1<<20)
	if err != nil {
		l.t.Fatal(err)
	}
	whole := append([]byte{typ, 0, 0, 0, 0}, b...)
	n := len(b) + 4
	whole[1], whole[2], whole[3], whole[4] = byte(n>>24), byte(n>>16), byte(n>>8), byte(n)
	return decode(l.t, whole)
}

// send writes a message of type 'p'.
func (l *visitor) send(body []byte) {
	l.t.Helper()
	n := len(body) + 4
	if _, err := l.Write(append([]byte{'p', byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, body...)); err != nil {
		l.t.Fatal(err)
	}
}

// prove logs in with p.
func (l *visitor) prove(p *Prover) (chosen string, _ error) {
	l.t.Helper()
	chosen, first, err := p.First(l.receive().(*pgproto3.AuthenticationSASL).AuthMechanisms)
	if err != nil {
		return chosen, err
	}
	l.send(body(l.t, &pgproto3.SASLInitialResponse{AuthMechanism: chosen, Data: first}))
	switch m := l.receive().(type) {
	case *pgproto3.AuthenticationSASLContinue:
		answer, err := p.Next(m.Data)
		if err != nil {
			return chosen, err
		}
		l.send(answer)
	case *pgproto3.ErrorResponse:
		return chosen, errors.New(m.Message)
	}
	switch m := l.receive().(type) {
	case *pgproto3.AuthenticationSASLFinal:
		if err := p.Final(m.Data); err != nil {
			return chosen, err
		}
	case *pgproto3.ErrorResponse:
		return chosen, errors.New(m.Message)
	}
	if m, ok := l.receive().(*pgproto3.AuthenticationOk); !ok {
		return chosen, fmt.Errorf("%T instead of the welcome", m)
	}
	return chosen, nil
}

// TestPostgreSQL logs in to a real server, and has it and an Exchange answer the same broken messages.
func TestPostgreSQL(t *testing.T) {
	s := startPostgres(t)
	t.Run("passwords", s.passwords)
	t.Run("md5", s.md5)
	t.Run("refusals", s.refusals)
}

// passwords derives what the server stores, of passwords that SASLprep changes, refuses or leaves alone, and logs in with them, and with their keys.
func (s *postgresServer) passwords(t *testing.T) {
	for i, password := range []string{
		"secret", "a b", "p\u00e4ssw\u00f6rd", "pa\u0308sswo\u0308rd", "\ufb01 ligature", "\u2168", "soft\u00adhyphen", "no\u00a0break", "zero\u200bwidth", "\u00ad", "control\x01\x7f", "\x01\u00e9", "\u0627\u0031", "\u05d0abc",
		"\u00aa", "emoji \U0001f600", "\ufb01\U0001f600", "\ue000", "\ufffd\ufb01", "\U000e0001", "\u1680", strings.Repeat("long ", 200),
	} {
		user := fmt.Sprintf("u%d", i)
		s.query(t, fmt.Sprintf("create role %s login password '%s'", user, password))
		secret := parseSecret(s.query(t, fmt.Sprintf("select rolpassword from pg_authid where rolname = '%s'", user)))
		if secret.kind != scramSecret {
			t.Fatalf("%q: the server stores another kind of secret", password)
		}
		keys := deriveKeys(password, secret.scram.salt, secret.scram.iterations)
		if v := keys.verifier(); string(v.storedKey) != string(secret.scram.storedKey) || string(v.serverKey) != string(secret.scram.serverKey) {
			t.Errorf("%q: the keys are not the server's", password)
			continue
		}
		for _, secure := range []bool{false, true} {
			var point []byte
			want := mechanism
			if secure {
				point, want = s.endPoint, mechanismPlus
			}
			if chosen, err := s.login(t, user, secure).prove(NewProver(password, point)); err != nil || chosen != want {
				t.Errorf("%q by %s: %v", password, chosen, err)
			}
			if chosen, err := s.login(t, user, secure).prove(NewKeyProver(keys, point)); err != nil || chosen != want {
				t.Errorf("the keys of %q by %s: %v", password, chosen, err)
			}
		}
		if _, err := s.login(t, user, true).prove(NewProver(password+"x", s.endPoint)); err == nil || !strings.Contains(err.Error(), "password authentication failed") {
			t.Errorf("%q with more: %v", password, err)
		}
	}
	if _, err := s.login(t, "u0", true).prove(NewProver("secret", endPoint)); err == nil || err.Error() != "SCRAM channel binding check failed" {
		t.Errorf("another connection's binding: %v", err)
	}
}

func (s *postgresServer) md5(t *testing.T) {
	s.query(t, "set password_encryption = 'md5'; create role by_md5 login password 'secret'")
	stored := s.query(t, "select rolpassword from pg_authid where rolname = 'by_md5'")
	for secret, right := range map[string]bool{"secret": true, stored: true, "wrong": false} {
		l := s.login(t, "by_md5", false)
		salt := l.receive().(*pgproto3.AuthenticationMD5Password).Salt
		l.send(append([]byte(MD5Answer("by_md5", secret, salt[:])), 0))
		if _, ok := l.receive().(*pgproto3.AuthenticationOk); ok != right {
			t.Errorf("with %s: %v", secret, ok)
		}
	}
}

// refusals: the same broken conversation ends in the same error, here and there, whether or not TLS is there to bind to.
func (s *postgresServer) refusals(t *testing.T) {
	s.query(t, "create role broken login password 'secret'")
	known := secrets{"broken": "secret"}
	proof := ",p=" + base64.StdEncoding.EncodeToString(make([]byte, keyLen))
	bound := base64.StdEncoding.EncodeToString(append([]byte("p=tls-server-end-point,,"), s.endPoint...))
	const plus = mechanismPlus
	for _, tc := range []struct{ chosen, first, final string }{
		{mechanism, "n,,n=,r=abc", "c=biws,r=NONCE" + proof},
		{mechanism, "n,,n=name,r=abc", "c=biws,r=NONCE,x=ignored" + proof},
		{mechanism, "n,,n=,r=abc,x=ignored", "c=biws,r=NONCE" + proof},
		{mechanism, "y,,n=,r=abc", "c=eSws,r=NONCE" + proof},
		{mechanism, "y,,n=,r=abc", "c=biws,r=NONCE" + proof},
		{mechanism, "n,,n=,r=abc", "c=eSws,r=NONCE" + proof},
		{mechanism, "p=tls-server-end-point,,n=,r=abc", ""},
		{plus, "p=tls-server-end-point,,n=,r=abc", "c=" + bound + ",r=NONCE" + proof},
		{plus, "p=tls-server-end-point,,n=,r=abc", "c=biws,r=NONCE" + proof},
		{plus, "p=tls-unique,,n=,r=abc", ""},
		{plus, "p=\x01a long name that goes on and on and on,,n=,r=abc", ""},
		{plus, "p=,,n=,r=abc", ""},
		{plus, "p,,n=,r=abc", ""},
		{plus, "n,,n=,r=abc", ""},
		{plus, "y,,n=,r=abc", ""},
		{plus, "x,,n=,r=abc", ""},
		{plus, "", ""},
		{"GSSAPI", "n,,n=,r=abc", ""},
		{mechanism, "", ""},
		{mechanism, "n,,n=,r=a\x00c", ""},
		{mechanism, "x,,n=,r=abc", ""},
		{mechanism, "\x01,,n=,r=abc", ""},
		{mechanism, "n", ""},
		{mechanism, "n;,n=,r=abc", ""},
		{mechanism, "n,", ""},
		{mechanism, "n,a=other,n=,r=abc", ""},
		{mechanism, "n,x=other,n=,r=abc", ""},
		{mechanism, "n,,", ""},
		{mechanism, "n,,m=1,n=,r=abc", ""},
		{mechanism, "n,,r=abc", ""},
		{mechanism, "n,,n", ""},
		{mechanism, "n,,nx", ""},
		{mechanism, "n,,n=", ""},
		{mechanism, "n,,n=,x=abc", ""},
		{mechanism, "n,,n=,r", ""},
		{mechanism, "n,,n=,r=a b", ""},
		{mechanism, "n,,n=,r=a\u00e9", ""},
		{mechanism, "n,,n=,r=abc,", "c=biws,r=NONCE" + proof},
		{mechanism, "n,,n=,r=abc,=x", ""},
		{mechanism, "n,,n=,r=abc,1=x", ""},
		{mechanism, "n,,n=,r=abc,xx", ""},
		{mechanism, "n,,n=,r=", "c=biws,r=NONCE" + proof},
		{mechanism, "n,,n=,r=abc", "\x00"},
		{mechanism, "n,,n=,r=abc", "c=biws,r=NONCE" + proof + "\x00"},
		{mechanism, "n,,n=,r=abc", "x=biws,r=NONCE" + proof},
		{mechanism, "n,,n=,r=abc", "c"},
		{mechanism, "n,,n=,r=abc", "c=,r=NONCE" + proof},
		{mechanism, "n,,n=,r=abc", "c=biws"},
		{mechanism, "n,,n=,r=abc", "c=biws,x=NONCE" + proof},
		{mechanism, "n,,n=,r=abc", "c=biws,r=NONCE"},
		{mechanism, "n,,n=,r=abc", "c=biws,r=NONCE,"},
		{mechanism, "n,,n=,r=abc", "c=biws,r=NONCE,x=y"},
		{mechanism, "n,,n=,r=abc", "c=biws,r=NONCE,\x80=y" + proof},
		{mechanism, "n,,n=,r=abc", "c=biws,r=abc" + proof},
		{mechanism, "n,,n=,r=abc", "c=biws,r=NONCEx" + proof},
		{mechanism, "n,,n=,r=abc", "c=biws,r=NONCE,p=AAAA"},
		{mechanism, "n,,n=,r=abc", "c=biws,r=NONCE,p="},
		{mechanism, "n,,n=,r=abc", "c=biws,r=NONCE,p=!"},
		{mechanism, "n,,n=,r=abc", "c=biws,r=NONCE" + proof + ",x=y"},
		{mechanism, "n,,n=,r=abc", "c=biws,r=NONCE" + proof + proof},
	} {
		for _, secure := range []bool{false, true} {
			for _, user := range []string{"broken", "nobody"} {
				e := New().Begin(SCRAM, 4096, known, user)
				if secure {
					e.Bind(s.endPoint)
				}
				ours := refusal(t, offered(t, e), tc.chosen, tc.first, tc.final, func(b []byte) pgproto3.BackendMessage {
					reply, _, failure := e.Next(b)
					if failure != nil {
						reply = failure.Append(nil)
					}
					return decode(t, reply)
				})
				l := s.login(t, user, secure)
				theirs := refusal(t, l.receive().(*pgproto3.AuthenticationSASL).AuthMechanisms, tc.chosen, tc.first, tc.final, func(b []byte) pgproto3.BackendMessage {
					l.send(b)
					return l.receive()
				})
				if ours != theirs {
					t.Errorf("%s %q %q, TLS %v, %s:\n%s, and PostgreSQL\n%s", tc.chosen, tc.first, tc.final, secure, user, ours, theirs)
				}
			}
		}
	}
}

// refusal plays a conversation until its error, and gives that, with the mechanisms offered before.
func refusal(t *testing.T, offered []string, chosen, first, final string, talk func([]byte) pgproto3.BackendMessage) string {
	t.Helper()
	m := talk(body(t, &pgproto3.SASLInitialResponse{AuthMechanism: chosen, Data: []byte(first)}))
	if c, ok := m.(*pgproto3.AuthenticationSASLContinue); ok {
		nonce, _, _ := strings.Cut(strings.TrimPrefix(string(c.Data), "r="), ",")
		m = talk([]byte(strings.ReplaceAll(final, "NONCE", nonce)))
	}
	e, ok := m.(*pgproto3.ErrorResponse)
	if !ok {
		return fmt.Sprintf("%v %T", offered, m)
	}
	return fmt.Sprint(offered, " ", e.Severity, " ", e.Code, " ", e.Message, " | ", e.Detail)
}
