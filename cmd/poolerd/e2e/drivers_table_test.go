package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"
)

// verdict is what the table says of one behaviour of one client.
type verdict int

const (
	passed verdict = iota
	failed
	unable // the client has no way to do it
)

func (v verdict) String() string { return [...]string{"ok", "FAIL", "-"}[v] }

// cell is one cell of the table; reason belongs to failed.
type cell struct {
	behaviour string
	state     verdict
	reason    string
}

// table collects cells: a row for each behaviour, a column for each client.
// Its zero value is empty; it may be used by several goroutines.
type table struct {
	mu      sync.Mutex
	columns map[string]map[string]cell
	rows    []string
}

func (s *table) add(client string, cells []cell) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.columns == nil {
		s.columns = make(map[string]map[string]cell)
	}
	column := make(map[string]cell, len(cells))
	after := 0 // a row that is new comes after the one that the client showed before it
	for _, c := range cells {
		column[c.behaviour] = c
		if i := slices.Index(s.rows, c.behaviour); i >= 0 {
			after = max(after, i+1)
			continue
		}
		s.rows = slices.Insert(s.rows, after, c.behaviour)
		after++
	}
	s.columns[client] = column
}

// print logs the table, and writes it to the file POOLERD_E2E_TABLE.
func (s *table) print(t *testing.T) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := s.text(t)
	t.Logf("\n%s", text)
	if path := os.Getenv("POOLERD_E2E_TABLE"); path != "" {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Error(err)
		}
	}
}

func (s *table) text(t *testing.T) string {
	var clients []string
	for _, d := range drivers(t) {
		if s.columns[d.name] != nil {
			clients = append(clients, d.name)
		}
	}
	var out, reasons strings.Builder
	count := map[verdict]int{}
	width := 10
	for _, row := range s.rows {
		width = max(width, utf8.RuneCountInString(row))
	}
	fmt.Fprintf(&out, "%-*s", width, "through "+under.kind.String())
	for _, client := range clients {
		fmt.Fprintf(&out, "  %s", client)
	}
	out.WriteByte('\n')
	for _, row := range s.rows {
		line := fmt.Sprintf("%-*s", width, row)
		for _, client := range clients {
			c, ok := s.columns[client][row]
			if !ok {
				c.state = unable
			}
			count[c.state]++
			line += fmt.Sprintf("  %-*s", len(client), c.state)
			if c.state == failed {
				fmt.Fprintf(&reasons, "  %s, %s: %s\n", row, client, c.reason)
			}
		}
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	fmt.Fprintf(&out, "%d behaviours, %d clients: %d ok, %d FAIL, %d cannot be done by the client (-)\n",
		len(s.rows), len(clients), count[passed], count[failed], count[unable])
	return out.String() + reasons.String()
}
