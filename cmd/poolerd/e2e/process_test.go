package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
)

// memory is the process's resident set (VmRSS of proc(5)) in bytes.
func (p *pooler) memory(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kilobytes, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")))
			if err != nil {
				t.Fatalf("VmRSS %q: %v", value, err)
			}
			return kilobytes << 10
		}
	}
	t.Fatal("there is no VmRSS in the process's status")
	return 0
}

// descriptors counts the process's open files.
func (p *pooler) descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// readWholeLog is all that the process has written so far.
func (p *pooler) readWholeLog(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(p.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
