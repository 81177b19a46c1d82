package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// scraped is one of the queries of prometheus-community's pgbouncer_exporter (collector.go), with the columns that it makes labels and metrics of.
type scraped struct {
	query   string
	labels  []string
	metrics []string
}

// scrapedQueries are those whose columns become metrics of their own. Of columns that go by two names in PgBouncer's versions, here is the one of 1.25.
func scrapedQueries() []scraped {
	return []scraped{
		{
			"SHOW databases;",
			[]string{"name", "host", "port", "database", "force_user", "pool_mode"},
			[]string{"pool_size", "reserve_pool_size", "max_connections", "current_connections", "paused", "disabled"},
		},
		{
			"SHOW stats_totals;",
			[]string{"database"},
			[]string{"query_count", "query_time", "bytes_received", "bytes_sent", "wait_time", "xact_count", "xact_time", "client_parse_count", "server_parse_count", "bind_count", "server_assignment_count"},
		},
		{
			"SHOW pools;",
			[]string{"database", "user"},
			[]string{"cl_active", "cl_active_cancel_req", "cl_waiting", "cl_waiting_cancel_req", "sv_active", "sv_active_cancel", "sv_being_canceled", "sv_idle", "sv_used", "sv_tested", "sv_login", "maxwait"},
		},
	}
}

// The lists and settings that the exporter looks for, and the columns of SHOW CLIENTS that it counts by.
var (
	scrapedLists   = []string{"databases", "users", "pools", "free_clients", "used_clients", "login_clients", "free_servers", "used_servers", "dns_names", "dns_zones", "dns_queries"}
	scrapedConfig  = []string{"max_client_conn", "max_user_connections"}
	scrapedClients = []string{"database", "user", "application_name", "state"}
)

// scrape runs one of the exporter's queries: the simple protocol, and what lib/pq makes of the answer. Texts are strings, integers of 4 and 8 bytes are numbers; it hands whatever it does
// not know over as bytes, which the exporter takes for no label.
func scrape(t *testing.T, conn *pgx.Conn, query string) (columns []string, rows []map[string]any) {
	t.Helper()
	results, err := conn.PgConn().Exec(within(t, patience), query).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	if len(results) != 1 || len(results[0].FieldDescriptions) == 0 {
		t.Fatalf("%s: %d results", query, len(results))
	}
	for _, field := range results[0].FieldDescriptions {
		if field.Format != 0 {
			t.Errorf("%s, column %s: format %d, want text", query, field.Name, field.Format)
		}
		columns = append(columns, field.Name)
	}
	for _, values := range results[0].Rows {
		row := map[string]any{}
		for i, field := range results[0].FieldDescriptions {
			row[field.Name] = asLibPQ(t, query, field.Name, field.DataTypeOID, values[i])
		}
		rows = append(rows, row)
	}
	return columns, rows
}

func asLibPQ(t *testing.T, query, column string, oid uint32, value []byte) any {
	t.Helper()
	if value == nil {
		return nil
	}
	switch oid {
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID:
		return string(value)
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil {
			t.Errorf("%s, column %s: %v", query, column, err)
		}
		return n
	case pgtype.NumericOID: // lib/pq's bytes
		return value
	default:
		t.Errorf("%s, column %s: type %d", query, column, oid)
		return value
	}
}

// number is what the exporter makes of a metric's value; NULL is not a number for Prometheus, and would be a hole in every graph.
func number(value any) (float64, error) {
	switch v := value.(type) {
	case int64:
		return float64(v), nil
	case []byte:
		return strconv.ParseFloat(string(v), 64)
	case string:
		return strconv.ParseFloat(v, 64)
	default:
		return 0, fmt.Errorf("%v is no number", value)
	}
}

