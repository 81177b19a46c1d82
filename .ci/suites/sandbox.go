package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// sandbox is where PgBouncer's suite runs. Root gives it one of its own, for an unprivileged user: a network in which that user may drop and delay packets, so that nothing
// but the suite is struck; a /tmp, where the suite's servers put their sockets; and numbers of processes, so that none of them outlives it.
type sandbox struct {
	who    *syscall.Credential // nil is this process's user, who has no sandbox
	tmp    string              // becomes /tmp
	own    bool                // namespaces(7) work here
	drops  bool                // iptables works in it
	delays bool                // tc works in it
}

// newSandbox tries what works.
func newSandbox(ctx context.Context, who *syscall.Credential, tmp string) sandbox {
	s := sandbox{who: who, tmp: tmp, own: who != nil}
	if !s.own {
		return s
	}
	works := func(script string) bool {
		return s.command(ctx, "sh", "-c", "PATH=$PATH:/usr/sbin:/sbin; "+script).Run() == nil
	}
	if s.own = works("true"); !s.own {
		return s
	}
	s.drops = works("iptables --append OUTPUT --protocol tcp --destination 127.0.0.9 --destination-port 9 --jump DROP")
	s.delays = works("tc qdisc add dev lo root handle 1: prio && tc qdisc add dev lo parent 1:2 handle 20: netem delay 1ms")
	return s
}

// enter makes the sandbox ($1 becomes /tmp) and runs the rest of its arguments in it, as the user $2 of the group $3. The shell is the first process there and stays: when
// it ends all others do, and until then it takes up those whose parents have ended.
const enter = `tmp=$1 user=$2 group=$3
shift 3
PATH=$PATH:/usr/sbin:/sbin
mount --make-rprivate / && mount --bind "$tmp" /tmp && mount -t proc proc /proc && ip link set lo up || exit 125
setpriv --reuid "$user" --regid "$group" --clear-groups --inh-caps +net_admin,+net_raw --ambient-caps +net_admin,+net_raw -- "$@"
exit $?`

// command makes a program's command.
func (s sandbox) command(ctx context.Context, args ...string) *exec.Cmd {
	if !s.own {
		cmd := exec.CommandContext(ctx, args[0], args[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.who}
		return cmd
	}
	all := append([]string{"-c", enter, "sandbox", s.tmp, fmt.Sprint(s.who.Uid), fmt.Sprint(s.who.Gid)}, args...)
	cmd := exec.CommandContext(ctx, "sh", all...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// laySudo makes the sudo that the tests call: they have the rights already. Where packets cannot be delayed tc does nothing, and the one test that needs it is left out.
func (w *workbench) laySudo() error {
	script := "#!/bin/sh\n"
	switch {
	case !w.sandbox.drops:
		return nil // the tests skip themselves
	case !w.sandbox.delays:
		script += "test \"$1\" != tc || exit 0\n"
		w.leaveOut("this machine's kernel cannot delay packets (tc, netem)", "test_prepared.py::test_prepared_statement_pipeline_latency")
	}
	script += "exec \"$@\"\n"
	if err := os.WriteFile(w.path("bin/sudo"), []byte(script), 0o755); err != nil {
		return fmt.Errorf("sudo for the tests: %w", err)
	}
	return nil
}
