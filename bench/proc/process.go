package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

const readyLimit = 10 * time.Second // for a pooler to answer its first query

// StopLimit is how long a process has to end after its signal, before it is killed.
const StopLimit = 5 * time.Second

// Process is a pooler that this program has started. Its methods may be called from several goroutines.
type Process struct {
	name   string
	cmd    *exec.Cmd
	output *tail
	ended  chan struct{} // closed once the process is gone and reaped
	quit   syscall.Signal
}

// Start starts cmd; quit is the signal that ends it without waiting for
// its clients. The process is killed when this program dies.
func Start(name string, cmd *exec.Cmd, quit syscall.Signal) (*Process, error) {
	p := &Process{name: name, cmd: cmd, output: &tail{}, ended: make(chan struct{}), quit: quit}
	cmd.Stdout, cmd.Stderr = p.output, p.output
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	cmd.SysProcAttr.Setpgid = true // a terminal's Ctrl-C is for this program, which then ends the process itself
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		// How it ended does not matter: whoever needs it alive sees ended.
		_ = cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// PID is its process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Died returns an error with the process's last words if it is gone.
func (p *Process) Died() error {
	select {
	case <-p.ended:
		return fmt.Errorf("%s ended (%s): %s", p.name, p.cmd.ProcessState, p.output)
	default:
		return nil
	}
}

// Stop ends the process, by force when it does not go by itself.
func (p *Process) Stop() {
	// An error here means that it is gone already, which ended tells.
	_ = p.cmd.Process.Signal(p.quit)
	select {
	case <-p.ended:
		return
	case <-time.After(StopLimit):
	}
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// WaitReady waits until a query goes through the pooler.
func (p *Process) WaitReady(ctx context.Context, connString string) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		err := selectOne(ctx, connString)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return p.Died()
		case <-ctx.Done():
			return fmt.Errorf("%s answered no query within %v: %w; it said: %s", p.name, readyLimit, err, p.output)
		case <-retry.C:
		}
	}
}

// selectOne runs one query over a connection of its own.
func selectOne(ctx context.Context, connString string) error {
	conn, err := pgconn.Connect(ctx, connString)
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "select 1").ReadAll()
	return errors.Join(err, conn.Close(ctx))
}

// tail keeps the last bytes that a process printed.
type tail struct {
	mu   sync.Mutex
	last []byte
}

const tailSize = 2048

// Write implements io.Writer; it never fails.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, b...)
	if len(t.last) > tailSize {
		t.last = bytes.Clone(t.last[len(t.last)-tailSize:])
	}
	return len(b), nil
}

// String returns the kept bytes, or a word for none.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.last) == 0 {
		return "(nothing)"
	}
	return strings.TrimSpace(string(t.last))
}

// FreePort returns a TCP port of the loopback interface that was free a moment
// ago.
func FreePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	return port, nil
}

// Unprivileged returns the identity that a server which refuses to run as root
// shall get: nil when this program is not root itself, else that of user
// postgres, or nobody where there is none.
func Unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		if account, err = user.Lookup("nobody"); err != nil {
			return nil, fmt.Errorf("running as root, and there is neither a user postgres nor nobody: %w", err)
		}
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", account.Username, err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user %s: %w", account.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}
