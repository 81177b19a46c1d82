package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// network is how the tests of PgBouncer's suite that drop and delay packets can be run: root gives the suite a network of its own, in which an unprivileged user may do
// so, and nothing but the suite is struck. Its processes have numbers of their own too, so that none of them outlives it.
type network struct {
	own    bool // the suite has a network of its own
	drops  bool // iptables works in it
	delays bool // tc works in it
}

const (
	capNetAdmin = 12 // capabilities(7)
	capNetRaw   = 13
)

// findNetwork tries what works.
func findNetwork(ctx context.Context, who *syscall.Credential) (n network) {
	if who == nil {
		return n
	}
	works := func(script string) bool {
		return n.command(ctx, who, "sh", "-c", "PATH=$PATH:/usr/sbin:/sbin; "+script).Run() == nil
	}
	n.own = true
	if n.own = works("true"); !n.own {
		return n
	}
	n.drops = works("iptables --append OUTPUT --protocol tcp --destination 127.0.0.9 --destination-port 9 --jump DROP")
	n.delays = works("tc qdisc add dev lo root handle 1: prio && tc qdisc add dev lo parent 1:2 handle 20: netem delay 1ms")
	return n
}

// command makes a program's command, in the network.
func (n network) command(ctx context.Context, who *syscall.Credential, args ...string) *exec.Cmd {
	if !n.own {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: who}
		return cmd
	}
	// The shell is the first process of its kind and stays: when it ends all others do, and until then it takes up those whose parents have ended.
	cmd := exec.CommandContext(ctx, "sh", append([]string{"-c", `PATH=$PATH:/usr/sbin:/sbin ip link set lo up && "$@"; exit $?`, "sh"}, args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: who, Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID, AmbientCaps: []uintptr{capNetAdmin, capNetRaw}, Pdeathsig: syscall.SIGKILL,
	}
	return cmd
}

// laySudo makes the sudo that the tests call: they have the rights already. Where packets cannot be delayed tc does nothing, and the one test that needs it is left out.
func (w *workbench) laySudo() error {
	script := "#!/bin/sh\n"
	switch {
	case !w.network.drops:
		return nil // the tests skip themselves
	case !w.network.delays:
		script += "test \"$1\" != tc || exit 0\ncase \"$1\" in 'tc '*) exit 0 ;; esac\n"
		w.leftOut = append(w.leftOut, test{
			Name: "test_prepared.py::test_prepared_statement_pipeline_latency", Skip: true, Why: "this machine's kernel cannot delay packets (tc, netem)",
		})
	}
	script += "exec \"$@\"\n"
	if err := os.WriteFile(w.path("bin/sudo"), []byte(script), 0o755); err != nil {
		return fmt.Errorf("sudo for the tests: %w", err)
	}
	return nil
}
