package e2e

import (
	"context"
	"crypto/elliptic"
	"fmt"
	"os"
	"testing"

	"github.com/jackc/pgx/v5"

	"poolerd/bench/postgres"
)

// driverRoles are what the behaviours become with SET ROLE and SET SESSION
// AUTHORIZATION. actor may become director, too.
const driverRoles = `CREATE ROLE actor; CREATE ROLE director; GRANT director TO actor`

// driverSchema is what every behaviour finds in its database: doc, whose
// meaning depends on search_path, functions that do unseen what SQL does
// visibly, and types that drivers ask for by name.
const driverSchema = `
CREATE TABLE kept (id serial PRIMARY KEY, v text);
CREATE SEQUENCE seq;
CREATE SCHEMA s1;
CREATE SCHEMA s2;
CREATE TABLE s1.doc (v int);
INSERT INTO s1.doc VALUES (1);
CREATE TABLE s2.doc (v text);
INSERT INTO s2.doc VALUES ('zwei');
CREATE TABLE s1.ruled (owner name, v int);
INSERT INTO s1.ruled VALUES ('actor', 1), ('director', 2);
ALTER TABLE s1.ruled ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON s1.ruled USING (owner = current_user);
GRANT SELECT ON s1.ruled TO actor, director;
CREATE TYPE s1.colour AS ENUM ('red', 'blue');
CREATE TYPE s1.pair AS (n int, t text);
GRANT USAGE ON SCHEMA s1, s2 TO actor, director;
CREATE FUNCTION s1.remember(what text) RETURNS text LANGUAGE plpgsql AS
	$$ BEGIN RETURN set_config('my.var', what, false); END $$;
CREATE FUNCTION s1.make_props(many int) RETURNS int LANGUAGE plpgsql AS
	$$ BEGIN CREATE TEMP TABLE made AS SELECT generate_series(1, many); RETURN many; END $$;
CREATE FUNCTION s1.tell() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN PERFORM pg_notify('changes', NEW.n::text); RETURN NEW; END $$;
`

// startDriverCluster is a PostgreSQL that knows two-phase commit.
func startDriverCluster(t *testing.T) *postgres.Cluster {
	t.Helper()
	ctx := within(t, installing)
	cluster, err := postgres.Start(ctx, postgres.Options{Settings: map[string]string{
		"max_connections":           "300",
		"max_prepared_transactions": "50",
		"max_wal_size":              "4GB",
		"timezone":                  "UTC",
		"wal_level":                 "minimal", // databases are made many times
		"max_wal_senders":           "0",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if _, err := cluster.Psql(ctx, "postgres", driverRoles); err != nil {
		t.Fatal(err)
	}
	return cluster
}

// makeDriverDatabase makes a database that nobody has used yet.
func makeDriverDatabase(ctx context.Context, on interface {
	URL(user, database string) string
}, name string,
) error {
	for _, step := range []struct{ database, sql string }{
		{"postgres", "CREATE DATABASE " + name},
		{"postgres", "ALTER DATABASE " + name + " SET cursor_tuple_fraction = 0.25"},
		{name, driverSchema},
	} {
		if err := execOnce(ctx, on.URL("postgres", step.database), step.sql); err != nil {
			return fmt.Errorf("making database %s: %w", name, err)
		}
	}
	return nil
}

func execOnce(ctx context.Context, url, sql string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer leave(conn)
	_, err = conn.PgConn().Exec(ctx, sql).ReadAll()
	return err
}

// driverSSLMode is the sslmode of every driver, of PostgreSQL and of the pooler on both sides: POOLERD_E2E_TLS=1 has TLS everywhere.
func driverSSLMode() string {
	if os.Getenv("POOLERD_E2E_TLS") != "" {
		return "require"
	}
	return "disable"
}

// driverTLS makes PostgreSQL speak TLS, and gives the configuration of a pooler that asks for it on both sides.
func driverTLS(t *testing.T, c *postgres.Cluster) (ini string) {
	t.Helper()
	needsPoolerd(t)
	s := &secured{authority: newAuthority(t, "authority", elliptic.P256())}
	s.shown = s.authority.issue(t, "pooler", "pooler.test", "localhost")
	speakTLS(t, c, s.authority)
	return fmt.Sprintf("[databases]\n* = host=%s port=%d user=postgres\n[pgbouncer]\n%%LISTEN%%unix_socket_dir =\nauth_type = any\npool_mode = transaction\ndefault_pool_size = %d\nmax_client_conn = 6000\n"+
		"server_tls_sslmode = require\nclient_tls_sslmode = require\nclient_tls_cert_file = %s\nclient_tls_key_file = %s\n[poolerd]\nmax_pinned_servers = %d\n",
		c.Host(), c.Port(), driverServers, s.shown.cert, s.shown.key, driverServers)
}
