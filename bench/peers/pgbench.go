package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// progress is one line that pgbench prints each second: what happened since the
// line before it.
type progress struct {
	at      time.Time     // pgbench's clock when it counted, to the millisecond
	tps     float64       // transactions a second that succeeded
	latency time.Duration // mean of the transactions
}

var progressLine = regexp.MustCompile(`^progress: (\d+)\.(\d{3}) s, ([0-9.]+) tps, lat (\S+) ms`)

// parseProgress reads a line of pgbench --progress --progress-timestamp. It
// reports false for any other line.
func parseProgress(line string) (progress, bool) {
	m := progressLine.FindStringSubmatch(line)
	if m == nil {
		return progress{}, false
	}
	seconds, err1 := strconv.ParseInt(m[1], 10, 64)
	milliseconds, err2 := strconv.ParseInt(m[2], 10, 64)
	tps, err3 := strconv.ParseFloat(m[3], 64)
	if errors.Join(err1, err2, err3) != nil {
		return progress{}, false
	}
	p := progress{at: time.UnixMilli(seconds*1000 + milliseconds), tps: tps}
	// A second without a transaction has no mean latency: pgbench prints "-nan".
	if latency, err := strconv.ParseFloat(m[4], 64); err == nil && tps > 0 {
		p.latency = time.Duration(latency * float64(time.Millisecond))
	}
	return p, true
}

// summary is what pgbench says at its end.
type summary struct {
	processed int64 // transactions that succeeded, warm-up included
	failed    int64 // transactions that failed
}

var (
	processedLine = regexp.MustCompile(`(?m)^number of transactions actually processed: (\d+)`)
	failedLine    = regexp.MustCompile(`(?m)^number of failed transactions: (\d+)`)
)

// parseSummary reads pgbench's report. Versions before 15 print no line about
// failed transactions: a failure there aborts the client, which is an error line.
func parseSummary(report string) (summary, error) {
	m := processedLine.FindStringSubmatch(report)
	if m == nil {
		return summary{}, fmt.Errorf("pgbench's report of %d bytes has no number of transactions", len(report))
	}
	var s summary
	var err error
	if s.processed, err = strconv.ParseInt(m[1], 10, 64); err != nil {
		return summary{}, fmt.Errorf("pgbench's report: %w", err)
	}
	if m = failedLine.FindStringSubmatch(report); m != nil {
		if s.failed, err = strconv.ParseInt(m[1], 10, 64); err != nil {
			return summary{}, fmt.Errorf("pgbench's report: %w", err)
		}
	}
	return s, nil
}

// pgbench is one run of the program.
type pgbench struct {
	path string
	args []string
	env  []string
	// limit ends a run that hangs.
	limit time.Duration
	// onProgress is called for each progress line as it arrives; when it
	// returns true the run is ended in good order.
	onProgress func(progress) (enough bool)
}

// loadRun is what a run of pgbench left behind.
type loadRun struct {
	summary summary
	// trouble holds what pgbench printed beside its progress: errors of the
	// server, lost connections, clients that gave up. At most maxTrouble lines.
	trouble []string
	// troubles counts all such lines.
	troubles int
}

const maxTrouble = 5

// run runs pgbench to its end. The loadRun is valid also beside an error.
func (b pgbench) run(ctx context.Context) (loadRun, error) {
	ctx, cancel := context.WithTimeout(ctx, b.limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.path, b.args...)
	cmd.Env = b.env
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var report bytes.Buffer
	cmd.Stdout = &report
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return loadRun{}, fmt.Errorf("pgbench: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return loadRun{}, fmt.Errorf("pgbench: %w", err)
	}
	result := b.follow(stderr, cmd.Process)
	waitErr := cmd.Wait()
	if ctx.Err() != nil {
		return result, fmt.Errorf("pgbench did not end within %v: %w", b.limit, context.Cause(ctx))
	}
	sum, err := parseSummary(report.String())
	result.summary = sum
	if waitErr != nil {
		return result, fmt.Errorf("pgbench: %w", waitErr)
	}
	return result, err
}

// follow reads what pgbench prints while it runs.
func (b pgbench) follow(stderr io.Reader, process *os.Process) loadRun {
	var result loadRun
	ended := false
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if p, ok := parseProgress(line); ok {
			if !ended && b.onProgress(p) {
				ended = true
				// The alarm is how pgbench's --time ends: clients finish
				// their transaction, then the report is printed. If it has
				// ended by itself just now there is nothing left to signal.
				_ = process.Signal(syscall.SIGALRM)
			}
			continue
		}
		if line == "" || harmless(line) {
			continue
		}
		result.troubles++
		if len(result.trouble) < maxTrouble {
			result.trouble = append(result.trouble, line)
		}
	}
	return result
}

// harmless tells lines that pgbench prints on stderr in any run.
func harmless(line string) bool {
	return strings.HasPrefix(line, "pgbench (") || strings.HasPrefix(line, "pgbench: setting") ||
		strings.HasPrefix(line, "starting vacuum")
}
