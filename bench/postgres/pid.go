package postgres

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// PID is the postmaster's process id, for whoever reads what the cluster costs from /proc. It changes when the cluster rests and resumes.
func (c *Cluster) PID() (int, error) {
	text, err := os.ReadFile(filepath.Join(c.dataDir(), "postmaster.pid"))
	if err != nil {
		return 0, fmt.Errorf("the postmaster's process id: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return 0, fmt.Errorf("the postmaster's process id: %w", err)
	}
	return pid, nil
}
