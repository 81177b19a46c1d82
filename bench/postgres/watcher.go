package postgres

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// watch is the watcher's script; $1 is the cluster's folder. It waits on its
// standard input. The word "done" dismisses it. The end of the file means that
// whoever made the cluster has died: then it ends the postmaster and removes
// the folder, and goes on until the folder stays away, since initdb or a
// postmaster may have been on its way.
//
// A pid is taken from postmaster.pid only if a process with that pid has this
// folder in its command line: after a crash the pid can be another program's.
const watch = `
trap '' HUP INT TERM
read -r word
[ "$word" = done ] && exit 0

alive() {
	[ -n "$pid" ] || return 1
	if [ -r "/proc/$pid/cmdline" ]; then
		tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null
	else
		ps -o args= -p "$pid" 2>/dev/null
	fi | grep -qF -- "$1/data"
}

round=0
while [ -e "$1" ] && [ $round -lt 60 ]; do
	pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null)
	case $pid in *[!0-9]*) pid= ;; esac
	if alive "$1"; then
		if [ $round -lt 20 ]; then kill -QUIT "$pid"; else kill -KILL "$pid"; fi
	else
		rm -rf -- "$1"
	fi
	[ -e "$1" ] && sleep 0.1
	round=$((round + 1))
done
`

// watcher removes a cluster whose maker was killed. It runs as the maker's
// own user, who could make the folder and so can remove it.
type watcher struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser // closed on exec, so no other child keeps it open
}

// startWatcher starts the watcher of a folder.
func startWatcher(dir string) (*watcher, error) {
	cmd := exec.Command("/bin/sh", "-c", watch, "poolerd-watcher", dir)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the watcher of %s: %w", dir, err)
	}
	return &watcher{cmd: cmd, pipe: pipe}, nil
}

// dismiss ends the watcher: at once if the folder is clean, that is, was dealt
// with, else after it has dealt with it.
func (w *watcher) dismiss(clean bool) error {
	var err error
	if clean {
		_, err = io.WriteString(w.pipe, "done\n")
	}
	if errors.Is(err, syscall.EPIPE) {
		err = nil // somebody killed the watcher
	}
	err = errors.Join(err, w.pipe.Close())
	var exit *exec.ExitError
	if waitErr := w.cmd.Wait(); waitErr != nil && !errors.As(waitErr, &exit) {
		err = errors.Join(err, waitErr)
	}
	return err
}
