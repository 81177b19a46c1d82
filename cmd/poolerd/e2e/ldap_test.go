package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// people is what the LDAP server of the tests knows.
const people = `dn: dc=theatre,dc=test
objectClass: dcObject
objectClass: organization
dc: theatre
o: Theatre

dn: uid=actor,dc=theatre,dc=test
objectClass: inetOrgPerson
uid: actor
sn: A
cn: The Actor
userPassword: quire

dn: uid=director,dc=theatre,dc=test
objectClass: inetOrgPerson
uid: director
sn: D
cn: The Director
userPassword: folio
`

// startLDAP starts OpenLDAP's server and gives its port.
func startLDAP(t *testing.T) (port int) {
	t.Helper()
	const binary, schemas = "/usr/sbin/slapd", "/etc/ldap/schema"
	for _, path := range []string{binary, schemas} {
		if _, err := os.Stat(path); err != nil {
			t.Skip("OpenLDAP's server is not installed")
		}
	}
	dir := t.TempDir()
	config := filepath.Join(dir, "slapd.conf")
	text := fmt.Sprintf("include %[1]s/core.schema\ninclude %[1]s/cosine.schema\ninclude %[1]s/inetorgperson.schema\n"+
		"access to attrs=userPassword by anonymous auth by * none\naccess to * by * read\n"+
		"database ldif\ndirectory %[2]s\nsuffix \"dc=theatre,dc=test\"\n", schemas, dir)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	add := exec.CommandContext(within(t, patience), binary, "-T", "add", "-f", config)
	add.Stdin = strings.NewReader(people)
	if out, err := add.CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	port = freePort(t)
	address := fmt.Sprintf("127.0.0.1:%d", port)
	server := exec.Command(binary, "-d", "0", "-f", config, "-h", "ldap://"+address) // -d: in the foreground
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	eventually(t, patience, "the LDAP server listens", func() error {
		nc, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		return nc.Close()
	})
	return port
}

// TestLDAP: an LDAP server knows the passwords, for all by auth_ldap_options, or by an access rule.
func TestLDAP(t *testing.T) {
	t.Parallel()
	needsPoolerd(t)
	port := startLDAP(t)
	users := userlist(t, "actor", "", "director", "", "absent", "")
	ini := func(more string) string {
		return fmt.Sprintf("[databases]\n* = host=%s port=%d user=postgres\n[pgbouncer]\n%%LISTEN%%unix_socket_dir =\nauth_file = %s\n%s\n", shared.Host(), shared.Port(), users, more)
	}
	simple := fmt.Sprintf(`ldapserver=127.0.0.1 ldapport=%d ldapprefix="uid=" ldapsuffix=",dc=theatre,dc=test"`, port)
	search := fmt.Sprintf(`ldapurl="ldap://127.0.0.1:%d/dc=theatre,dc=test?uid?sub"`, port)
	for name, more := range map[string]string{
		"simple bind, globally":    "auth_type = ldap\nauth_ldap_options = " + simple,
		"search and bind, by rule": "auth_type = hba\nauth_hba_file = " + rulesFile(t, "host all all 127.0.0.1/32 ldap "+search+"\n"),
	} {
		t.Run(name, func(t *testing.T) {
			p := startPooler(t, options{ini: ini(more)})
			for _, tc := range []struct {
				user, password string
				works          bool
			}{
				{"actor", "quire", true},
				{"director", "folio", true},
				{"actor", "folio", false},
				{"absent", "quire", false},
				{"actor", "", false},
				{"*", "quire", false},
				{"actor,dc=theatre", "quire", false},
			} {
				got, err := psqlAs(t, "", fmt.Sprintf("host=127.0.0.1 port=%d user='%s' password='%s' dbname=fountain sslmode=disable", p.port, tc.user, tc.password), "SELECT 'it ' || 'works'")
				if works := err == nil && got == "it works"; works != tc.works {
					t.Errorf("%s with %q: %s, %v; want it to work: %v", tc.user, tc.password, got, err, tc.works)
				}
			}
			if log := p.readWholeLog(t); strings.Contains(log, "quire") || strings.Contains(log, "folio") {
				t.Error("the log holds a password")
			}
		})
	}
}
