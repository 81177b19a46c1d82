package wiretest

import (
	"fmt"
	"slices"
	"strings"
)

// The lines that excuse a difference, and say what may come instead of the replies to the next command.
const (
	verbDiffers = "differs"
	verbInstead = "~"
)

// maxDifferences is how many commands that were answered otherwise Compare shows.
const maxDifferences = 6

// exchange is one command of a transcript with the replies that followed.
type exchange struct {
	command string
	replies []string
	reason  string // why poolerd may answer in another way, "" where it may not
	instead []string
}

// Compare tells where two transcripts of one script differ, or "": the one of PostgreSQL itself, and the one of a pooler before it. A command behind a line
// "c1 differs REASON" may be answered as PostgreSQL does, or as its "c1 ~" lines say.
func Compare(direct, through string) string {
	want, got := exchanges(direct), exchanges(through)
	var b strings.Builder
	shown := 0
	for i, g := range got {
		if i >= len(want) || g.command != want[i].command {
			return fmt.Sprintf("not the same script: %s", g.command)
		}
		w := want[i]
		if slices.Equal(w.replies, g.replies) || w.reason != "" && slices.Equal(w.instead, g.replies) {
			continue
		}
		if shown++; shown > maxDifferences {
			return b.String() + "    and more\n"
		}
		b.WriteString(describe(w, g))
	}
	if len(got) < len(want) {
		fmt.Fprintf(&b, "    never came to\n    %s\n", cut(want[len(got)].command))
	}
	return b.String()
}

// exchanges splits a transcript.
func exchanges(text string) []exchange {
	var all []exchange
	var next exchange
	for row := range strings.SplitSeq(strings.TrimSuffix(text, "\n"), "\n") {
		if reply.MatchString(row) {
			if len(all) == 0 {
				all = append(all, exchange{})
			}
			last := &all[len(all)-1]
			last.replies = append(last.replies, row)
			continue
		}
		m := command.FindStringSubmatch(row)
		switch {
		case m == nil: // a comment, a let or a part of one
		case m[2] == verbDiffers:
			next.reason = m[3]
		case m[2] == verbInstead:
			next.instead = append(next.instead, m[1]+" "+m[3])
		default:
			next.command = row
			all = append(all, next)
			next = exchange{}
		}
	}
	return all
}

// describe shows one command with what was to come and what came.
func describe(want, got exchange) string {
	var b strings.Builder
	fmt.Fprintf(&b, "    %s\n", cut(want.command))
	same := 0
	for same < len(want.replies) && same < len(got.replies) && want.replies[same] == got.replies[same] {
		fmt.Fprintf(&b, "    %s\n", cut(want.replies[same]))
		same++
	}
	for _, row := range want.replies[same:] {
		fmt.Fprintf(&b, "  - %s\n", cut(row))
	}
	for _, row := range got.replies[same:] {
		fmt.Fprintf(&b, "  + %s\n", cut(row))
	}
	if want.reason != "" {
		fmt.Fprintf(&b, "  excused is only, since %s:\n", want.reason)
		for _, row := range want.instead {
			fmt.Fprintf(&b, "  ~ %s\n", cut(row))
		}
	}
	return b.String()
}

// cut keeps a line of a report short.
func cut(row string) string {
	if len(row) > 300 {
		return row[:300] + " ..."
	}
	return row
}
