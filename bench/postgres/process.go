package postgres

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a postmaster that this program started.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended and was reaped
}

// startProcess starts cmd and reaps it when it ends.
func startProcess(cmd *exec.Cmd) (*process, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		defer close(p.done)
		_ = cmd.Wait() // how it ended is in its log
	}()
	return p, nil
}

func (p *process) gone() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// signal sends sig; to a process that has ended it does nothing.
func (p *process) signal(sig os.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("signal %v to PostgreSQL, pid %d: %w", sig, p.cmd.Process.Pid, err)
	}
	return nil
}

func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// end shuts the postmaster down, ever harder: fast, immediate, kill.
func (p *process) end(ctx context.Context) error {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGQUIT, syscall.SIGKILL} {
		if err := p.signal(sig); err != nil {
			return err
		}
		step, cancel := context.WithTimeout(ctx, patience)
		err := p.wait(step)
		cancel()
		if err == nil {
			return nil
		}
		// What was asked for in time was not done in time. The harder ways
		// get their own time: leaving a server behind helps nobody.
		ctx = context.WithoutCancel(ctx)
	}
	return fmt.Errorf("PostgreSQL, pid %d, did not end within %s of being killed", p.cmd.Process.Pid, patience)
}

// launchOnPort launches the new cluster on the port asked for, or on free ones
// until one was not taken by somebody else in the meantime.
func (c *Cluster) launchOnPort(ctx context.Context) error {
	const tries = 5
	for try := 1; ; try++ {
		c.port = c.opts.Port
		if c.port == 0 {
			port, err := freePort()
			if err != nil {
				return err
			}
			c.port = port
		}
		err := c.launch(ctx)
		if err == nil || c.opts.Port != 0 || try == tries || ctx.Err() != nil || !portTaken(c.port) {
			return err
		}
	}
}

// launch starts the postmaster and waits until it accepts connections.
func (c *Cluster) launch(ctx context.Context) error {
	log, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the postmaster has its own

	// The port is no line of postgresql.conf, so that another try needs no edit.
	cmd := exec.Command(filepath.Join(c.binDir, "postgres"), "-D", c.dataDir(), "-p", strconv.Itoa(c.port))
	cmd.Dir = c.dir
	cmd.Env = serverEnvironment()
	cmd.Stdout, cmd.Stderr = log, log
	c.account.dress(cmd)
	p, err := startProcess(cmd)
	if err != nil {
		return fmt.Errorf("starting PostgreSQL: %w", err)
	}
	if err := c.awaitReady(ctx, p); err != nil {
		err = c.explain(err)
		return errors.Join(err, p.end(context.WithoutCancel(ctx)))
	}
	c.server = p
	return nil
}

// awaitReady waits until the postmaster says in postmaster.pid that it accepts
// connections, as pg_ctl does. That costs no connection and no line in the log.
func (c *Cluster) awaitReady(ctx context.Context, p *process) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if c.ready(p.cmd.Process.Pid) {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("PostgreSQL did not start on port %d (%s)", c.port, p.cmd.ProcessState)
		case <-ctx.Done():
			return fmt.Errorf("waiting for PostgreSQL to accept connections: %w", context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// ready reads postmaster.pid: the first line is the pid, the eighth the state
// (PostgreSQL's sources call them LOCK_FILE_LINE_PID and _PM_STATUS).
func (c *Cluster) ready(pid int) bool {
	text, err := os.ReadFile(filepath.Join(c.dataDir(), "postmaster.pid"))
	if err != nil {
		return false
	}
	lines := strings.Split(string(text), "\n")
	return len(lines) >= 8 && lines[0] == strconv.Itoa(pid) && strings.TrimSpace(lines[7]) == "ready"
}

// serverEnvironment is this process's environment without what would steer
// the server or libpq elsewhere (PGDATA, PGPORT, PGOPTIONS, ...), and in one
// language, whatever the caller's.
func serverEnvironment() []string {
	var env []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "PG") && !strings.HasPrefix(entry, "LC_") && !strings.HasPrefix(entry, "LANG") {
			env = append(env, entry)
		}
	}
	return append(env, "LC_ALL=C")
}
