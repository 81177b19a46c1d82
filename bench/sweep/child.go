package sweep

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/bench/proc"
)

// startPoolerd starts a poolerd of our own with a pool of so many servers before PostgreSQL, and waits until a query goes through.
func startPoolerd(ctx context.Context, o *Options, upstream string, size int) (*subject, error) {
	port, err := proc.FreePort()
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(upstream)
	if err != nil {
		return nil, fmt.Errorf("the upstream's URL: %w", withoutPassword(err))
	}
	user := u.User.Username()
	args := []string{
		"serve",
		"--listen", "127.0.0.1:" + strconv.Itoa(port),
		"--pool-size", strconv.Itoa(size),
		"--pool-mode", "transaction",
		"--max-client-conn", strconv.Itoa(slices.Max(o.Clients)*(1+o.listeners()) + 20),
		"--admin-users", user,
		"--log-level", "warn",
	}
	if _, secret := u.User.Password(); !secret {
		args = append(args, "--auth-type", "trust") // nobody is kept out where PostgreSQL itself asks nothing
	}
	cmd := exec.Command(o.Poolerd, append(args, o.Args...)...)
	cmd.Env = append(childEnvironment(), "POOLERD_UPSTREAM="+upstream) // not an argument: those can be read by everyone on the machine
	name := fmt.Sprintf("poolerd with pool size %d", size)
	process, err := proc.Start(name, cmd, syscall.SIGINT)
	if err != nil {
		return nil, err
	}
	own := *u
	own.Host = "127.0.0.1:" + strconv.Itoa(port)
	own.RawQuery = "sslmode=disable"
	s := &subject{name: "poolerd", poolSize: size, url: own.String(), console: true, process: process, pooler: process.PID()}
	if err := process.WaitReady(ctx, s.url); err != nil {
		process.Stop()
		return nil, err
	}
	return s, nil
}

// childEnvironment is ours without the settings of libpq and of poolerd that would reach the child.
func childEnvironment() []string {
	var env []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "PG") && !strings.HasPrefix(v, "POOLERD_") && !strings.HasPrefix(v, "DATABASE_URL=") {
			env = append(env, v)
		}
	}
	return env
}

func (o *Options) listeners() int {
	if o.Workload == nil {
		return 0
	}
	return o.Workload.Listeners
}

// address is where PostgreSQL listens, as package net dials it; a folder is that of a Unix socket.
func address(config *pgconn.Config) string {
	port := strconv.Itoa(int(config.Port))
	if strings.HasPrefix(config.Host, "/") {
		return path.Join(config.Host, ".s.PGSQL."+port)
	}
	return net.JoinHostPort(config.Host, port)
}
