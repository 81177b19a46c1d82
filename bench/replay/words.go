package replay

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"poolerd/wire/record"
)

// Notes says in sentences what a reader of the figures must know: what was not played as recorded, and what the figures may differ for beside the target.
func (c *Comparison) Notes() []string {
	var notes []string
	say := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if c.Cut {
		say("the recording is cut: what it holds was played")
	}
	if c.LeftOut > 0 {
		say("%d messages are missing from the recording, because its disk was too slow", c.LeftOut)
	}
	if len(c.Skipped) > 0 {
		say("of %d recorded transactions these were left out: %s", c.Recorded, reasons(c.Skipped))
	}
	if c.StandIns > 0 {
		say("%d of %d parameters are stand-ins (recorded %v): the target was asked for other rows, so times and errors may differ for that alone", c.StandIns, c.Params, c.Mode)
	} else if c.Mode == record.Hashed {
		say("constants in simple queries may be stand-ins (recorded hashed): the target may have been asked for other rows")
	}
	if c.CopyBytes > 0 {
		say("%d bytes of COPY data were not sent: they are not in a recording, and a COPY that failed at them succeeds", c.CopyBytes)
	}
	if c.RolledBack > 0 {
		say("%d transactions did not end as recorded and were rolled back", c.RolledBack)
	}
	if n := c.RecordedErrors["57014"]; n > 0 {
		say("%d recorded transactions were cancelled: requests to cancel are not in a recording, and what was cancelled may run to its end", n)
	}
	if c.Speed != 1 {
		say("clients' pauses were divided by the speed, %s: durations contain them, waits do not", speed(c.Speed))
	}
	return notes
}

func speed(s float64) string {
	if s == 0 {
		return "which was as fast as possible"
	}
	return fmt.Sprintf("%g", s)
}

// reasons gives what was left out and why, most frequent first.
func reasons(skipped map[string]int) string {
	keys := slices.SortedFunc(maps.Keys(skipped), func(a, b string) int {
		if skipped[a] != skipped[b] {
			return skipped[b] - skipped[a]
		}
		return strings.Compare(a, b)
	})
	var parts []string
	for _, k := range keys {
		parts = append(parts, fmt.Sprintf("%d, %s", skipped[k], k))
	}
	return strings.Join(parts, "; ")
}

// Lines gives the comparison as a text of a few lines, the notes included.
func (c *Comparison) Lines() []string {
	lines := []string{
		fmt.Sprintf("%d transactions of %d sessions in %v, recorded in %v", c.Played, c.Sessions, c.Took.Round(time.Millisecond), c.Span.Round(time.Millisecond)),
		fmt.Sprintf("%d ended as recorded, %d otherwise", c.Same, c.Played-c.Same),
	}
	for _, o := range slices.SortedFunc(maps.Keys(c.Different), func(a, b Outcome) int {
		return strings.Compare(a.Recorded+" "+a.Played, b.Recorded+" "+b.Played)
	}) {
		lines = append(lines, fmt.Sprintf("%d that ended with %s ended with %s", c.Different[o], outcome(o.Recorded), outcome(o.Played)))
	}
	if c.Same > 0 {
		lines = append(lines,
			fmt.Sprintf("waiting for answers: p50 %s recorded, %s now; p99 %s recorded, %s now",
				us(c.RecordedWait.ValueAtQuantile(50)), us(c.Wait.ValueAtQuantile(50)), us(c.RecordedWait.ValueAtQuantile(99)), us(c.Wait.ValueAtQuantile(99))))
	}
	return append(lines, c.Notes()...)
}

func outcome(code string) string {
	if code == "" {
		return "success"
	}
	return code
}

func us(n int64) string { return (time.Duration(n) * time.Microsecond).String() }
