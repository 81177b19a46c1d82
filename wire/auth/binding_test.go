package auth

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/xdg-go/scram"

	"poolerd/wire"
)

var endPoint = bytes.Repeat([]byte{0xa5}, 32)

// offered gives the mechanisms in what an Exchange starts with.
func offered(t *testing.T, e *Exchange) []string {
	t.Helper()
	m, ok := decode(t, e.Start()).(*pgproto3.AuthenticationSASL)
	if !ok {
		t.Fatal("the exchange starts otherwise than with SASL")
	}
	return m.AuthMechanisms
}

// talk plays xdg-go/scram's client through an exchange that was started.
func talk(t *testing.T, e *Exchange, chosen string, c *scram.ClientConversation) *wire.Error {
	t.Helper()
	first, err := c.Step("")
	if err != nil {
		t.Fatal(err)
	}
	reply, _, failure := e.Next(body(t, &pgproto3.SASLInitialResponse{AuthMechanism: chosen, Data: []byte(first)}))
	if failure != nil {
		return failure
	}
	final, err := c.Step(string(decode(t, reply).(*pgproto3.AuthenticationSASLContinue).Data))
	if err != nil {
		t.Fatal(err)
	}
	reply, done, failure := e.Next([]byte(final))
	if failure != nil {
		return failure
	}
	if _, err := c.Step(string(decode(t, reply).(*pgproto3.AuthenticationSASLFinal).Data)); err != nil || !done {
		t.Fatalf("the client does not believe the server: %v", err)
	}
	return nil
}

// TestChannelBinding has a client of another's making bind, not bind, bind to another connection, and be told by somebody in between that it cannot.
func TestChannelBinding(t *testing.T) {
	binding := func(data []byte) scram.ChannelBinding {
		return scram.ChannelBinding{Type: scram.ChannelBindingTLSServerEndpoint, Data: data}
	}
	none := (*scram.Client).NewConversation
	could := (*scram.Client).NewConversationAdvertisingChannelBinding
	bound := func(data []byte) func(*scram.Client) *scram.ClientConversation {
		return func(c *scram.Client) *scram.ClientConversation {
			return c.NewConversationWithChannelBinding(binding(data))
		}
	}
	exporter := func(c *scram.Client) *scram.ClientConversation {
		return c.NewConversationWithChannelBinding(scram.ChannelBinding{Type: scram.ChannelBindingTLSExporter, Data: endPoint})
	}
	other := append([]byte{1}, endPoint[1:]...)
	for _, tc := range []struct {
		name     string
		endPoint []byte // of the server
		chosen   string
		client   func(*scram.Client) *scram.ClientConversation
		want     string // code and message
		detail   string
	}{
		{"bound", endPoint, "SCRAM-SHA-256-PLUS", bound(endPoint), "", ""},
		{"not bound, though it could be", endPoint, "SCRAM-SHA-256", none, "", ""},
		{"no TLS", nil, "SCRAM-SHA-256", none, "", ""},
		{"no TLS, and the client could bind", nil, "SCRAM-SHA-256", could, "", ""},
		{"bound to another connection", endPoint, "SCRAM-SHA-256-PLUS", bound(other), "28000 SCRAM channel binding check failed", ""},
		{"bound to more", endPoint, "SCRAM-SHA-256-PLUS", bound(append(endPoint, 0)), "28000 SCRAM channel binding check failed", ""},
		{
			"downgrade", endPoint, "SCRAM-SHA-256", could, "28000 SCRAM channel binding negotiation error",
			"The client supports SCRAM channel binding but thinks the server does not.  However, this server does support channel binding.",
		},
		{"PLUS that was not offered", nil, "SCRAM-SHA-256-PLUS", bound(endPoint), "08P01 client selected an invalid SASL authentication mechanism", ""},
		{"another binding", endPoint, "SCRAM-SHA-256-PLUS", exporter, `08P01 unsupported SCRAM channel-binding type "tls-exporter"`, ""},
		{
			"PLUS without binding", endPoint, "SCRAM-SHA-256-PLUS", none, "08P01 malformed SCRAM message",
			"The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.",
		},
		{
			"PLUS as if not offered", endPoint, "SCRAM-SHA-256-PLUS", could, "08P01 malformed SCRAM message",
			"The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not include channel binding data.",
		},
		{
			"binding without PLUS", endPoint, "SCRAM-SHA-256", bound(endPoint), "08P01 malformed SCRAM message",
			"The client selected SCRAM-SHA-256 without channel binding, but the SCRAM message includes channel binding data.",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for user, right := range map[string]bool{"plain": true, "stored": true, "nobody": false} {
				known := secrets{"plain": "secret", "stored": stored(t, "secret", 64)}
				e := New().Begin(SCRAM, 64, known, user)
				want := []string{"SCRAM-SHA-256"}
				if tc.endPoint != nil {
					e.Bind(tc.endPoint)
					want = []string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"}
				}
				if got := offered(t, e); strings.Join(got, " ") != strings.Join(want, " ") {
					t.Fatalf("offered %v, want %v", got, want)
				}
				client, err := scram.SHA256.NewClientUnprepped("", "secret", "")
				if err != nil {
					t.Fatal(err)
				}
				failure := talk(t, e, tc.chosen, tc.client(client.WithMinIterations(1)))
				message, detail := tc.want, tc.detail
				if message == "" && !right {
					message = `28P01 password authentication failed for user "nobody"`
				}
				switch {
				case failure == nil && message != "":
					t.Errorf("%s is let in, want %s", user, message)
				case failure != nil && (string(failure.Code)+" "+failure.Message != message || failure.Detail != detail || failure.Severity != "FATAL"):
					t.Errorf("%s: %+v, want %s, %s", user, failure, message, detail)
				}
			}
		})
	}
}

