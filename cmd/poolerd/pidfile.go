package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// checkPidFile refuses to start beside a process that lives. A file of one that has ended is removed.
func checkPidFile(path string) (stale bool, err error) {
	if path == "" {
		return false, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read the process id (pidfile): %w", err)
	}
	inUse := fmt.Errorf("pidfile %q exists, another instance running? End that one, or remove the file", path)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 0 {
		return false, inUse
	}
	// In a container every process that is started has the same id, also the one that left the file behind.
	if pid != os.Getpid() && !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false, inUse
	}
	if err := os.Remove(path); err != nil {
		return false, fmt.Errorf("remove the stale pidfile: %w", err)
	}
	return true, nil
}

// writePidFile writes the process id to a new file; drop removes it, unless it is another process's by then.
func writePidFile(path string) (drop func(), err error) {
	if path == "" {
		return func() {}, nil
	}
	own := strconv.Itoa(os.Getpid()) + "\n"
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString(own)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("write the process id (pidfile): %w", err)
	}
	return func() {
		if text, err := os.ReadFile(path); err == nil && string(text) == own {
			_ = os.Remove(path)
		}
	}, nil
}
