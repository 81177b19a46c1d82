package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"

	"poolerd/bench/proc"
)

// pooler is what a peer looks like to the measurement.
type pooler interface {
	name() string
	start(context.Context, setup) (*endpoint, error)
}

// setup is what every pooler of a cell is started with.
type setup struct {
	target     *target
	prepared   bool // named statements will be used
	poolSize   int
	maxClients int
}

// endpoint is a peer that runs. Its process is nil for PostgreSQL itself.
type endpoint struct {
	host    string
	port    int
	process *proc.Process
}

// stop ends the pooler; PostgreSQL itself is left alone.
func (e *endpoint) stop() {
	if e.process != nil {
		e.process.Stop()
	}
}

// died returns an error if the pooler's process is gone.
func (e *endpoint) died() error {
	if e.process == nil {
		return nil
	}
	return e.process.Died()
}

// direct is PostgreSQL without a pooler.
type direct struct{}

func (direct) name() string { return "direct" }

func (direct) start(_ context.Context, s setup) (*endpoint, error) {
	return &endpoint{host: s.target.host, port: s.target.port}, nil
}

// poolerd is a binary of this project.
type poolerd struct {
	label string
	path  string
	args  []string // beyond those that every run needs
}

func (p poolerd) name() string { return p.label }

func (p poolerd) start(ctx context.Context, s setup) (*endpoint, error) {
	port, err := proc.FreePort()
	if err != nil {
		return nil, err
	}
	args := []string{
		"serve",
		"--listen", "127.0.0.1:" + strconv.Itoa(port),
		"--upstream", s.target.url(s.target.host, s.target.port),
		"--pool-size", strconv.Itoa(s.poolSize),
		"--pool-mode", "transaction",
		"--auth-type", "trust",
		"--max-client-conn", strconv.Itoa(s.maxClients),
		"--log-level", "warn",
	}
	process, err := proc.Start(p.label, exec.Command(p.path, append(args, p.args...)...), syscall.SIGINT)
	if err != nil {
		return nil, err
	}
	return ready(ctx, s, port, process)
}

// ready waits for a pooler that has just been started, and stops it when it
// does not come up.
func ready(ctx context.Context, s setup, port int, process *proc.Process) (*endpoint, error) {
	e := &endpoint{host: "127.0.0.1", port: port, process: process}
	if err := process.WaitReady(ctx, s.target.url(e.host, e.port)); err != nil {
		process.Stop()
		return nil, err
	}
	return e, nil
}

// checkPoolerd returns an error that names the way out if path is no program.
func checkPoolerd(flag, path string) error {
	if _, err := exec.LookPath(path); err != nil {
		return fmt.Errorf("%s %s: %w: build it with make build, or name another binary", flag, path, err)
	}
	return nil
}

// cleanEnvironment is this program's environment without the variables that
// libpq would take over, and with encryption off: what is measured is the relay.
func cleanEnvironment(password string) []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PG") {
			env = append(env, v)
		}
	}
	env = append(env, "PGSSLMODE=disable", "PGGSSENCMODE=disable")
	if password != "" {
		env = append(env, "PGPASSWORD="+password)
	}
	return env
}

// connURL writes a postgres:// address without encryption.
func connURL(host string, port int, user, password, database string) string {
	u := url.URL{
		Scheme:   "postgres",
		Host:     host + ":" + strconv.Itoa(port),
		Path:     "/" + database,
		User:     url.User(user),
		RawQuery: "sslmode=disable",
	}
	if password != "" {
		u.User = url.UserPassword(user, password)
	}
	return u.String()
}