// TestNothingToBindTo: without data, channel binding is neither offered nor tried.
func TestNothingToBindTo(t *testing.T) {
	e := New().Begin(SCRAM, 1, secrets{}, "u")
	e.Bind([]byte{})
	if got := offered(t, e); len(got) != 1 || got[0] != mechanism {
		t.Errorf("offered %v", got)
	}
	if chosen, first, err := NewProver("secret", []byte{}).First([]string{mechanismPlus, mechanism}); err != nil || chosen != mechanism || !strings.HasPrefix(string(first), "n,,") {
		t.Errorf("%s %q, %v", chosen, first, err)
	}
	New().Begin(Plain, 1, secrets{}, "u").Bind(endPoint) // changes nothing
}

// TestBindingIsPartOfTheProof: a client that binds cannot be stripped of it on the way, since what it announced first is repeated at the end.
func TestBindingIsPartOfTheProof(t *testing.T) {
	e := New().Begin(SCRAM, 1, secrets{"u": "secret"}, "u")
	e.Bind(endPoint)
	e.Start()
	p := NewProver("secret", endPoint)
	_, first, err := p.First([]string{"SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"})
	if err != nil {
		t.Fatal(err)
	}
	stripped := strings.Replace(string(first), "p=tls-server-end-point", "n", 1)
	reply, _, failure := e.Next(body(t, &pgproto3.SASLInitialResponse{AuthMechanism: "SCRAM-SHA-256", Data: []byte(stripped)}))
	if failure != nil {
		t.Fatal(failure)
	}
	final, err := p.Next(decode(t, reply).(*pgproto3.AuthenticationSASLContinue).Data)
	if err != nil {
		t.Fatal(err)
	}
	if _, done, failure := e.Next(final); done || failure == nil || failure.Message != "unexpected SCRAM channel-binding attribute in client-final-message" {
		t.Errorf("done %v, %v", done, failure)
	}
}

