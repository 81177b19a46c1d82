package admin_test

import (
	"context"
	"slices"
	"strconv"
	"testing"

	"github.com/jackc/pgx/v5"
)

// TestExporter asks what prometheus-community's pgbouncer_exporter asks, in its words, and reads the columns that it reads as it does: by name, as text, and numbers as
// floating point. It has labels, which must not fail when they are NULL, and gauges, which must be numbers.
func TestExporter(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	s := serve(ctx, t)
	client := dial(ctx, t, s.url("ann", "shop", "&application_name=till"))
	if _, err := client.Exec(ctx, "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	console := dial(ctx, t, s.url("watcher", "pgbouncer", "&default_query_exec_mode=simple_protocol"))
	for _, test := range []struct {
		query          string
		labels, gauges []string
	}{
		{
			"SHOW databases;",
			[]string{"name", "host", "port", "database", "force_user", "pool_mode"},
			[]string{"pool_size", "reserve_pool_size", "max_connections", "current_connections", "paused", "disabled"},
		},
		{
			"SHOW stats_totals;", []string{"database"}, []string{
				"query_count", "query_time", "bytes_received", "bytes_sent", "wait_time", "xact_count", "xact_time", "client_parse_count", "server_parse_count", "bind_count",
				"server_assignment_count",
			},
		},
		{
			"SHOW pools;", []string{"database", "user"}, []string{
				"cl_active", "cl_active_cancel_req", "cl_waiting", "cl_waiting_cancel_req", "sv_active", "sv_active_cancel", "sv_being_canceled", "sv_idle", "sv_used", "sv_tested",
				"sv_login", "maxwait",
			},
		},
		{"SHOW CLIENTS;", []string{"database", "user", "application_name", "state"}, nil},
	} {
		rows := ask(ctx, t, console, test.query)
		if len(rows) < 2 { // the database's and the console's
			t.Errorf("%s gives %d rows", test.query, len(rows))
		}
		for _, row := range rows {
			for _, name := range slices.Concat(test.labels, test.gauges) {
				value, ok := row[name]
				if _, err := strconv.ParseFloat(value, 64); !ok || err != nil && slices.Contains(test.gauges, name) {
					t.Errorf("%s: %s = %q", test.query, name, value)
				}
			}
		}
	}
	lists := map[string]string{}
	for _, row := range ask(ctx, t, console, "SHOW LISTS;") {
		lists[row["list"]] = row["items"]
	}
	for _, name := range []string{
		"databases", "users", "pools", "free_clients", "used_clients", "login_clients", "free_servers", "used_servers", "dns_names", "dns_zones", "dns_queries",
	} {
		if _, err := strconv.ParseFloat(lists[name], 64); err != nil {
			t.Errorf("SHOW LISTS: %s = %q", name, lists[name])
		}
	}
	settings := map[string]string{}
	for _, row := range ask(ctx, t, console, "SHOW CONFIG;") {
		settings[row["key"]] = row["value"]
	}
	for _, name := range []string{"max_client_conn", "max_user_connections"} {
		if _, err := strconv.ParseFloat(settings[name], 64); err != nil {
			t.Errorf("SHOW CONFIG: %s = %q", name, settings[name])
		}
	}
	if rows := ask(ctx, t, console, "SHOW VERSION;"); len(rows) != 1 || rows[0]["version"] == "" {
		t.Errorf("SHOW VERSION: %v", rows)
	}
}

// ask gives the rows by column, as text; a NULL is empty.
func ask(ctx context.Context, t *testing.T, console *pgx.Conn, query string) []map[string]string {
	t.Helper()
	results, err := console.PgConn().Exec(ctx, query).ReadAll()
	if err != nil || len(results) != 1 {
		t.Fatalf("%s: %d results, %v", query, len(results), err)
	}
	var all []map[string]string
	for _, values := range results[0].Rows {
		row := map[string]string{}
		for i, f := range results[0].FieldDescriptions {
			row[f.Name] = string(values[i])
		}
		all = append(all, row)
	}
	return all
}
