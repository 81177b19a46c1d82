package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// syscallCount is the calls of a pooler for one transaction.
type syscallCount struct {
	total  float64
	byName map[string]float64
}

// format prints the total and the calls that make up nearly all of it.
func (c syscallCount) format() string {
	if c.byName == nil {
		return "-"
	}
	names := slices.SortedFunc(maps.Keys(c.byName), func(a, b string) int {
		return cmp.Or(int(1000*c.byName[b])-int(1000*c.byName[a]), strings.Compare(a, b))
	})
	var parts []string
	for _, name := range names {
		if c.byName[name] >= 0.05 {
			parts = append(parts, fmt.Sprintf("%s %.2f", name, c.byName[name]))
		}
	}
	return fmt.Sprintf("%.2f (%s)", c.total, strings.Join(parts, ", "))
}

const straceSeconds = 3

// countSyscalls makes two more runs of a cell with strace attached to the
// pooler: a short one in which each client logs in and makes one transaction,
// and one of straceSeconds. The difference of the calls over the difference of
// the transactions leaves the logins out. Nothing else is taken from these
// runs: strace slows the pooler a lot.
func (b *bench) countSyscalls(ctx context.Context, r *cellResult, name string, e *endpoint) {
	count := func(extent string) (calls map[string]int64, transactions int64, err error) {
		lines := 0
		run := b.pgbench(r.cell, e, extent, 10*straceSeconds, func(progress) bool {
			lines++
			return lines >= straceSeconds
		})
		calls, err = strace(ctx, e.process.PID(), func() error {
			out, err := run.run(ctx)
			transactions = out.summary.processed
			if out.troubles > 0 {
				err = errors.Join(err, errors.New(strings.Join(out.trouble, " / ")))
			}
			return err
		})
		return calls, transactions, err
	}
	short, shortCount, err1 := count("--transactions=1")
	long, longCount, err2 := count(fmt.Sprintf("--time=%d", 10*straceSeconds))
	if err := errors.Join(err1, err2); err != nil {
		r.trouble = append(r.trouble, strings.ReplaceAll(fmt.Sprintf("strace of %s: %v", name, err), "\n", " / "))
		return
	}
	r.syscalls[name] = perTransaction(short, long, longCount-shortCount)
}

// perTransaction divides the calls that long has beyond short by transactions.
func perTransaction(short, long map[string]int64, transactions int64) syscallCount {
	c := syscallCount{byName: map[string]float64{}}
	if transactions <= 0 {
		return syscallCount{}
	}
	for name, n := range long {
		c.byName[name] = float64(n-short[name]) / float64(transactions)
		c.total += c.byName[name]
	}
	return c
}

const (
	straceAttach = 5 * time.Second  // for strace to say that it is attached
	straceDetach = 10 * time.Second // for strace to print its table
)

// strace counts the system calls of a process and its threads while during
// runs.
func strace(ctx context.Context, pid int, during func() error) (map[string]int64, error) {
	cmd := exec.CommandContext(ctx, "strace", "-c", "-f", "-p", strconv.Itoa(pid))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start strace: %w", err)
	}
	var output bytes.Buffer
	attached, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		once := sync.OnceFunc(func() { close(attached) })
		lines := bufio.NewScanner(stderr)
		for lines.Scan() {
			output.WriteString(lines.Text() + "\n")
			if strings.Contains(lines.Text(), " attached") {
				once()
			}
		}
	}()
	var runErr error
	select {
	case <-attached:
		runErr = during()
	case <-ended:
	case <-time.After(straceAttach):
		runErr = fmt.Errorf("strace was not attached within %v", straceAttach)
	}
	// An interrupt makes strace detach and print its table; if it is gone
	// already its output says why.
	_ = cmd.Process.Signal(syscall.SIGINT)
	late := time.AfterFunc(straceDetach, func() { _ = cmd.Process.Kill() })
	<-ended
	late.Stop()
	// strace ends by the signal that it was sent: its table tells success.
	_ = cmd.Wait()
	calls, err := parseStrace(output.String())
	return calls, errors.Join(runErr, err)
}

// parseStrace reads the table of strace -c: percent, seconds, microseconds a
// call, calls, errors (blank when there were none), name.
func parseStrace(output string) (map[string]int64, error) {
	calls := map[string]int64{}
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) != 5 && len(fields) != 6 {
			continue
		}
		if _, err := strconv.ParseFloat(fields[0], 64); err != nil {
			continue // header, rules, and strace's own messages
		}
		name := fields[len(fields)-1]
		n, err := strconv.ParseInt(fields[3], 10, 64)
		if err != nil || name == "total" {
			continue
		}
		calls[name] += n
	}
	if len(calls) == 0 {
		return nil, fmt.Errorf("strace counted no call: %s", strings.TrimSpace(output))
	}
	return calls, nil
}
