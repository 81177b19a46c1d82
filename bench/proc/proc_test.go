package proc

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	const tail = " S 1 10 10 0 -1 4194304 100 0 0 0 123 77 9 9 20 0 1 0 246436 3133440 411"
	for name, tc := range map[string]struct {
		stat string
		want time.Duration
		fail bool
	}{
		"plain":                 {stat: "42 (poolerd)" + tail, want: 2 * time.Second},
		"name with a space":     {stat: "42 (tmux: server)" + tail, want: 2 * time.Second},
		"name with parentheses": {stat: "42 (a) S 1 (b)" + tail, want: 2 * time.Second},
		"no name":               {stat: "42 poolerd" + tail, fail: true},
		"cut short":             {stat: "42 (poolerd) S 1 10", fail: true},
		"not a number":          {stat: "42 (p) S 1 10 10 0 -1 4 1 0 0 0 x 77 9", fail: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseStat(tc.stat, utime, stime)
			if (err != nil) != tc.fail || got != tc.want {
				t.Fatalf("parseStat(%q) = %v, %v; want %v, error %v", tc.stat, got, err, tc.want, tc.fail)
			}
		})
	}
}

// TestCPUGrows burns one Tick and more, and expects to see it.
func TestCPUGrows(t *testing.T) {
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(5 * time.Second)
	for time.Now().Before(deadline) {
		now, err := CPU(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if now >= before+2*Tick {
			return
		}
	}
	t.Fatalf("after 5 s of work the processor time is still %v", before)
}

func TestParseResident(t *testing.T) {
	for name, tc := range map[string]struct {
		status string
		want   int64
		fail   bool
	}{
		"plain":         {status: "Name:\tpoolerd\nVmHWM:\t  9 kB\nVmRSS:\t   5120 kB\nThreads:\t1\n", want: 5 << 20},
		"kernel thread": {status: "Name:\tkthreadd\nThreads:\t1\n", fail: true},
		"other unit":    {status: "VmRSS:\t5 MB\n", fail: true},
		"no number":     {status: "VmRSS:\tmany kB\n", fail: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseResident(tc.status)
			if (err != nil) != tc.fail || got != tc.want {
				t.Fatalf("parseResident = %d, %v; want %d, error %v", got, err, tc.want, tc.fail)
			}
		})
	}
	if own, err := RSS(os.Getpid()); err != nil || own < 1<<20 {
		t.Fatalf("RSS of this test = %d, %v; want a megabyte at least", own, err)
	}
}

// TestTreeCPU: what a child has used counts while it runs, and after it was waited for.
func TestTreeCPU(t *testing.T) {
	shell := exec.Command("sh", "-c", `sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'; read line`)
	stdin, err := shell.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = stdin.Close(), shell.Wait() }()
	for end := time.Now().Add(20 * time.Second); ; {
		used, err := TreeCPU(shell.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		own, err := CPU(shell.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		if used >= own+5*Tick {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the tree has used %v, the shell alone %v", used, own)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
