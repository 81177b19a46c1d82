package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAccessProblems: whatever keeps the pooler from starting is told by `poolerd check` too, with its file and line.
func TestAccessProblems(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := file("good", "host all all 127.0.0.1/32 ldap ldapserver=x ldapprefix=cn=\n")
	for name, tt := range map[string]struct{ ini, want string }{
		"a rule's LDAP options": {
			"auth_type = hba\nauth_hba_file = " + file("options", "local all all trust\nhost all all 127.0.0.1/32 ldap ldapserver=x ldapport=none ldapprefix=cn=\n"), "options:2: ",
		},
		"the global LDAP options": {"auth_type = ldap\nauth_ldap_options = ldapserver=x ldapport=none ldapprefix=cn=", "auth_ldap_options"},
		"a missing file":          {"auth_type = hba\nauth_hba_file = " + filepath.Join(dir, "none"), "auth_hba_file"},
		"a broken map":            {"auth_type = cert\nauth_ident_file = " + file("map", "m a\n"), "map:1: "},
		"a map that is not there": {"auth_type = hba\nauth_hba_file = " + file("maps", "hostssl all all 127.0.0.1/32 cert map=none\n"), "maps:1: "},
		"nothing":                 {"auth_type = hba\nauth_hba_file = " + good, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := parseText(t, "[pgbouncer]\n"+tt.ini+"\n")
			_, problems := c.Access()
			if (tt.want == "") != (len(problems) == 0) || len(problems) > 1 || tt.want != "" && !strings.Contains(problems.Error(), tt.want) {
				t.Errorf("%v, want %q", problems, tt.want)
			}
		})
	}
}
