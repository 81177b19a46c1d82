package advice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// applicationName is what our own connections are called in pg_stat_activity; tag is in our statements, so that they can be told from the workload's.
const (
	applicationName = "poolerd bench advice"
	tag             = "/* poolerd advice */"
)

// oldest is the oldest server that is understood: plan_cache_mode came with it.
const oldest = 120000

// server is what is asked, and what may be read of it.
type server struct {
	version  int               // server_version_num: 150018
	settings map[string]string // in the units of pg_settings
	all      bool              // other sessions' statements and waits may be read
	private  bool              // Options.Private

	// statements is the schema that pg_stat_statements is in, "" where it cannot be read: then lack says why, and remedy what helps.
	statements   string
	lack, remedy string
}

// connect opens a connection of our own. ctx bounds the opening only.
func connect(ctx context.Context, url string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("the database's URL: %w", err)
	}
	config.RuntimeParams["application_name"] = applicationName
	ctx, cancel := context.WithTimeout(ctx, connectLimit)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("looking at the database: %w", err)
	}
	// Only for this session, and only where the role may: our own statements need not be counted.
	_, _ = conn.Exec(ctx, "SET pg_stat_statements.track = 'none'")
	return conn, nil
}

// hangUp ends a connection. What it may have had to say no longer matters.
func hangUp(conn *pgx.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Close(ctx)
}

// ask runs a query and decodes each row, as a JSON object, into a T: columns that this version of the server does not have stay zero.
func ask[T any](ctx context.Context, conn *pgx.Conn, query string, args ...any) ([]T, error) {
	rows, err := conn.Query(ctx, "SELECT "+tag+" to_jsonb(q)::text FROM ("+query+") AS q", args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (value T, err error) {
		var text []byte
		if err = row.Scan(&text); err == nil {
			err = json.Unmarshal(text, &value)
		}
		return value, err
	})
}

// judged are the settings that findings speak of.
var judged = []string{
	"autovacuum", "checkpoint_timeout", "compute_query_id", "jit", "max_connections", "max_wal_size", "shared_buffers", "synchronous_commit", "track_io_timing", "work_mem",
}

// examine learns what the server is. On a private one pg_stat_statements is created if only that is missing.
func examine(ctx context.Context, conn *pgx.Conn, private bool) (*server, error) {
	s := &server{settings: map[string]string{}, private: private}
	var number string
	err := conn.QueryRow(ctx, "SELECT "+tag+" current_setting('server_version_num'), pg_has_role('pg_read_all_stats', 'USAGE')").Scan(&number, &s.all)
	if err != nil {
		return nil, fmt.Errorf("looking at the database: %w", err)
	}
	if s.version, err = strconv.Atoi(number); err != nil || s.version < oldest {
		return nil, fmt.Errorf("the database is PostgreSQL %s (server_version_num): advice needs %d or newer", number, oldest)
	}
	type setting struct{ Name, Setting string }
	settings, err := ask[setting](ctx, conn, "SELECT name, setting FROM pg_settings WHERE name = ANY ($1)", judged)
	if err != nil {
		return nil, fmt.Errorf("reading the database's settings: %w", err)
	}
	for _, one := range settings {
		s.settings[one.Name] = one.Setting
	}
	return s, s.findStatements(ctx, conn, private)
}

// extension is what is known about pg_stat_statements.
type extension struct {
	Schema    *string // it is in, nil: not created
	Loaded    bool
	Available bool // its files are there
}

// findStatements learns whether pg_stat_statements can be read, and if not, why.
func (s *server) findStatements(ctx context.Context, conn *pgx.Conn, may bool) error {
	states, err := ask[extension](ctx, conn, `
		SELECT (SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements') AS schema,
		       current_setting('pg_stat_statements.max', true) IS NOT NULL AS loaded,
		       EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements') AS available`)
	if err != nil {
		return fmt.Errorf("looking for pg_stat_statements: %w", err)
	}
	e := states[0]
	if e.Schema == nil && e.Loaded && may {
		if _, err := conn.Exec(ctx, "CREATE EXTENSION pg_stat_statements"); err != nil {
			return fmt.Errorf("creating pg_stat_statements: %w", err)
		}
		return s.findStatements(ctx, conn, false)
	}
	s.lack, s.remedy = e.lack()
	if s.lack != "" {
		return nil
	}
	s.statements = *e.Schema
	_, err = conn.Exec(ctx, "SELECT "+tag+" FROM "+s.statements+".pg_stat_statements(false) LIMIT 1")
	var refused *pgconn.PgError
	if errors.As(err, &refused) {
		s.statements, s.lack = "", "it cannot be read: "+refused.Message
		s.remedy = "GRANT pg_read_all_stats TO " + pgx.Identifier{conn.Config().User}.Sanitize() + ";"
		return nil
	}
	return err
}

const (
	preload = "-- in postgresql.conf, beside what is there already; then restart PostgreSQL\nshared_preload_libraries = 'pg_stat_statements'\n"
	create  = "CREATE EXTENSION pg_stat_statements;"
)

// lack says what is missing before pg_stat_statements can be read, and how it is had; "" where nothing is.
func (e extension) lack() (what, remedy string) {
	switch {
	case !e.Available && !e.Loaded:
		return "it is not installed on the server: it belongs to PostgreSQL's contrib modules",
			"-- on the database's machine (Debian's package: postgresql-contrib)\n" + preload + "-- and in this database\n" + create
	case !e.Loaded && e.Schema == nil:
		return "the server has not loaded it", preload + "-- and in this database\n" + create
	case !e.Loaded:
		return "it is created in this database, but the server has not loaded it", preload
	case e.Schema == nil:
		return "the server has loaded it, but it is not created in this database", create
	}
	return "", ""
}
