package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// endHanging ends every child of the process that runs for longer than limit: a test that waits forever then fails, and the others go on. The process's children are
// read from /proc, so the process must not be reaped before stop was called.
func endHanging(pid int, limit time.Duration, log func(format string, args ...any)) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		since := map[int]time.Time{}
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case now := <-tick.C:
				seen := map[int]time.Time{}
				for _, child := range children(pid) {
					first, known := since[child]
					if !known {
						first = now
					}
					seen[child] = first
					if now.Sub(first) > limit {
						log("a test runs for longer than %s and is ended: %s", limit, commandLine(child))
						_ = syscall.Kill(child, syscall.SIGTERM) // one that has just ended is no matter
						delete(seen, child)
					}
				}
				since = seen
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}

// children are the ids of a process's children, none where the process is gone.
func children(pid int) (ids []int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	for field := range strings.FieldsSeq(string(text)) {
		if id, err := strconv.Atoi(field); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

func commandLine(pid int) string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return "process " + strconv.Itoa(pid)
	}
	line := strings.ReplaceAll(string(text), "\x00", " ")
	// psql's first argument of interest is the file it reads, which pg_regress gives as its standard input.
	if input, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/0", pid)); err == nil {
		line += "< " + input
	}
	return line
}
