package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func psqlDriver(t *testing.T) driver {
	path := program(t, "psql")
	connect := func(ctx context.Context, at place, settings map[string]string) (session, error) {
		return openPsql(ctx, path, at, settings)
	}
	return driver{name: "psql", show: goDriver(connect, nil, psqlBehaviours(path))}
}

// psqlSession is a psql that reads its commands from a pipe. After each it is
// made to print the SQLSTATE, which ends the reply.
type psqlSession struct {
	cmd      *exec.Cmd
	wait     func() error
	stdin    io.WriteCloser
	lines    chan string // of standard output; closed at its end
	errors   *messages
	heard    []notification
	prepared map[string]string // names by text
}

// messages is what a psql has written to standard error.
type messages struct {
	mu   sync.Mutex
	text strings.Builder
}

func (m *messages) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.Write(p)
}

func (m *messages) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.text.String()
}

const (
	psqlField = "\x1f"           // between columns
	psqlEnd   = "the reply ends" // before the SQLSTATE
)

func openPsql(ctx context.Context, path string, at place, settings map[string]string) (*psqlSession, error) {
	cmd := exec.Command(path, "-X", "-q", "-A", "-t", "-F", psqlField, "-P", "null=NULL", "-h", at.host, "-p", strconv.Itoa(at.port), "-U", at.user, "-d", at.database)
	var options strings.Builder
	for name, value := range settings {
		fmt.Fprintf(&options, "-c %s=%s ", name, value)
	}
	cmd.Env = append(os.Environ(), "LC_ALL=C", "PGSSLMODE="+driverSSLMode(), "PGCONNECT_TIMEOUT=10", "PGOPTIONS="+options.String(), "PGTZ=UTC")
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	endWithTests(cmd.SysProcAttr)
	p := &psqlSession{cmd: cmd, lines: make(chan string), errors: new(messages), prepared: make(map[string]string)}
	p.wait = sync.OnceValue(cmd.Wait)
	cmd.Stderr = p.errors
	var err error
	if p.stdin, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.lines)
		reader := bufio.NewReader(stdout)
		for {
			line, err := reader.ReadString('\n')
			if err != nil {
				return
			}
			p.lines <- strings.TrimSuffix(line, "\n")
		}
	}()
	if _, err := p.send(ctx, ""); err != nil { // it is connected
		_ = p.close(ctx)
		return nil, err
	}
	return p, nil
}

var psqlNotification = regexp.MustCompile(`^Asynchronous notification "(.*?)" (?:with payload "(.*)" )?received from server process with PID \d+\.$`)

// send runs commands, and returns the lines of their output that tell of no
// notification.
func (p *psqlSession) send(ctx context.Context, commands string) (rows []string, err error) {
	// written aside: psql may stop reading until its output is read
	written := make(chan error, 1)
	go func() {
		_, err := io.WriteString(p.stdin, commands+"\n\\echo "+psqlEnd+" :SQLSTATE :LAST_ERROR_MESSAGE\n")
		written <- err
	}()
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case line, ok := <-p.lines:
			if !ok {
				_ = p.wait() // for all of its messages
				return rows, fmt.Errorf("psql has ended: %s", p.errors)
			}
			if m := psqlNotification.FindStringSubmatch(line); m != nil {
				p.heard = append(p.heard, notification{m[1], m[2]})
				continue
			}
			rest, ends := strings.CutPrefix(line, psqlEnd+" ")
			if !ends {
				rows = append(rows, line)
				continue
			}
			if err := <-written; err != nil {
				return nil, err
			}
			state, message, _ := strings.Cut(rest, " ")
			if state != "00000" && state != ":SQLSTATE" && commands != "" { // before the first statement there is none
				return rows, &pgconn.PgError{Severity: "ERROR", Code: state, Message: message}
			}
			return rows, nil
		}
	}
}

func (p *psqlSession) run(ctx context.Context, s statement) ([]string, error) {
	sql := s.sql
	quoted := make([]string, len(s.params))
	for i, value := range s.params {
		quoted[i] = "'" + strings.ReplaceAll(value, "'", "''") + "'"
	}
	switch {
	case s.how == several:
		sql = strings.ReplaceAll(sql, "; ", ` \; `)
	case s.how == prepared:
		name, ok := p.prepared[sql]
		if !ok {
			name = fmt.Sprintf("s%d", len(p.prepared))
			if _, err := p.send(ctx, "PREPARE "+name+" AS "+sql+";"); err != nil {
				return nil, err
			}
			p.prepared[sql] = name
		}
		sql = "EXECUTE " + name
		if len(quoted) > 0 {
			sql += "(" + strings.Join(quoted, ", ") + ")"
		}
	default:
		for i, value := range quoted {
			sql = strings.ReplaceAll(sql, fmt.Sprintf("$%d", i+1), value)
		}
	}
	rows, err := p.send(ctx, sql+";")
	if err != nil || s.how == several {
		return nil, err
	}
	for i, row := range rows {
		rows[i], _, _ = strings.Cut(row, psqlField)
	}
	return rows, nil
}

// notification makes psql look: it does after each query.
func (p *psqlSession) notification(ctx context.Context, wait time.Duration) (*notification, error) {
	turn := time.NewTicker(10 * time.Millisecond)
	defer turn.Stop()
	for begin := time.Now(); len(p.heard) == 0; <-turn.C {
		if time.Since(begin) >= wait {
			return nil, nil
		}
		if _, err := p.send(ctx, "SELECT 1;"); err != nil {
			return nil, err
		}
	}
	n := p.heard[0]
	p.heard = p.heard[1:]
	return &n, nil
}

func (p *psqlSession) close(ctx context.Context) error {
	_, _ = io.WriteString(p.stdin, "\\q\n")
	_ = p.stdin.Close()
	stop := context.AfterFunc(ctx, func() { _ = p.cmd.Process.Kill() })
	defer stop()
	for range p.lines { // to the end
	}
	err := p.wait()
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("psql: %w: %s", err, p.errors)
	}
	return err
}
