package hba

import (
	"fmt"
	"strings"
)

// Problem is why a line is refused.
type Problem struct {
	File string
	Line int // from 1; the first of a line that is continued. 0: the file as a whole
	Text string
}

func (p Problem) String() string {
	if p.Line == 0 {
		return p.File + ": " + p.Text
	}
	return fmt.Sprintf("%s line %d: %s", p.File, p.Line, p.Text)
}

// Problems is the error of Parse and ParseIdents: all that is wrong, in the order of the lines.
type Problems []Problem

// mostShown is how many of them an error's text has.
const mostShown = 50

func (p Problems) Error() string {
	var lines []string
	for i, problem := range p {
		if i == mostShown {
			lines = append(lines, fmt.Sprintf("and %d more", len(p)-i))
			break
		}
		lines = append(lines, problem.String())
	}
	return strings.Join(lines, "\n")
}
