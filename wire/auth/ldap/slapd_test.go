package ldap

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// slapd is OpenLDAP's server, with users below dc=example,dc=net whose password is "secret1".
type slapd struct {
	port, tlsPort int
}

const ldif = `dn: dc=example,dc=net
objectClass: top
objectClass: dcObject
objectClass: organization
dc: example
o: ExampleCo

dn: ou=people,dc=example,dc=net
objectClass: organizationalUnit
ou: people

dn: uid=ann,dc=example,dc=net
objectClass: inetOrgPerson
uid: ann
sn: Ann
cn: Ann
mail: ann@example.net
userPassword: secret1

dn: uid=o\2Cneil \+\"x\",dc=example,dc=net
objectClass: inetOrgPerson
uid: o,neil +"x"
sn: O
cn: O
userPassword: secret1

dn: uid=bob,ou=people,dc=example,dc=net
objectClass: inetOrgPerson
uid: bob
sn: Bob
cn: same
userPassword: secret1

dn: uid=eve,ou=people,dc=example,dc=net
objectClass: inetOrgPerson
uid: eve
sn: Eve
cn: same
userPassword: secret2
`

func startSlapd(t *testing.T) (s slapd, authority string) {
	t.Helper()
	binary, schemas := "/usr/sbin/slapd", "/etc/ldap/schema"
	for _, path := range []string{binary, schemas} {
		if _, err := os.Stat(path); err != nil {
			t.Skip("OpenLDAP's server is not installed")
		}
	}
	dir := t.TempDir()
	config, authority := certificate(t)
	writeKey(t, config, filepath.Join(dir, "server.key"))
	conf := fmt.Sprintf(`include %[1]s/core.schema
include %[1]s/cosine.schema
include %[1]s/inetorgperson.schema
access to attrs=userPassword by anonymous auth by * none
access to * by * read
TLSCertificateFile %[2]s
TLSCertificateKeyFile %[3]s/server.key
database ldif
directory %[3]s
suffix "dc=example,dc=net"
rootdn "cn=Manager,dc=example,dc=net"
rootpw "secret of the manager"
`, schemas, authority, dir)
	path := filepath.Join(dir, "slapd.conf")
	if err := os.WriteFile(path, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	add := exec.CommandContext(t.Context(), binary, "-T", "add", "-f", path)
	add.Stdin = strings.NewReader(ldif)
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	for range 5 { // another process may take a port between the look and the start
		s = slapd{port: closedPort(t), tlsPort: closedPort(t)}
		if s.serve(t, binary, path) {
			return s, authority
		}
	}
	t.Fatal("slapd does not serve")
	return s, authority
}

// serve starts the process and waits until it listens, or ends.
func (s slapd) serve(t *testing.T, binary, conf string) bool {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary, "-d", "0", "-f", conf, "-h", fmt.Sprintf("ldap://127.0.0.1:%d ldaps://127.0.0.1:%d", s.port, s.tlsPort)) // -d: in the foreground
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
	})
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		select {
		case <-ended:
			t.Logf("slapd ended at once: %s", log.String())
			return false
		default:
		}
		if nc, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.tlsPort)); err == nil {
			_ = nc.Close()
			return true
		}
	}
	return false
}

func writeKey(t *testing.T, config *tls.Config, path string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(config.Certificates[0].PrivateKey)
	if err == nil {
		err = os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestSlapd asks a real server in all the ways, over plain text, StartTLS and ldaps.
func TestSlapd(t *testing.T) {
	s, authority := startSlapd(t)
	conf := filepath.Join(t.TempDir(), "ldap.conf")
	if err := os.WriteFile(conf, []byte("TLS_CACERT "+authority+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LDAPCONF", conf)
	const (
		simple = `ldapprefix="uid=" ldapsuffix=",dc=example,dc=net"`
		odd    = `o,neil +"x"`
	)
	plain := fmt.Sprintf("ldapserver=127.0.0.1 ldapport=%d ", s.port)
	secure := fmt.Sprintf("ldapserver=127.0.0.1 ldapport=%d ", s.tlsPort)
	for _, tc := range []struct {
		options, user string
		right         bool
	}{
		{plain + simple, "ann", true},
		{plain + simple, odd, true},
		{plain + simple, "bob", false},
		{plain + simple, "bob,ou=people", false},
		{plain + base, "ann", true},
		{plain + base, odd, true},
		{plain + base, "bob", true},
		{plain + base, "a*", false},
		{plain + base, "eve", false}, // another password
		{plain + base, "nobody", false},
		{plain + base + " ldapsearchattribute=mail", "ann@example.net", true},
		{plain + base + " ldapsearchattribute=cn", "same", false}, // two of them
		{plain + base + ` ldapsearchfilter="(|(uid=$username)(mail=$username))"`, "ann", true},
		{plain + base + ` ldapsearchfilter="uid=$username"`, "bob", true},
		{plain + base + ` ldapbinddn="cn=Manager,dc=example,dc=net" ldapbindpasswd="secret of the manager"`, "bob", true},
		{plain + `ldapbasedn="ou=people,dc=example,dc=net"`, "ann", false},
		{plain + `ldapbasedn="ou=missing,dc=example,dc=net"`, "ann", false},
		{fmt.Sprintf(`ldapurl="ldap://127.0.0.1:%d/dc=example,dc=net?uid?sub"`, s.port), "bob", true},
		{fmt.Sprintf(`ldapurl="ldap://127.0.0.1:%d/dc=example,dc=net?uid?one"`, s.port), "ann", true},
		{fmt.Sprintf(`ldapurl="ldap://127.0.0.1:%d/dc=example,dc=net?uid?one"`, s.port), "bob", false},
		{fmt.Sprintf(`ldapurl="ldap://127.0.0.1:%d/uid=ann,dc=example,dc=net"`, s.port), "ann", true},
		{fmt.Sprintf(`ldapurl="ldaps://127.0.0.1:%d/dc=example,dc=net??sub?(|(uid=$username)(mail=$username))"`, s.tlsPort), "ann", true},
		{plain + simple + " ldaptls=1", "ann", true},
		{plain + base + " ldaptls=1", "bob", true},
		{secure + base + " ldapscheme=ldaps", "bob", true},
	} {
		o := options(t, tc.options)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		err := o.Check(ctx, tc.user, "secret1")
		if tc.right && err != nil || !tc.right && !errors.Is(err, ErrRefused) {
			t.Errorf("%s, user %q: %v", tc.options, tc.user, err)
		}
		for _, password := range []string{"", "secret", "secret1 "} {
			if err := o.Check(ctx, tc.user, password); !errors.Is(err, ErrRefused) {
				t.Errorf("%s, user %q with password %q: %v", tc.options, tc.user, password, err)
			}
		}
		cancel()
	}
	for _, text := range []string{
		secure + base + " ldaptls=1",
		plain + base + " ldapscheme=ldaps",
		secure + base + " ldapscheme=ldaps ldaptls=1",
		plain + base + ` ldapbinddn="cn=Manager,dc=example,dc=net" ldapbindpasswd=wrong`,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		if err := options(t, text).Check(ctx, "ann", "secret1"); err == nil || errors.Is(err, ErrRefused) {
			t.Errorf("%s: %v", text, err)
		}
		cancel()
	}
}
