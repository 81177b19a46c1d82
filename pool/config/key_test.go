package config

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// pgbouncerKeys are the names of the keys of [pgbouncer] in PgBouncer 1.25.
const pgbouncerKeys = `admin_users application_name_add_host auth_dbname auth_file auth_hba_file auth_ident_file auth_ldap_options auth_query auth_type
auth_user autodb_idle_timeout cancel_wait_timeout client_idle_timeout client_login_timeout client_tls13_ciphers client_tls_ca_file client_tls_cert_file
client_tls_ciphers client_tls_dheparams client_tls_ecdhcurve client_tls_key_file client_tls_protocols client_tls_sslmode conffile default_pool_size
disable_pqexec dns_max_ttl dns_nxdomain_ttl dns_zone_check_period idle_transaction_timeout ignore_startup_parameters job_name listen_addr listen_backlog
listen_port log_connections log_disconnections log_pooler_errors log_stats logfile max_client_conn max_db_client_connections max_db_connections
max_packet_size max_prepared_statements max_user_client_connections max_user_connections min_pool_size peer_id pidfile pkt_buf pool_mode query_timeout
query_wait_notify query_wait_timeout reserve_pool_size reserve_pool_timeout resolv_conf sbuf_loopcnt scram_iterations server_check_delay
server_check_query server_connect_timeout server_fast_close server_idle_timeout server_lifetime server_login_retry server_reset_query
server_reset_query_always server_round_robin server_tls13_ciphers server_tls_ca_file server_tls_cert_file server_tls_ciphers server_tls_key_file
server_tls_protocols server_tls_sslmode service_name so_reuseport stats_period stats_users suspend_timeout syslog syslog_facility syslog_ident
tcp_defer_accept tcp_keepalive tcp_keepcnt tcp_keepidle tcp_keepintvl tcp_socket_buffer tcp_user_timeout track_extra_parameters transaction_timeout
unix_socket_dir unix_socket_group unix_socket_mode user verbose`

func TestEveryKeyOfPgBouncerIsKnown(t *testing.T) {
	var ours []string
	for _, k := range Keys() {
		if k.Section == "pgbouncer" {
			ours = append(ours, k.Name)
		}
	}
	slices.Sort(ours)
	theirs := append(strings.Fields(pgbouncerKeys), "pool_idle_timeout") // of its next version
	slices.Sort(theirs)
	for _, name := range theirs {
		if !slices.Contains(ours, name) {
			t.Errorf("%s is not in the table", name)
		}
	}
	for i, name := range ours {
		if !slices.Contains(theirs, name) {
			t.Errorf("%s is not PgBouncer's: its section is poolerd", name)
		}
		if i > 0 && ours[i-1] == name {
			t.Errorf("%s is in the table twice", name)
		}
	}
}

// TestTable: a default is shown as it is written, and another value of each kind comes back too.
func TestTable(t *testing.T) {
	for _, k := range Keys() {
		if k.Doc == "" || strings.HasSuffix(k.Doc, ".") || strings.Contains(k.Doc, "\n") {
			t.Errorf("%s: documentation %q", k.Name, k.Doc)
		}
		if k.Support != Honoured {
			if k.Reason == "" {
				t.Errorf("%s has no effect, and no reason", k.Name)
			}
			continue
		}
		c := Defaults()
		if got := k.get(c); got != k.Default {
			t.Errorf("%s: default %q is shown as %q", k.Name, k.Default, got)
		}
		changed := false
		for _, other := range []string{"1", "0", "7", "session", "trust", "json", "warn", "kept", "words", "error", "4096", "require", "0700", "local0", "direct"} {
			if k.set(c, other) == nil && k.get(c) == other && other != k.Default {
				changed = true
			}
		}
		if !changed {
			t.Errorf("%s cannot be changed", k.Name)
		}
	}
}