// prove plays a Prover against an Exchange that was begun.
func prove(t *testing.T, e *Exchange, p *Prover) error {
	t.Helper()
	chosen, first, err := p.First(offered(t, e))
	if err != nil {
		return err
	}
	reply, _, failure := e.Next(body(t, &pgproto3.SASLInitialResponse{AuthMechanism: chosen, Data: first}))
	if failure != nil {
		return failure
	}
	final, err := p.Next(decode(t, reply).(*pgproto3.AuthenticationSASLContinue).Data)
	if err != nil {
		return err
	}
	reply, done, failure := e.Next(final)
	if failure != nil {
		return failure
	}
	if !done {
		t.Fatal("the exchange does not end")
	}
	return p.Final(decode(t, reply).(*pgproto3.AuthenticationSASLFinal).Data)
}

// TestKeysOpenTheNextServer: the keys of a client's login open a server with the same secret, with the password known to nobody in between, and no other server.
func TestKeysOpenTheNextServer(t *testing.T) {
	known := secrets{"u": stored(t, "secret", 64)}
	for _, point := range [][]byte{nil, endPoint} {
		e := New().Begin(SCRAM, 4096, known, "u")
		e.Bind(point)
		if _, ok := e.Keys(); ok {
			t.Fatal("keys before the login")
		}
		if err := prove(t, e, NewProver("secret", point)); err != nil {
			t.Fatal(err)
		}
		keys, ok := e.Keys()
		if !ok || keys.Iterations != 64 || string(keys.Salt) != "0123456789abcdef" {
			t.Fatalf("keys %v, with %d iterations and salt %q", ok, keys.Iterations, keys.Salt)
		}
		if want := deriveKeys("secret", keys.Salt, 64); !bytes.Equal(keys.ClientKey, want.ClientKey) || !bytes.Equal(keys.ServerKey, want.ServerKey) {
			t.Error("the keys are not those of the password")
		}
		next := New().Begin(SCRAM, 4096, known, "u")
		p := NewKeyProver(keys, nil)
		e.Zero()
		if _, ok := e.Keys(); ok || bytes.ContainsFunc(keys.ClientKey, func(r rune) bool { return r != 0 }) {
			t.Error("Zero leaves the keys")
		}
		if err := prove(t, next, p); err != nil {
			t.Errorf("the next server: %v", err)
		}
		for name, text := range map[string]string{"other iterations": stored(t, "secret", 65), "another salt": strings.Replace(stored(t, "secret", 64), base64.StdEncoding.EncodeToString([]byte("0123456789abcdef")), "AAAA", 1)} {
			err := prove(t, New().Begin(SCRAM, 4096, secrets{"u": text}, "u"), p)
			if err == nil || !strings.Contains(err.Error(), "the server's SCRAM secret is not the one that the client logged in with") {
				t.Errorf("a server with %s: %v", name, err)
			}
		}
		changed := strings.Split(stored(t, "changed", 64), "$")
		if err := prove(t, New().Begin(SCRAM, 4096, secrets{"u": strings.Join(changed, "$")}, "u"), p); err == nil || !strings.Contains(err.Error(), "password authentication failed") {
			t.Errorf("a server with another password: %v", err)
		}
	}
}

func TestNoKeys(t *testing.T) {
	for _, tc := range []struct{ user, password string }{{"plain", "secret"}, {"stored", "wrong"}, {"nobody", "secret"}} {
		e := New().Begin(SCRAM, 64, secrets{"plain": "secret", "stored": stored(t, "secret", 64)}, tc.user)
		_ = prove(t, e, NewProver(tc.password, nil))
		if _, ok := e.Keys(); ok {
			t.Errorf("keys of %s with password %s", tc.user, tc.password)
		}
		if _, ok := e.Password(); ok {
			t.Errorf("password of %s", tc.user)
		}
	}
	e := New().Begin(Plain, 64, secrets{"u": "secret"}, "u")
	if _, ok := e.Keys(); ok {
		t.Error("keys of a plain login")
	}
}

