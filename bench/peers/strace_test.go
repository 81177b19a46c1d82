package main

import (
	"math"
	"testing"
)

const straceTable = `strace: Process 10 attached with 4 threads
strace: Process 10 detached
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 50.00    0.010000           3      3000      1000 recvfrom
 40.00    0.008000           4      2000           sendto
 10.00    0.002000           4       300           epoll_wait
------ ----------- ----------- --------- --------- ----------------
100.00    0.020000           3      5300      1000 total
`

func TestParseStrace(t *testing.T) {
	calls, err := parseStrace(straceTable)
	if err != nil {
		t.Fatal(err)
	}
	if len(calls) != 3 || calls["recvfrom"] != 3000 || calls["sendto"] != 2000 || calls["epoll_wait"] != 300 {
		t.Fatalf("calls = %v", calls)
	}
	if _, err := parseStrace("strace: attach: ptrace(PTRACE_SEIZE, 1): Operation not permitted\n"); err == nil {
		t.Fatal("strace that could not attach counts as a measurement")
	}
}

// TestPerTransaction leaves out what the short run has too.
func TestPerTransaction(t *testing.T) {
	short := map[string]int64{"sendto": 100, "accept4": 64}
	long := map[string]int64{"sendto": 2100, "accept4": 64, "recvfrom": 3000}
	c := perTransaction(short, long, 1000)
	if math.Abs(c.total-5) > 1e-9 {
		t.Fatalf("total = %v; want 5", c.total)
	}
	if got := c.format(); got != "5.00 (recvfrom 3.00, sendto 2.00)" {
		t.Fatalf("format = %q", got)
	}
	if got := perTransaction(short, long, 0).format(); got != "-" {
		t.Fatalf("without a transaction: %q", got)
	}
}
