package admin

import (
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// TestColumns holds PgBouncer 1.25.2's columns: kinds are s for text, T for a time as text, i for int4, N for numeric, one for each name. Ours follow at the end.
func TestColumns(t *testing.T) {
	const sockets = "type user database replication state addr port local_addr local_port connect_time request_time wait wait_us close_needed ptr link " +
		"remote_pid tls application_name prepared_statements id"
	const averages = "server_assignment_count xact_count query_count bytes_received bytes_sent xact_time query_time wait_time "
	oids := map[byte]uint32{'s': 25, 'T': 25, 'i': 23, 'N': 1700}
	sizes := map[byte]int16{'s': -1, 'T': -1, 'i': 4, 'N': -1}
	c := newConsole(t)
	x := connect(t, c, "root")
	checked := map[string]bool{"show help": true}
	for _, test := range []struct{ command, kinds, names, ourKinds, ours string }{
		{"version", "s", "version", "", ""},
		{"pools", "ssiiiiiiiiiiiiiss", "database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req sv_active sv_active_cancel " +
			"sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait maxwait_us pool_mode load_balance_hosts", "iii", "pool_size reserve_pool_size pinned"},
		{"clients", "ssssssisiTTiiississii", sockets, "s", "pinned"},
		{"servers", "ssssssisiTTiiississii", sockets, "N", "uses"},
		{"databases", "ssissiiiissiiiiii", "name host port database force_user pool_size min_pool_size reserve_pool_size server_lifetime pool_mode " +
			"load_balance_hosts max_connections current_connections max_client_connections current_client_connections paused disabled", "", ""},
		{"users", "ssssiiii", "name pool_size reserve_pool_size pool_mode max_user_connections current_connections max_user_client_connections " +
			"current_client_connections", "", ""},
		{"stats", "s" + strings.Repeat("N", 22), "database total_server_assignment_count total_xact_count total_query_count total_received total_sent " +
			"total_xact_time total_query_time total_wait_time total_client_parse_count total_server_parse_count total_bind_count " +
			"avg_server_assignment_count avg_xact_count avg_query_count avg_recv avg_sent avg_xact_time avg_query_time avg_wait_time " +
			"avg_client_parse_count avg_server_parse_count avg_bind_count", "", ""},
		{"stats_totals", "s" + strings.Repeat("N", 11), "database " + averages + "client_parse_count server_parse_count bind_count", "", ""},
		{"stats_averages", "s" + strings.Repeat("N", 11), "database " + averages + "avg_client_parse_count avg_server_parse_count avg_bind_count", "", ""},
		{"config", "ssss", "key value default changeable", "", ""},
		{"lists", "si", "list items", "", ""},
		{"state", "ss", "key value", "", ""},
	} {
		t.Run(test.command, func(t *testing.T) {
			checked["show "+test.command] = true
			names, kinds := slices.Concat(strings.Fields(test.names), strings.Fields(test.ours)), test.kinds+test.ourKinds
			if len(names) != len(kinds) {
				t.Fatalf("the test has %d names and %d kinds", len(names), len(kinds))
			}
			a := x.query("SHOW " + test.command)
			if len(a.fields) != len(names) {
				t.Fatalf("%d columns, want %d", len(a.fields), len(names))
			}
			for i, f := range a.fields {
				if string(f.Name) != names[i] || f.DataTypeOID != oids[kinds[i]] || f.DataTypeSize != sizes[kinds[i]] || f.TypeModifier != -1 || f.Format != 0 {
					t.Errorf("column %d is %s %+v, want %s of kind %c", i, f.Name, f, names[i], kinds[i])
				}
			}
			d := x.ask(&pgproto3.Parse{Query: "SHOW " + test.command}, &pgproto3.Bind{ResultFormatCodes: []int16{1}}, &pgproto3.Describe{ObjectType: 'P'}, &pgproto3.Sync{})
			if len(d.fields) != len(names) || d.fields[0].Format != 1 {
				t.Errorf("a portal is described as %+v", d.fields)
			}
		})
	}
	for _, name := range c.names {
		if strings.HasPrefix(name, "show ") && !checked[name] {
			t.Errorf("the columns of %s are not in this test", name)
		}
	}
}
