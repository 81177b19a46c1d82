package pool

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"testing"
	"time"

	"poolerd/pool/config"
	"poolerd/wire"
	"poolerd/wire/auth"
)

// TestCredentials: what a login shows of its password is the pool's until a later one shows another.
func TestCredentials(t *testing.T) {
	f := startFake(t)
	h := openHouse(t, f.url(), func(c *config.Config, dir string) { c.AuthType, c.AuthFile = config.AuthPlain, usersFile(t, dir) })
	known := func(database, user string) Credentials {
		t.Helper()
		pool, err := h.pooler.pool(database, user)
		if err != nil {
			t.Fatal(err)
		}
		return pool.known()
	}
	if c := known("d", "scram"); c.Secret.Kind() != config.SCRAMSecret || c.Keys != nil {
		t.Errorf("before a login: %v", c.Secret)
	}
	h.expect("dbname=d user=scram password=bar", "password authentication failed")
	if c := known("d", "scram"); c.Secret.Kind() != config.SCRAMSecret {
		t.Errorf("after a login that failed: %v", c.Secret)
	}
	h.expect("dbname=d user=scram password=foo", "")
	if c := known("d", "scram"); c.Secret.Reveal() != "foo" {
		t.Errorf("after a plain login: %v", c.Secret)
	}
	if c := known("e", "scram"); c.Secret.Kind() != config.SCRAMSecret {
		t.Errorf("another database knows of it: %v", c.Secret)
	}
	next := *h.conf
	next.AuthType = config.AuthSCRAM
	if err := h.pooler.Reload(&next); err != nil {
		t.Fatal(err)
	}
	h.expect("dbname=e user=scram password=foo", "")
	if c := known("e", "scram"); c.Keys == nil || len(c.Keys.ClientKey) != 32 {
		t.Errorf("after a SCRAM login: %v", c.Keys)
	}
	h.expect("dbname=e user=plain password=foo", "")
	if c := known("e", "plain"); c.Secret.Reveal() != "foo" || c.Keys != nil {
		t.Errorf("a plain secret needs no keys: %v", c.Keys)
	}
}

// TestOffersAreWiped: keys that are replaced are overwritten, and those that were given out are not.
func TestOffersAreWiped(t *testing.T) {
	f := startFake(t)
	h := openHouse(t, f.url(), nil)
	pool, refused := h.pooler.pool("d", "u")
	if refused != nil {
		t.Fatal(refused)
	}
	keys := func(b byte) *auth.Keys { return &auth.Keys{ClientKey: []byte{b}, ServerKey: []byte{b}} }
	first := keys(1)
	old := first.ClientKey
	pool.offer(Credentials{Secret: config.NewSecret("SCRAM-SHA-256$1"), Keys: first})
	given := pool.known()
	pool.offer(Credentials{}) // a login that shows nothing takes nothing away
	if c := pool.known(); c.Keys == nil {
		t.Error("the keys are gone")
	}
	pool.offer(Credentials{Secret: config.NewSecret("SCRAM-SHA-256$2"), Keys: keys(2)})
	if old[0] != 0 {
		t.Error("the old keys are still there")
	}
	if given.Keys.ClientKey[0] != 1 {
		t.Error("keys in use were overwritten")
	}
	if c := pool.known(); c.Keys.ClientKey[0] != 2 {
		t.Error("the new keys are not there")
	}
}

// TestSecretChangedWhileOpening: a server that was being opened when its user got another secret may have logged in as who that was before.
func TestSecretChangedWhileOpening(t *testing.T) {
	f := startFake(t)
	asked, answer := make(chan struct{}, 10), make(chan struct{})
	f.hook = func(_ *fakeSession, typ byte, body []byte) bool {
		if typ == wire.ClientQuery && bytes.HasPrefix(body, []byte("connected")) {
			asked <- struct{}{}
			<-answer
		}
		return false
	}
	p, addr := startPooler(t, f.url(), func(c *config.Config) {
		entry := c.Databases["*"]
		entry.ConnectQuery = "connected"
		c.Databases["*"] = entry
	})
	pool, refused := p.pool("d", "u")
	if refused != nil {
		t.Fatal(refused)
	}
	defer pool.part()
	pool.offer(Credentials{Secret: config.NewSecret("first")})
	came := make(chan string, 1)
	go func() {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			came <- err.Error()
			return
		}
		defer func() { _ = nc.Close() }()
		_, _ = nc.Write(startup("user", "u", "database", "d"))
		_, err = io.ReadAll(io.LimitReader(nc, 9)) // AuthenticationOk
		came <- fmt.Sprint(err)
	}()
	await(t, asked, "no server was opened")
	pool.offer(Credentials{Secret: config.NewSecret("second")})
	close(answer)
	if got := await(t, came, "the login did not end"); got != "<nil>" {
		t.Error(got)
	}
	if n := f.logins.Load(); n != 2 {
		t.Errorf("%d servers were opened, want 2: the first is not to be used", n)
	}
}

// await gives what comes.
func await[T any](t *testing.T, ch <-chan T, what string) (got T) {
	t.Helper()
	select {
	case got = <-ch:
	case <-time.After(10 * time.Second):
		t.Fatal(what)
	}
	return got
}
