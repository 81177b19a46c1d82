package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// writeFile puts a file where the test may leave it, and gives its path.
func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheckFiles(t *testing.T) {
	users := writeFile(t, "users.txt", "\"u\" \"p\"\n")
	broken := writeFile(t, "broken.txt", "u p\n")
	rules := writeFile(t, "hba.conf", "local all all trust\nhost all all 127.0.0.1/32 cert map=m\n")
	bad := writeFile(t, "bad.conf", "local all all trust\nhost all all 127.0.0.1/32 kerberos\n")
	idents := writeFile(t, "ident.conf", "m system database\n")
	for _, tc := range []struct{ text, want string }{
		{"auth_file=" + users, ""},
		{"auth_file=" + broken, broken + ":1: broken line of the user list"},
		{"auth_file=/nowhere", "t.ini:2: auth_file = /nowhere: no such file or directory; check the path"},
		{"auth_type=hba\nauth_hba_file=" + rules + "\nauth_ident_file=" + idents, ""},
		{"auth_type=hba\nauth_hba_file=" + rules, rules + ":2: "},
		{"auth_type=hba\nauth_hba_file=" + bad, bad + ":2: "},
		{"auth_type=hba\nauth_hba_file=/nowhere", "t.ini:3: auth_hba_file = /nowhere: no such file or directory; check the path"},
		{"auth_type=trust\nauth_hba_file=/nowhere", ""},
		{"client_tls_sslmode=require", ""}, // Check says so
		{"client_tls_sslmode=require\nclient_tls_cert_file=/nowhere\nclient_tls_key_file=/nowhere", "t.ini:2: client_tls_sslmode = require: client_tls"},
		{"server_tls_sslmode=verify-full\nserver_tls_ca_file=/nowhere", "t.ini:2: server_tls_sslmode = verify-full: server_tls_ca_file"},
		{"server_tls_protocols=ssl3", "server_tls_sslmode = prefer: server_tls_protocols"},
	} {
		err := parseText(t, "[pgbouncer]\n"+tc.text).CheckFiles()
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%q: %v", tc.text, err)
		case tc.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tc.want) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%q:\n got %v\nwant %s", tc.text, err, tc.want)
		}
	}
}

// TestWarningsOfRules: rules that fit nobody, and rules that nobody can pass.
func TestWarningsOfRules(t *testing.T) {
	const begin = "[pgbouncer]\npool_mode=transaction\nauth_type=hba\n"
	for _, tc := range []struct{ rule, text, want string }{
		{"local all all trust", "", ""},
		{"host all all 10.0.0.1/8 trust", "", "the rule fits nobody"},
		{"hostssl all all all cert", "", "cert: lets nobody in: no client's certificate can be verified; set client_tls_sslmode = verify-full and client_tls_ca_file"},
		{"hostssl all all all cert", "client_tls_sslmode=require\nclient_tls_ca_file=x\n", ""},
		{"hostssl all all all trust clientcert=verify-ca", "client_tls_sslmode=require\n", "trust: lets nobody in: no client's certificate"},
		{"host all all all password", "auth_file=/x\nlisten_addr=*\n", "password: passwords may come over the network as they are"},
		{"host all all all password", "auth_file=/x\n", ""},
		{"host all all all md5", "", "md5: lets nobody in: no user has a password"},
		{"host all all all scram-sha-256", "auth_file=/x\n", ""},
	} {
		path := writeFile(t, "hba.conf", "# rules\n"+tc.rule+"\n")
		warnings := parseText(t, begin+tc.text+"auth_hba_file="+path+"\n").Warnings()
		switch {
		case tc.want == "" && len(warnings) > 0:
			t.Errorf("%s, %q: %v", tc.rule, tc.text, warnings)
		case tc.want != "" && (len(warnings) != 1 || !strings.HasPrefix(warnings[0].String(), path+":2: ") || !strings.Contains(warnings[0].String(), tc.want)):
			t.Errorf("%s, %q:\n got %v\nwant %s", tc.rule, tc.text, warnings, tc.want)
		}
	}
}
