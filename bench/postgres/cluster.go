package postgres

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// host is the only address that a cluster listens on, besides the socket in
// its own folder.
const host = "127.0.0.1"

// superuser is the role that initdb makes.
const superuser = "postgres"

// sampleDatabase is the database that holds the Fountain Array sample.
const sampleDatabase = "fountain"

// Options say what cluster Start makes. The zero value is an empty one on a
// free port, trusting everybody on this machine.
type Options struct {
	// Log receives one line, without a line feed, for each step that a person
	// may wait for: what is being installed, started, loaded. Nil is silent.
	Log func(format string, args ...any)

	// Sample loads the Fountain Array (configs.FountainSQL) into a database
	// named "fountain".
	Sample bool

	// Scale is the sample's size; 0 means 1. Scale 1 is 20 playwrights, 60
	// scripts, 300 characters, 480 scenes and 4,800 lines of dialogue; every
	// count grows in proportion.
	Scale int

	// Without names what the sample is loaded without: WithoutIndex,
	// WithoutPartitions. It is for showing what they are worth.
	Without []string

	// Settings are further lines of postgresql.conf; they win over the
	// package's own. Values need no quotes.
	Settings map[string]string

	// Port to listen on; 0 means a free one.
	Port int

	// Auth is the method in pg_hba.conf for every connection: "trust" (what
	// "" means) or "scram-sha-256". With the latter a role's password is its
	// name: "postgres" for postgres, "authenticator" for authenticator.
	Auth string
}

// Cluster is one running (or, after Halt, resting) PostgreSQL. Its methods may
// be called from several goroutines; those that start and stop it take turns.
type Cluster struct {
	opts    Options
	binDir  string
	dir     string
	port    int
	account account
	watcher *watcher

	// turn holds one token: who has it may change what follows.
	turn    chan struct{}
	server  *process // nil while halted
	stopped bool

	life    context.Context // ends when Stop is called
	endLife context.CancelCauseFunc
}

// errStopped is the answer of a cluster whose folder is gone.
var errStopped = errors.New("the cluster was stopped and removed; start a new one")

// Start makes a cluster and returns once it accepts connections and, with
// Sample, holds the data. ctx bounds the starting only: the cluster lives
// until Stop, or until this process ends. On an error nothing is left behind,
// and the error ends with the last lines of the server's log.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	binDir, err := Find(ctx)
	if errors.Is(err, ErrNoBinaries) {
		binDir, err = Install(ctx, o.Log)
	}
	if err != nil {
		return nil, err
	}
	return start(ctx, binDir, o)
}

// start is Start once the binaries are known.
func start(ctx context.Context, binDir string, o Options) (_ *Cluster, err error) {
	who, err := serverAccount()
	if err != nil {
		return nil, err
	}
	dir, err := makeFolder(who)
	if err != nil {
		return nil, err
	}
	guard, err := startWatcher(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	c := &Cluster{
		opts: o, binDir: binDir, dir: dir, account: who, watcher: guard,
		turn: make(chan struct{}, 1),
	}
	c.life, c.endLife = context.WithCancelCause(context.Background())
	c.turn <- struct{}{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Stop(context.WithoutCancel(ctx)))
		}
	}()

	o.Log("making a private PostgreSQL in %s with the binaries in %s", dir, binDir)
	if err := c.initdb(ctx); err != nil {
		return nil, err
	}
	if err := c.launchOnPort(ctx); err != nil {
		return nil, err
	}
	if o.Sample {
		o.Log("loading the Fountain Array sample, scale %d", o.Scale)
		if err := c.loadSample(ctx); err != nil {
			return nil, err
		}
	}
	o.Log("PostgreSQL is ready on %s:%d", host, c.port)
	return c, nil
}

// complete puts the defaults in and refuses what cannot be.
func (o *Options) complete() error {
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	if o.Scale == 0 {
		o.Scale = 1
	}
	if o.Scale < 1 || o.Scale > maxScale {
		return fmt.Errorf("sample scale %d: must be from 1 to %d", o.Scale, maxScale)
	}
	if o.Port < 0 || o.Port > 65535 {
		return fmt.Errorf("port %d: must be from 1 to 65535, or 0 for a free one", o.Port)
	}
	switch o.Auth {
	case "":
		o.Auth = "trust"
	case "trust", "scram-sha-256":
	default:
		return fmt.Errorf(`auth %q: must be "trust" or "scram-sha-256"`, o.Auth)
	}
	if err := o.checkWithout(); err != nil {
		return err
	}
	return checkSettings(o.Settings)
}

// Host is the address that the cluster listens on: 127.0.0.1.
func (c *Cluster) Host() string { return host }

// Port is the TCP port, the same one for the cluster's whole life.
func (c *Cluster) Port() int { return c.port }

// Dir is the cluster's folder: data/ is the data directory, socket/ holds the
// unix socket, postgres.log is the server's log. Stop removes it.
func (c *Cluster) Dir() string { return c.dir }

// BinDir is the folder of the server's binaries. Where PostgreSQL was
// installed by a distribution, pgbench, psql and pg_basebackup are there too.
func (c *Cluster) BinDir() string { return c.binDir }

// Major is the server's major version: 15 of 15.2.
func (c *Cluster) Major() (int, error) {
	text, err := os.ReadFile(filepath.Join(c.dataDir(), "PG_VERSION"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// URL is the connection string for a role and a database; with scram-sha-256
// it holds the role's password. It asks for no TLS, since the cluster has none.
func (c *Cluster) URL(user, database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.User(user),
		Host:     fmt.Sprintf("%s:%d", host, c.port),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	if c.opts.Auth != "trust" {
		u.User = url.UserPassword(user, user)
	}
	return u.String()
}

func (c *Cluster) dataDir() string   { return filepath.Join(c.dir, "data") }
func (c *Cluster) socketDir() string { return filepath.Join(c.dir, "socket") }
func (c *Cluster) logFile() string   { return filepath.Join(c.dir, "postgres.log") }