// TestDefaultsOfPgBouncer: where a default is not PgBouncer's the package's documentation says so.
func TestDefaultsOfPgBouncer(t *testing.T) {
	want := map[string]string{
		"listen_port": "6432", "default_pool_size": "20", "min_pool_size": "0", "reserve_pool_size": "0", "reserve_pool_timeout": "5",
		"max_db_connections": "0", "max_user_connections": "0", "max_prepared_statements": "200", "query_wait_timeout": "120", "server_lifetime": "3600",
		"server_idle_timeout": "600", "server_connect_timeout": "15", "query_timeout": "0", "idle_transaction_timeout": "0", "transaction_timeout": "0",
		"client_idle_timeout": "0", "client_login_timeout": "60", "cancel_wait_timeout": "10", "server_reset_query": "DISCARD ALL", "stats_period": "60",
		"log_connections": "1", "tcp_keepalive": "1", "scram_iterations": "4096", "auth_type": "md5", "unix_socket_dir": "/tmp", "unix_socket_mode": "0777", "server_tls_sslmode": "prefer",
		"client_tls_sslmode": "disable", "tcp_defer_accept": "1", "max_packet_size": "2147483647", "query_wait_notify": "5", "autodb_idle_timeout": "3600",
		"server_check_query": "<empty>", "server_check_delay": "30", "suspend_timeout": "10", "listen_backlog": "128", "dns_max_ttl": "15", "pool_idle_timeout": "0",
		// deliberately others
		"pool_mode": "transaction", "max_client_conn": "10000", "listen_addr": "127.0.0.1", "server_login_retry": "0.5",
	}
	for _, e := range Defaults().Entries() {
		if w, ok := want[e.Key]; ok && (e.Value != w || e.Default != w) {
			t.Errorf("%s = %s, default %s; want %s", e.Key, e.Value, e.Default, w)
		}
		delete(want, e.Key)
	}
	if len(want) > 0 {
		t.Errorf("not in Entries: %v", want)
	}
}

// TestSampleFileIsComplete: configs/poolerd.ini has every key, as a comment with its default, and its documentation above it.
func TestSampleFileIsComplete(t *testing.T) {
	text, err := os.ReadFile("../../configs/poolerd.ini")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	section := ""
	where := map[string]int{}
	for i, line := range lines {
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
		}
		if strings.HasPrefix(line, ";") {
			where[section+" "+line] = i
		}
	}
	for _, k := range Keys() {
		line := strings.TrimSpace(";" + k.Name + " = " + k.Default)
		i, ok := where[k.Section+" "+line]
		switch {
		case !ok:
			t.Errorf("[%s] lacks the line %q", k.Section, line)
		case !strings.HasPrefix(lines[i-1], "; "+k.Doc):
			t.Errorf("above %q stands %q, not %q", line, lines[i-1], k.Doc)
		}
	}
	// The comments of the honoured keys must be settings that work.
	var set strings.Builder
	for _, line := range lines {
		if name, _, ok := strings.Cut(strings.TrimPrefix(line, ";"), " ="); ok && !strings.ContainsAny(name, " ;") {
			line = strings.TrimPrefix(line, ";")
		}
		set.WriteString(line + "\n")
	}
	c, warnings, err := Parse("poolerd.ini", []byte(set.String()))
	if err != nil || len(warnings) > 0 {
		t.Fatalf("with all comments taken off: %v, %v", warnings, err)
	}
	for _, change := range Diff(Defaults(), c) {
		if !strings.HasPrefix(change.Key, "databases.") {
			t.Errorf("%s is %q, and the sample says %q", change.Key, change.Old, change.New)
		}
	}
}

func TestSampleUserlist(t *testing.T) {
	c := Defaults()
	c.AuthFile = "../../configs/userlist.txt"
	list, err := c.Secrets()
	if err != nil {
		t.Fatal(err)
	}
	for user, kind := range map[string]SecretKind{"authenticator": PlainSecret, "by_md5": MD5Secret, "by_scram": SCRAMSecret} {
		if s, ok := list.Secret(user); !ok || s.Kind() != kind {
			t.Errorf("%s has %v", user, s)
		}
	}
}

func TestSetNamesTheFlag(t *testing.T) {
	c := Defaults()
	err := c.Set("query_wait_timeout", "8 s", Origin{Flag: "--query-wait-timeout"})
	want := `--query-wait-timeout "8 s": not a usable duration; give seconds as "8" or "0.5", or a number with a unit as "500ms" or "2m"`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if err := c.Set("query_wait_timeout", "500ms", Origin{}); err != nil || c.QueryWaitTimeout.Milliseconds() != 500 {
		t.Errorf("500ms gives %v, %v", c.QueryWaitTimeout, err)
	}
}
