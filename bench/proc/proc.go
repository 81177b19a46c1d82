// Package proc reads what a process costs from /proc (proc(5)): its processor time and its memory. It needs Linux; elsewhere every call fails
// and says so.
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
	return parseStat(string(stat))
}

// parseStat reads utime and stime (fields 14 and 15 of proc(5)) from the text
// of /proc/PID/stat. The command's name stands in parentheses and may itself
// hold spaces and parentheses, so fields are counted from the last one.
func parseStat(stat string) (time.Duration, error) {
	end := strings.LastIndexByte(stat, ')')
	if end < 0 {
		return 0, fmt.Errorf("stat line %q has no command name", stat)
	}
	fields := strings.Fields(stat[end+1:])
	const utime, stime = 14 - 3, 15 - 3 // the state, field 3, is the first after the name
	if len(fields) <= stime {
		return 0, fmt.Errorf("stat line %q has %d fields after the command name, wanted more than %d", stat, len(fields), stime)
	}
	var total time.Duration
	for _, i := range []int{utime, stime} {
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