func TestPassword(t *testing.T) {
	for password, right := range map[string]bool{"secret": true, "wrong": false} {
		e := New().Begin(Plain, 64, secrets{"u": stored(t, "secret", 64)}, "u")
		if _, ok := e.Password(); ok {
			t.Fatal("a password before the login")
		}
		_ = one(t, e, password)
		got, ok := e.Password()
		if ok != right || right && got != password {
			t.Errorf("%q, %v after %q", got, ok, password)
		}
		e.Zero()
		if got, ok := e.Password(); ok || got != "" {
			t.Error("Zero leaves the password")
		}
	}
}

func TestParsePassword(t *testing.T) {
	for _, tc := range []struct {
		body string
		want string
	}{
		{"secret\x00", ""},
		{strings.Repeat("x", mostPassword) + "\x00", ""},
		{strings.Repeat("x", mostPassword+1) + "\x00", "08P01 invalid password packet size"},
		{"", "08P01 invalid password packet size"},
		{"secret", "08P01 invalid password packet size"},
		{"secret\x00\x00", "08P01 invalid password packet size"},
		{"\x00", "28P01 empty password returned by client"},
	} {
		password, err := ParsePassword([]byte(tc.body))
		got := ""
		if err != nil {
			got = fmt.Sprintf("%s %s", err.Code, err.Message)
		}
		if got != tc.want || err == nil && password+"\x00" != tc.body || err != nil && password != "" {
			t.Errorf("%.10q: %q, %s", tc.body, password, got)
		}
	}
}

// TestPrepare: after it no login derives keys, and users who have gone are forgotten.
func TestPrepare(t *testing.T) {
	a := New()
	known := map[string]string{"plain": "secret", "md5": hashMD5("secretmd5"), "stored": stored(t, "secret", 1), "none": ""}
	pairs := func(yield func(string, string) bool) {
		for user, text := range known {
			if !yield(user, text) {
				return
			}
		}
	}
	a.Prepare(64, pairs)
	before := a.derived["plain"]
	if before == nil || len(a.derived) != 1 || before.verifier.storedKey == nil {
		t.Fatalf("derived: %v", a.derived)
	}
	if err := prove(t, a.Begin(SCRAM, 64, secrets(known), "plain"), NewProver("secret", nil)); err != nil || a.derived["plain"] != before {
		t.Errorf("the login derives again: %v", err)
	}
	delete(known, "plain")
	a.Prepare(64, pairs)
	if len(a.derived) != 0 {
		t.Error("a user who has gone is remembered")
	}
}

// TestFailuresCostTheSame: whoever fails, and however often that user has logged in, takes one derivation; after Prepare, none.
func TestFailuresCostTheSame(t *testing.T) {
	known := secrets{"plain": "secret", "md5": hashMD5("secretmd5"), "stored": stored(t, "secret", 64)}
	for want, a := range []*Authenticator{New(), New()} {
		if want = 1 - want; want == 0 {
			a.Prepare(64, func(yield func(string, string) bool) { _ = yield("plain", "secret") })
		}
		for _, user := range []string{"plain", "plain", "md5", "stored", "nobody"} {
			derivations := 0
			e := a.Begin(SCRAM, 64, known, user)
			s := e.steps.(*scramSteps)
			verifierOf, spend := s.verifier, s.spend
			s.verifier = func() (verifier, bool) {
				v, derived := verifierOf()
				if derived {
					derivations++
				}
				return v, derived
			}
			if spend != nil {
				s.spend = func() { derivations++; spend() }
			}
			if err := prove(t, e, NewProver("wrong", nil)); err == nil {
				t.Fatal("a wrong password is right")
			}
			if derivations != want {
				t.Errorf("%s: %d derivations, want %d", user, derivations, want)
			}
		}
	}
}
