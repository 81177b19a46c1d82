package admin_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"

	"poolerd/bench/postgres"
	"poolerd/pool"
	"poolerd/pool/admin"
	"poolerd/pool/config"
)

const limit = 60 * time.Second

// served is a pooler before a private PostgreSQL.
type served struct {
	cluster *postgres.Cluster
	addr    net.Addr
	reloads int
}

func serve(ctx context.Context, t *testing.T) *served {
	t.Helper()
	cluster, err := postgres.Start(ctx, postgres.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cluster.Stop(context.WithoutCancel(ctx)); err != nil {
			t.Error(err)
		}
	})
	conf, _, err := config.Parse("test.ini", fmt.Appendf(nil,
		"[databases]\nshop = host=%s port=%d dbname=postgres user=postgres\n[pgbouncer]\nauth_type=trust\nadmin_users=root\nstats_users=watcher\nstats_period=1\n",
		cluster.Host(), cluster.Port()))
	if err != nil {
		t.Fatal(err)
	}
	p, err := pool.New(conf, zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.WarnLevel))
	if err != nil {
		t.Fatal(err)
	}
	s := &served{cluster: cluster}
	p.SetConsole(admin.New(p, "v9.8.7", func() error { s.reloads++; return nil }))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr()
	over := make(chan error, 1)
	go func() { over <- p.Serve(l) }()
	t.Cleanup(func() {
		p.Close()
		if err := <-over; err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *served) url(user, database, more string) string {
	return fmt.Sprintf("postgres://%s@%s/%s?sslmode=disable%s", user, s.addr, database, more)
}

func dial(ctx context.Context, t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.WithoutCancel(ctx)) })
	return conn
}

// TestWithPostgreSQL asks a pooler that works, by pgx in each of its ways and by psql.
func TestWithPostgreSQL(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	s := serve(ctx, t)
	client := dial(ctx, t, s.url("ann", "shop", "&application_name=till"))
	if _, err := client.Exec(ctx, "BEGIN"); err != nil {
		t.Fatal(err)
	}
	var pid int64
	if err := client.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []pgx.QueryExecMode{
		pgx.QueryExecModeCacheStatement, pgx.QueryExecModeCacheDescribe, pgx.QueryExecModeDescribeExec, pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol,
	} {
		t.Run(mode.String(), func(t *testing.T) {
			console := dial(ctx, t, s.url("watcher", "pgbouncer", ""))
			if err := console.Ping(ctx); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time by the statement that the first one prepared
				s.look(ctx, t, console, mode, pid)
			}
		})
	}
	t.Run("psql", func(t *testing.T) { s.lookByPsql(ctx, t) })
}

func (s *served) look(ctx context.Context, t *testing.T, console *pgx.Conn, mode pgx.QueryExecMode, pid int64) {
	t.Helper()
	one := func(sql string) map[string]any {
		t.Helper()
		rows, err := console.Query(ctx, sql, mode)
		if err != nil {
			t.Fatal(err)
		}
		all, err := pgx.CollectRows(rows, pgx.RowToMap)
		all = slices.DeleteFunc(all, func(row map[string]any) bool { return row["database"] == "pgbouncer" })
		if err != nil || len(all) != 1 {
			t.Fatalf("%s: %v, %v", sql, all, err)
		}
		return all[0]
	}
	expect := func(row map[string]any, want map[string]any) {
		t.Helper()
		for name, v := range want {
			if row[name] != v {
				t.Errorf("%s is %v (%T), want %v", name, row[name], row[name], v)
			}
		}
	}
	expect(one("SHOW POOLS"), map[string]any{
		"database": "shop", "user": "postgres", "cl_active": int32(1), "cl_waiting": int32(0), "sv_active": int32(1), "pool_mode": "transaction", "load_balance_hosts": nil,
	})
	server := one("SHOW SERVERS")
	expect(server, map[string]any{
		"type": "S", "state": "active", "remote_pid": int32(pid), "port": int32(s.cluster.Port()), "addr": s.cluster.Host(), "application_name": "till",
	})
	expect(one("SHOW CLIENTS"), map[string]any{
		"type": "C", "user": "ann", "database": "shop", "state": "active", "link": server["ptr"], "ptr": server["link"], "application_name": "till", "pinned": nil,
	})
	expect(one("SHOW STATS"), map[string]any{"database": "shop"})
	if _, err := console.Exec(ctx, "RELOAD", mode); err == nil || !strings.Contains(err.Error(), "admin access needed") || s.reloads != 0 {
		t.Errorf("a stats user's RELOAD: %v, %d reloads", err, s.reloads)
	}
}

func (s *served) lookByPsql(ctx context.Context, t *testing.T) {
	psql := filepath.Join(s.cluster.BinDir(), "psql")
	for _, test := range []struct {
		sql  string
		want []string // in the output
	}{
		{"SHOW POOLS", []string{"database", "|", "shop", "(2 rows)"}},
		{"SHOW STATE", []string{"active    | yes", "(3 rows)"}},
		{"SHOW HELP", []string{"NOTICE:  Console usage", "SHOW HELP|CONFIG|DATABASES|POOLS|", "SHUTDOWN WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS", "SHOW\n"}},
		{"RELOAD", []string{"RELOAD\n"}},
		{"FROB", []string{"ERROR:  invalid command 'FROB', use SHOW HELP;"}},
	} {
		out, err := exec.CommandContext(ctx, psql, "-X", "-d", s.url("root", "poolerd", ""), "-c", test.sql).CombinedOutput()
		if (err != nil) != strings.HasPrefix(test.want[0], "ERROR") {
			t.Errorf("%s: %v", test.sql, err)
		}
		for _, part := range test.want {
			if !strings.Contains(string(out), part) {
				t.Errorf("%s gives\n%swithout %q", test.sql, out, part)
			}
		}
	}
	if s.reloads != 1 {
		t.Errorf("%d reloads", s.reloads)
	}
}
