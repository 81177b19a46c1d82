package pool

import (
	"bytes"
	"net"
	"strconv"
	"sync"
	"testing"

	"poolerd/pool/config"
	"poolerd/wire"
)

// startDirectory is an LDAP server that knows two requests: a bind with the password sesame, and one with another. It gives its port.
func startDirectory(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = nc.Close() }()
				b := make([]byte, 4096)
				for {
					n, err := nc.Read(b)
					if err != nil || n < 6 || b[5] != 0x60 { // no BindRequest: an unbind
						return
					}
					result := byte(49) // invalidCredentials
					if bytes.Contains(b[:n], []byte("uid=u,dc=x")) && bytes.HasSuffix(b[:n], []byte("sesame")) {
						result = 0
					}
					_, _ = nc.Write([]byte{0x30, 12, 2, 1, b[4], 0x61, 7, 10, 1, result, 4, 0, 4, 0})
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return l.Addr().(*net.TCPAddr).Port
}

// TestLDAP: an LDAP server judges the password, which then serves the pool; an empty one, which LDAP takes for an anonymous login, never reaches it.
func TestLDAP(t *testing.T) {
	f := startFake(t)
	options := ` ldapserver=127.0.0.1 ldapport=` + strconv.Itoa(startDirectory(t)) + ` ldapprefix="uid=" ldapsuffix=",dc=x"`
	for name, change := range map[string]func(c *config.Config, dir string){
		"global": func(c *config.Config, _ string) { c.AuthType, c.AuthLDAPOptions = config.AuthLDAP, options },
		"hba": func(c *config.Config, dir string) {
			c.AuthType, c.AuthHBAFile = config.AuthHBA, file(t, dir, "hba", "host all all 127.0.0.1/32 ldap"+options+"\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := openHouse(t, f.url(), change)
			h.expect("dbname=d user=u password=sesame", "")
			h.expect("dbname=d user=u password=open", "LDAP authentication failed")
			h.expect("dbname=d user=v password=sesame", "LDAP authentication failed")
			pool, err := h.pooler.pool("d", "u")
			if err != nil || pool.known().Secret.Reveal() != "sesame" {
				t.Errorf("the pool does not know the password: %v", err)
			}
			nc := h.dial(startup("user", "u", "database", "d"))
			if typ, _, err := wire.ReadMessage(nc, 1<<16); err != nil || typ != wire.ServerAuthentication {
				t.Fatalf("%q, %v", typ, err)
			}
			if _, err := nc.Write(passwordMessage("")); err != nil {
				t.Fatal(err)
			}
			if e := readError(t, nc); e.Message != "empty password returned by client" {
				t.Errorf("an empty password: %v", e)
			}
		})
	}
	c := config.Defaults()
	c.AuthType, c.AuthLDAPOptions = config.AuthLDAP, "ldapserver=127.0.0.1 ldapcolour=red"
	if _, err := newAccess(c, nil); err == nil {
		t.Error("options that are none are taken")
	}
}
