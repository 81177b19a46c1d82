// Package proc starts poolers, and reads what a process costs from /proc (proc(5)): its processor time and its memory. The latter needs Linux; elsewhere
// it fails and says so. What it refuses to know is what the processes are for.
package proc

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Tick is the unit of utime and stime in /proc/PID/stat. The kernel shows them
// in USER_HZ, which is 100 on every architecture that Go supports, whatever the
// kernel's own clock (proc(5), sysconf(3) _SC_CLK_TCK).
const Tick = 10 * time.Millisecond

// CPU returns the processor time (steps of Tick), user and system, that the process
// has used so far with all its threads, those that ended included.
func CPU(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	return parseStat(string(stat), utime, stime)
}

// TreeCPU returns the processor time of a process and of all its children, the ended ones that it has waited for included: a postmaster's is the time of
// PostgreSQL as a whole. Grandchildren are not looked for.
func TreeCPU(pid int) (time.Duration, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("processor time of process %d: %w", pid, err)
	}
	total, err := parseStat(string(stat), utime, stime, cutime, cstime)
	if err != nil {
		return 0, err
	}
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, fmt.Errorf("children of process %d: %w", pid, err)
	}
	for _, child := range strings.Fields(string(children)) {
		stat, err := os.ReadFile("/proc/" + child + "/stat")
		if err != nil {
			continue // it has just ended: the parent's figures have it next time
		}
		own, err := parseStat(string(stat), utime, stime)
		if err != nil {
			return 0, err
		}
		total += own
	}
	return total, nil
}

// Fields of /proc/PID/stat, counted from the one after the command's name.
const (
	utime  = 14 - 3 // the state, field 3 of proc(5), is the first after the name
	stime  = 15 - 3
	cutime = 16 - 3 // of ended children
	cstime = 17 - 3
)

// parseStat adds up fields of processor time in the text of /proc/PID/stat. The command's name stands in parentheses and may itself hold spaces and
// parentheses, so fields are counted from the last one.
func parseStat(stat string, wanted ...int) (time.Duration, error) {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, fmt.Errorf("stat line %q has no command name", stat)
	}
	fields := strings.Fields(stat[end+1:])
	if len(fields) <= cstime {
		return 0, fmt.Errorf("stat line %q has %d fields after the command name, wanted more than %d", stat, len(fields), cstime)
	}
	var total time.Duration
	for _, i := range wanted {
		ticks, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("stat line %q: %w", stat, err)
		}
		total += time.Duration(ticks) * Tick
	}
	return total, nil
}

// RSS returns the resident set size (VmRSS) of the process in bytes.
func RSS(pid int) (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, fmt.Errorf("memory of process %d: %w", pid, err)
	}
	return parseResident(string(status))
}

// parseResident reads VmRSS, in bytes, from the text of /proc/PID/status.
func parseResident(status string) (int64, error) {
	for line := range strings.Lines(status) {
		rest, found := strings.CutPrefix(line, "VmRSS:")
		if !found {
			continue
		}
		number, found := strings.CutSuffix(strings.TrimSpace(rest), " kB")
		if !found {
			return 0, fmt.Errorf("line %q is not in kB", line)
		}
		kilobytes, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("line %q: %w", line, err)
		}
		return kilobytes * 1024, nil
	}
	return 0, fmt.Errorf("status of %d bytes has no VmRSS line", len(status))
}
