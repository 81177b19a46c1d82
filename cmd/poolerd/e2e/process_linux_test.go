package e2e

import "syscall"

// endWithTests makes the kernel end a process when the tests die without
// having cleaned up, by a panic or a time-out.
func endWithTests(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
