package main

import "strings"

// complaint makes a line of what a failed Go test printed: testify's "Error:" and what stands below it, else its first message.
func complaint(text string) string {
	var first string
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		line = strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "=== "), strings.HasPrefix(line, "--- "), line == "":
		case strings.HasPrefix(line, "Error:"):
			why := strings.TrimSpace(strings.TrimPrefix(line, "Error:"))
			for _, more := range lines[i+1:] {
				more = strings.TrimSpace(more)
				if more == "" || strings.HasPrefix(more, "Error Trace:") || strings.HasPrefix(more, "Test:") || strings.HasPrefix(more, "Messages:") {
					break
				}
				why += " " + more
			}
			return shorten(why)
		case first == "" && strings.Contains(line, "_test.go:"):
			first = line
			if strings.HasSuffix(line, ":") && i+1 < len(lines) {
				first += " " + strings.TrimSpace(lines[i+1])
			}
		case strings.HasPrefix(line, "panic:"):
			return shorten(line)
		}
	}
	return shorten(first)
}

func shorten(line string) string {
	const most = 240
	line = strings.Join(strings.Fields(line), " ")
	if len(line) > most {
		line = line[:most] + "..."
	}
	return line
}
