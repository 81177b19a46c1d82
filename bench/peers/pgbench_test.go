package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestParseProgress(t *testing.T) {
	at := time.UnixMilli(1764002084123)
	for name, tc := range map[string]struct {
		line string
		want progress
		ok   bool
	}{
		"version 15": {
			"progress: 1764002084.123 s, 19862.7 tps, lat 0.805 ms stddev 0.200, 0 failed",
			progress{at: at, tps: 19862.7, latency: 805 * time.Microsecond},
			true,
		},
		"version 13": {
			"progress: 1764002084.123 s, 10.0 tps, lat 99.500 ms stddev 0.200",
			progress{at: at, tps: 10, latency: 99500 * time.Microsecond},
			true,
		},
		"nothing done": {
			"progress: 1764002084.123 s, 0.0 tps, lat -nan ms stddev -nan, 7 failed",
			progress{at: at},
			true,
		},
		"an error":    {line: "pgbench: error: client 3 aborted in command 1 (SQL) of script 0"},
		"a cut line":  {line: "progress: 1764002084.123 s, 19"},
		"no fraction": {line: "progress: 5 s, 10.0 tps, lat 1.000 ms stddev 0.000, 0 failed"},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := parseProgress(tc.line)
			if ok != tc.ok || !got.at.Equal(tc.want.at) || got.tps != tc.want.tps || got.latency != tc.want.latency {
				t.Fatalf("parseProgress(%q) = %+v, %v; want %+v, %v", tc.line, got, ok, tc.want, tc.ok)
			}
		})
	}
}

func TestParseSummary(t *testing.T) {
	for name, tc := range map[string]struct {
		report string
		want   summary
		fail   bool
	}{
		"for a time": {
			"transaction type: <builtin: select only>\nnumber of clients: 64\nnumber of transactions actually processed: 120345\nnumber of failed transactions: 12 (0.010%)\nlatency average = 2.1 ms\n",
			summary{120345, 12},
			false,
		},
		"for a count":       {"number of transactions actually processed: 64/64\nnumber of failed transactions: 0 (0.000%)\n", summary{64, 0}, false},
		"before version 15": {"number of transactions actually processed: 7\n", summary{7, 0}, false},
		"nothing":           {report: "", fail: true},
		"too large":         {report: "number of transactions actually processed: 99999999999999999999\n", fail: true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseSummary(tc.report)
			if (err != nil) != tc.fail || !tc.fail && got != tc.want {
				t.Fatalf("parseSummary = %+v, %v; want %+v, error %v", got, err, tc.want, tc.fail)
			}
		})
	}
}

// fakePgbench is a shell script that stands in for pgbench.
func fakePgbench(t *testing.T, script string) pgbench {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pgbench")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return pgbench{path: path, limit: 10 * time.Second, onProgress: func(progress) bool { return true }}
}

const fakeReport = `
report() {
	echo 'number of transactions actually processed: 5'
	echo 'number of failed transactions: 2 (40.0%)'
}
`

func TestRunEndsByAlarmAndKeepsTrouble(t *testing.T) {
	run, err := fakePgbench(t, fakeReport+`
trap 'report; exit 0' ALRM
echo 'pgbench (15.18)' >&2
for i in 1 2 3 4 5 6 7; do echo "pgbench: error: client $i aborted" >&2; done
echo 'progress: 1764002084.123 s, 5.0 tps, lat 1.000 ms stddev 0.000, 0 failed' >&2
while :; do sleep 0.02; done
`).run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if run.summary != (summary{5, 2}) || run.troubles != 7 || len(run.trouble) != maxTrouble {
		t.Fatalf("run = %+v; want 5 processed, 2 failed, 7 lines of trouble of which %d are kept", run, maxTrouble)
	}
}

func TestRunReportsItsExit(t *testing.T) {
	run, err := fakePgbench(t, fakeReport+"report; echo 'pgbench: error: no luck' >&2; exit 2").run(context.Background())
	if err == nil || !strings.Contains(err.Error(), "exit status 2") || len(run.trouble) != 1 {
		t.Fatalf("run = %+v, %v; want exit status 2 with one line of trouble", run, err)
	}
}

func TestRunThatHangsIsEnded(t *testing.T) {
	b := fakePgbench(t, "exec sleep 60")
	b.limit = 50 * time.Millisecond
	_, err := b.run(context.Background())
	if err == nil || !strings.Contains(err.Error(), "did not end within 50ms") {
		t.Fatalf("run = %v; want it ended at its limit", err)
	}
}
