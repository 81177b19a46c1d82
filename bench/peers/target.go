package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"poolerd/bench/postgres"
)

// target is the private PostgreSQL that all peers stand before, with
// pgbench's tables and the sample in one database.
type target struct {
	cluster        *postgres.Cluster
	host           string
	port           int
	user, password string
	database       string
	pgbench        string // path of the program
	script         string // path of the PostgREST-like script
}

const (
	targetUser     = "postgres"
	targetDatabase = "fountain"
)

// url is the address of the database at a host and port: the target's own, or
// a pooler's before it.
func (t *target) url(host string, port int) string {
	return connURL(host, port, t.user, t.password, t.database)
}

// startTarget starts PostgreSQL and fills it. The script goes to dir. The
// caller stops the target.
func startTarget(ctx context.Context, o options, dir string, log func(string, ...any)) (_ *target, err error) {
	cluster, err := postgres.Start(ctx, postgres.Options{
		Sample: true, Log: log,
		Settings: map[string]string{
			"max_connections": strconv.Itoa(o.serverConnections()),
			"shared_buffers":  "256MB",
			// Nothing shall happen in some rounds and not in others.
			"autovacuum":         "off",
			"checkpoint_timeout": "1h",
			"max_wal_size":       "8GB",
			"synchronous_commit": "off",
			"jit":                "off",
		},
	})
	if err != nil {
		return nil, err
	}
	t := &target{
		cluster: cluster, host: cluster.Host(), port: cluster.Port(),
		user: targetUser, database: targetDatabase,
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.stop(ctx))
		}
	}()
	if t.pgbench, err = findPgbench(cluster.BinDir()); err != nil {
		return nil, err
	}
	if err := t.initialize(ctx, o.scale); err != nil {
		return nil, err
	}
	if err := t.writeScript(ctx, dir); err != nil {
		return nil, err
	}
	return t, nil
}

// stop ends PostgreSQL and removes its data, also when ctx is done already.
func (t *target) stop(ctx context.Context) error {
	return t.cluster.Stop(context.WithoutCancel(ctx))
}

// initialize makes pgbench's tables.
func (t *target) initialize(ctx context.Context, scale int) error {
	cmd := exec.CommandContext(ctx, t.pgbench, "--initialize", "--quiet", "--scale="+strconv.Itoa(scale),
		"--host="+t.host, "--port="+strconv.Itoa(t.port), "--username="+t.user, t.database)
	cmd.Env = cleanEnvironment(t.password)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("pgbench --initialize: %w: %s", err, strings.TrimSpace(string(out)))
	}
	return nil
}

// writeScript writes the PostgREST-like script for the sample's size.
func (t *target) writeScript(ctx context.Context, dir string) error {
	out, err := t.cluster.Psql(ctx, t.database, "SELECT max(id) FROM api.playwright")
	if err != nil {
		return fmt.Errorf("size of the sample: %w", err)
	}
	last, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		return fmt.Errorf("size of the sample: max(id) of api.playwright is %q: %w", out, err)
	}
	t.script = filepath.Join(dir, "postgrest.sql")
	return os.WriteFile(t.script, []byte(postgrestScript(last)), 0o644)
}

// findPgbench returns the pgbench that came with the server, else the one on
// the PATH.
func findPgbench(binDir string) (string, error) {
	if own := filepath.Join(binDir, "pgbench"); isProgram(own) {
		return own, nil
	}
	path, err := exec.LookPath("pgbench")
	if err != nil {
		return "", fmt.Errorf("pgbench is neither in %s nor on the PATH: install PostgreSQL's client programs (Debian: postgresql-contrib)", binDir)
	}
	return path, nil
}

func isProgram(path string) bool {
	_, err := exec.LookPath(path)
	return err == nil
}
