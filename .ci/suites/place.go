package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"poolerd/bench/postgres"
	"poolerd/bench/proc"
)

// place is a new cluster, and with it a pooler unless the mode is direct.
type place struct {
	cluster *postgres.Cluster
	pooler  *proc.Process // nil in mode direct
	dir     string        // of this run's own files; the server's user may write there
	log     string        // the pooler's
	host    string        // where the tests connect to
	port    int
	who     *syscall.Credential // the server's user, for those who share files with it; nil is this process's
}

// open makes a place. The settings are those that pg_regress gives its own servers (or that pgx's tests ask for), as far as they are not defaults.
func (b *bed) open(ctx context.Context, mode string) (_ *place, err error) {
	p := &place{}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.close(ctx, ""))
		}
	}()
	p.cluster, err = postgres.Start(ctx, postgres.Options{Settings: map[string]string{
		"max_prepared_transactions": "20",
		"wal_level":                 "logical",
	}})
	if err != nil {
		return nil, err
	}
	if p.who, err = proc.Unprivileged(); err != nil {
		return nil, err
	}
	// Beside the cluster's folder: its user can get there, and the server can read it.
	if p.dir, err = os.MkdirTemp(filepath.Dir(p.cluster.Dir()), "poolerd-suites-*"); err != nil {
		return nil, err
	}
	if err := p.own(p.dir); err != nil {
		return nil, err
	}
	p.host, p.port = p.cluster.Host(), p.cluster.Port()
	if mode == direct {
		return p, nil
	}
	return p, p.startPooler(ctx, b, mode)
}

// startPooler puts poolerd before the cluster: every database and every user, known by their names alone.
func (p *place) startPooler(ctx context.Context, b *bed, mode string) error {
	port, err := proc.FreePort()
	if err != nil {
		return err
	}
	ini := fmt.Sprintf("[databases]\n* = host=%s port=%d\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = %d\nauth_type = trust\npool_mode = %s\n"+
		"default_pool_size = %d\nmax_client_conn = 1000\nquery_wait_timeout = 30\nadmin_users = postgres\n%s\n",
		p.host, p.port, port, mode, b.poolSize, b.settings)
	config := filepath.Join(p.dir, "poolerd.ini")
	if err := os.WriteFile(config, []byte(ini), 0o644); err != nil {
		return err
	}
	// proc keeps the last lines only: the log goes through a shell to a file.
	p.log = filepath.Join(p.dir, "poolerd.log")
	cmd := exec.Command("sh", "-c", `exec "$0" serve --config "$1" >"$2" 2>&1`, b.poolerd, config, p.log)
	cmd.Env = append(environment(), "GOTRACEBACK=all")
	if p.pooler, err = proc.Start("poolerd", cmd, syscall.SIGINT); err != nil {
		return err
	}
	p.port = port
	return p.pooler.WaitReady(ctx, p.conninfo("postgres", "postgres"))
}

// conninfo is libpq's connection string.
func (p *place) conninfo(user, database string) string {
	return fmt.Sprintf("host=%s port=%d user=%s dbname=%s sslmode=disable", p.host, p.port, user, database)
}

// close ends both and keeps their logs in keep, unless that is "". It says so when the pooler was gone before.
func (p *place) close(ctx context.Context, keep string) error {
	var errs []error
	if p.pooler != nil {
		if p.pooler.Died() != nil {
			errs = append(errs, fmt.Errorf("poolerd ended by itself: see poolerd.log in %s", keep))
		}
		p.pooler.Stop()
	}
	if keep != "" && p.log != "" {
		errs = append(errs, copyFile(p.log, filepath.Join(keep, "poolerd.log")))
	}
	if p.cluster != nil {
		if keep != "" {
			errs = append(errs, copyFile(filepath.Join(p.cluster.Dir(), "postgres.log"), filepath.Join(keep, "postgres.log")))
		}
		errs = append(errs, p.cluster.Stop(context.WithoutCancel(ctx)))
	}
	if p.dir != "" {
		errs = append(errs, os.RemoveAll(p.dir))
	}
	return errors.Join(errs...)
}

// own hands a file or folder to the server's user.
func (p *place) own(path string) error {
	if p.who == nil {
		return nil
	}
	return os.Chown(path, int(p.who.Uid), int(p.who.Gid))
}

// environment is this process's, without what would steer libpq, psql or pgx elsewhere, and in one language.
func environment() []string {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "PG") && !strings.HasPrefix(entry, "LC_") && !strings.HasPrefix(entry, "LANG") {
			env = append(env, entry)
		}
	}
	return append(env, "LC_ALL=C")
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, info.Mode().Perm()|0o444)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// command runs a program to its end; what it printed is part of the error, and all of it is in log.
func command(ctx context.Context, log, dir string, env []string, name string, args ...string) error {
	out, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = dir, env
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w; see %s", name, strings.Join(args, " "), err, log)
	}
	return nil
}