// TestExporter asks what pgbouncer_exporter asks, as it asks it, and wants every column that it makes a metric of, with the values of the load that there was.
func TestExporter(t *testing.T) {
	t.Parallel()
	needsPooler(t)
	o := options{poolSize: 3}
	if under.kind == pgbouncer {
		o.settings = map[string]string{"ignore_startup_parameters": "extra_float_digits"} // which lib/pq sends
	}
	p := startPooler(t, o)
	const transactions = 7
	conn := connect(t, p, "fountain")
	mustExec(t, conn, "SET application_name = 'scraped'")
	for range transactions {
		mustExec(t, conn, "BEGIN")
		want(t, conn, "SELECT repeat('x', 1000)", strings.Repeat("x", 1000))
		mustExec(t, conn, "COMMIT")
	}
	inside := connect(t, p, "fountain")
	mustExec(t, inside, "BEGIN")
	want(t, inside, "SELECT 1", "1")

	// lib/pq's startup packet.
	config, err := pgx.ParseConfig(p.url("pgbouncer"))
	if err != nil {
		t.Fatal(err)
	}
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	maps.Copy(config.RuntimeParams, map[string]string{"extra_float_digits": "2", "client_encoding": "UTF8", "datestyle": "ISO, MDY"})
	exporter, err := pgx.ConnectConfig(within(t, patience), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { leave(exporter) })
	scrape(t, exporter, "SHOW STATS") // its ping

	values := map[string]float64{} // of database fountain
	for _, q := range scrapedQueries() {
		columns, rows := scrape(t, exporter, q.query)
		for _, name := range append(slices.Clone(q.labels), q.metrics...) {
			if !slices.Contains(columns, name) {
				t.Errorf("%s has no column %s", q.query, name)
			}
		}
		if len(rows) == 0 {
			t.Errorf("%s has no rows", q.query)
		}
		for _, row := range rows {
			for _, label := range q.labels {
				switch row[label].(type) {
				case nil, string, int64:
				default:
					t.Errorf("%s, label %s: %T", q.query, label, row[label])
				}
			}
			for _, metric := range q.metrics {
				n, err := number(row[metric])
				if err != nil {
					t.Errorf("%s, metric %s: %v", q.query, metric, err)
				}
				if row["database"] == "fountain" {
					values[metric] = n
				}
			}
		}
	}
	for metric, least := range map[string]float64{
		"xact_count": transactions, "query_count": 3 * transactions, "bytes_sent": 0, "bytes_received": 1, "query_time": 1, "xact_time": 1, "server_assignment_count": 1,
		"cl_active": 2, "sv_active": 1, "sv_idle": 0,
	} {
		if values[metric] < least {
			t.Errorf("%s is %v, want at least %v", metric, values[metric], least)
		}
	}

	columns, rows := scrape(t, exporter, "SHOW LISTS;")
	lists := map[string]float64{}
	for _, row := range rows {
		name, ok := row[columns[0]].(string)
		n, err := number(row[columns[1]])
		if !ok || err != nil {
			t.Errorf("SHOW LISTS: %v", row)
		}
		lists[name] = n
	}
	if len(columns) != 2 {
		t.Errorf("SHOW LISTS has the columns %q, want two", columns)
	}
	for _, name := range scrapedLists {
		if _, ok := lists[name]; !ok {
			t.Errorf("SHOW LISTS has no %s", name)
		}
	}
	if lists["used_clients"] < 2 || lists["used_servers"] < 1 {
		t.Errorf("SHOW LISTS: %v", lists)
	}

	columns, rows = scrape(t, exporter, "SHOW CONFIG;")
	if len(columns) != 4 && len(columns) != 3 {
		t.Errorf("SHOW CONFIG has the columns %q, want three or four", columns)
	}
	settings := map[string]any{}
	for _, row := range rows {
		if _, ok := row[columns[0]].(string); !ok || row[columns[len(columns)-1]] == nil {
			t.Errorf("SHOW CONFIG: %v: key and changeable have to be texts", row)
			continue
		}
		settings[row[columns[0]].(string)] = row[columns[1]]
	}
	for _, name := range scrapedConfig {
		if _, err := number(settings[name]); err != nil {
			t.Errorf("SHOW CONFIG, %s: %v", name, err)
		}
	}

	columns, rows = scrape(t, exporter, "SHOW CLIENTS;")
	for _, name := range scrapedClients {
		if !slices.Contains(columns, name) {
			t.Errorf("SHOW CLIENTS has no column %s", name)
		}
	}
	if !slices.ContainsFunc(rows, func(row map[string]any) bool {
		return row["database"] == "fountain" && row["user"] == p.user && row["application_name"] == "scraped"
	}) {
		t.Errorf("SHOW CLIENTS: nobody is called scraped: %v", rows)
	}

	columns, rows = scrape(t, exporter, "SHOW VERSION;")
	if len(columns) != 1 || columns[0] != "version" || len(rows) != 1 {
		t.Errorf("SHOW VERSION: columns %q, %d rows", columns, len(rows))
	}
}
