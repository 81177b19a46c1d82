package pool

import (
	"testing"

	"poolerd/wire"
)

// TestUnnamedStatementOfAnother: the unnamed statement that a client has left on a server is nobody else's, also where the server has skipped what would have replaced it, or taken it away.
func TestUnnamedStatementOfAnother(t *testing.T) {
	execute := func(b []byte, name string) []byte {
		return wire.AppendEmpty(wire.AppendExecute(wire.AppendBind(b, "", name), ""), wire.ClientSync)
	}
	parse := wire.AppendParse(nil, "", wire.ParseTail("SELECT 2"))
	for _, c := range []struct {
		name    string
		skipped []byte
	}{
		{"a Parse", parse},
		{"a Query", wire.AppendQuery(nil, "SELECT 2")},
		{"a Close", wire.AppendClose(nil, 'S', "")},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := startFake(t)
			_, addr := startPooler(t, f.url(), nil)
			one, other := logIn(t, addr), logIn(t, addr)
			one.send(execute(wire.AppendParse(nil, "", wire.ParseTail("SELECT 1")), ""))
			if got := one.replies(1); got != "12CZI" {
				t.Fatalf("a statement is answered with %s", got)
			}
			one.send(wire.AppendEmpty(append(wire.AppendBind(nil, "", "none"), c.skipped...), wire.ClientSync))
			if got := one.replies(1); got != "E(26000)ZI" {
				t.Fatalf("what has no statement is answered with %s", got)
			}
			other.send(execute(nil, ""))
			if got := other.replies(1); got != "E(26000)ZI" {
				t.Errorf("who has no statement is answered with %s", got)
			}
			if n := f.logins.Load(); n != 1 {
				t.Errorf("%d servers", n)
			}
		})
	}
}

// TestUnnamedStatementBehindAnError: what is parsed behind the Sync that ends an error is there, whatever was skipped before it.
func TestUnnamedStatementBehindAnError(t *testing.T) {
	f := startFake(t)
	_, addr := startPooler(t, f.url(), nil)
	c := logIn(t, addr)
	b := wire.AppendParse(wire.AppendBind(nil, "", "none"), "", wire.ParseTail("SELECT 1"))
	b = wire.AppendParse(wire.AppendEmpty(b, wire.ClientSync), "", wire.ParseTail("SELECT 2"))
	c.send(wire.AppendEmpty(b, wire.ClientSync))
	if got := c.replies(2); got != "E(26000)ZI1ZI" {
		t.Fatalf("the client hears %s", got)
	}
	c.send(wire.AppendEmpty(wire.AppendExecute(wire.AppendBind(nil, "", ""), ""), wire.ClientSync))
	if got := c.replies(1); got != "2CZI" {
		t.Errorf("the statement is answered with %s", got)
	}
}

// TestUnnamedStatementInOneWrite: it is not either where what stands behind the error comes with it.
func TestUnnamedStatementInOneWrite(t *testing.T) {
	execute := func(b []byte) []byte {
		return wire.AppendEmpty(wire.AppendExecute(wire.AppendBind(b, "", ""), ""), wire.ClientSync)
	}
	for name, skipped := range map[string][]byte{
		"a Parse": wire.AppendParse(nil, "", wire.ParseTail("SELECT 2")), "a Query": wire.AppendQuery(nil, "SELECT 2"), "a Close": wire.AppendClose(nil, 'S', ""),
	} {
		f := startFake(t)
		_, addr := startPooler(t, f.url(), nil)
		one, other := logIn(t, addr), logIn(t, addr)
		one.send(execute(wire.AppendParse(nil, "", wire.ParseTail("SELECT 1"))))
		one.replies(1)
		other.send(execute(wire.AppendEmpty(append(wire.AppendBind(nil, "", "none"), skipped...), wire.ClientSync)))
		if got := other.replies(2); got != "E(26000)ZIE(26000)ZI" {
			t.Errorf("%s that is skipped: %s", name, got)
		}
	}
}
