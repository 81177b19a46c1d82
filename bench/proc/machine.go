package proc

import (
	"os"
	"strings"
)

// Model is the processor's name, "unknown" where it is not told.
func Model() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return unknown
	}
	for line := range strings.Lines(string(info)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return unknown
}

// System is the kernel's name and release: "Linux 6.1.0".
func System() string {
	name, release := FirstLine("/proc/sys/kernel/ostype"), FirstLine("/proc/sys/kernel/osrelease")
	if name == "" {
		return unknown
	}
	return strings.TrimSpace(name + " " + release)
}

// FirstLine is a file's first line, "" where it cannot be read.
func FirstLine(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return strings.TrimSpace(line)
}

const unknown = "unknown"
