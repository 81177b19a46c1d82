package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"poolerd/pool/config"
)

// daemonMark is in the environment of the process in the background: it has gone there already.
const daemonMark = "POOLERD_IN_BACKGROUND"

// readyDescriptor is the pipe on which the process in the background says that it serves.
const readyDescriptor = 3

// daemonize starts this program again in the background, in a session of its own, and returns when that process serves, or has failed, which it has then told on
// standard error itself. A Go process cannot fork: its threads would stay behind.
func daemonize(stderr *os.File) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("go to the background: %w", err)
	}
	ready, write, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("go to the background: %w", err)
	}
	defer ready.Close()
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), daemonMark+"=1")
	cmd.Stderr = stderr
	cmd.ExtraFiles = []*os.File{write} // becomes readyDescriptor
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := errors.Join(cmd.Start(), write.Close()); err != nil {
		return fmt.Errorf("go to the background: %w", err)
	}
	if said, err := io.ReadAll(ready); err == nil && len(said) > 0 {
		return cmd.Process.Release()
	}
	if err := cmd.Wait(); err != nil {
		return &backgroundError{err}
	}
	return errors.New("the process in the background ended at once: see the log")
}

// backgroundError is a failure that the process in the background has told of.
type backgroundError struct{ err error }

func (e *backgroundError) Error() string { return "the process in the background: " + e.err.Error() }
func (e *backgroundError) Unwrap() error { return e.err }

// inBackground tells whether this is the process that daemonize has started.
func inBackground() bool { return os.Getenv(daemonMark) != "" }

// checkDaemon says what a process in the background lacks.
func checkDaemon(conf *config.Config) error {
	var missing []string
	if conf.PidFile == "" {
		missing = append(missing, "a file for the process id; set pidfile")
	}
	if conf.LogFile == "" && !conf.Syslog {
		missing = append(missing, "a place for the log; set logfile, or syslog = 1")
	}
	if len(missing) > 0 {
		return &usageError{"--daemon: needs " + strings.Join(missing, ", and ")}
	}
	return nil
}

// detach lets go of whoever started the process in the background, now that it serves.
func detach() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("go to the background: %w", err)
	}
	defer null.Close()
	for fd := range 3 {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return fmt.Errorf("go to the background: %w", err)
		}
	}
	ready := os.NewFile(readyDescriptor, "ready")
	_, err = ready.WriteString("ready\n")
	return errors.Join(err, ready.Close())
}
