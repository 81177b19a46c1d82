package advice

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"poolerd/bench/report"
)

// severity is how much a finding matters.
type severity uint8

const (
	nothing severity = iota // not worth a word
	look
	costly
)

// lookFrom and costlyFrom are parts of the time from which a finding is worth a look, and costly.
const (
	lookFrom   = 0.02
	costlyFrom = 0.10
)

func severe(cost float64) severity {
	switch {
	case cost >= costlyFrom:
		return costly
	case cost >= lookFrom:
		return look
	}
	return nothing
}

// finding is an advice in the making.
type finding struct {
	severity severity
	cost     float64 // part of the time that the remedy would save, 0 to 1; orders findings of one severity
	title    string
	evidence []string
	remedy   string
	pool     string

	table   *relation // what an index or a partition finding is about, else nil
	columns []string
	works   []*work // the statements that it costs, the costliest first
}

func (f *finding) prove(format string, args ...any) {
	f.evidence = append(f.evidence, fmt.Sprintf(format, args...))
}

// judge makes all findings.
func judge(c *run) []*finding {
	var all []*finding
	for _, find := range []func(*run) []*finding{
		missingIndexes, unprunedPartitions, spills, compiling, planning, statementLack,
		lockWaits, thinkTime, crowd, contention, diskWaits, deadlocks, churn,
		cacheMisses, checkpoints, connectionsUsed, deadRows,
	} {
		all = append(all, find(c)...)
	}
	// These leave out what has been said above.
	all = append(all, foreignKeysWithoutIndex(c, all)...)
	all = append(all, tablesReadWhole(c, all)...)
	return append(all, unusedIndexes(c)...)
}

// advise orders the findings, leaves out what does not matter, and says so where nothing is costly.
func advise(c *run, findings []*finding) []report.Advice {
	findings = slices.DeleteFunc(findings, func(f *finding) bool { return f.severity == nothing })
	slices.SortStableFunc(findings, func(a, b *finding) int {
		switch {
		case a.severity != b.severity:
			return int(b.severity) - int(a.severity)
		case (a.table == nil) != (b.table == nil):
			// Tables first: their costs are parts of the statements' time, the others' of something else.
			if a.table != nil {
				return -1
			}
			return 1
		case a.cost > b.cost:
			return -1
		case a.cost < b.cost:
			return 1
		}
		return 0
	})
	var all []report.Advice
	for _, f := range findings {
		name := "worth a look"
		if f.severity == costly {
			name = "costly"
		}
		all = append(all, report.Advice{Severity: name, Title: f.title, Evidence: f.evidence, Remedy: f.remedy, Pool: f.pool})
	}
	if len(findings) == 0 || findings[0].severity < costly {
		all = append(all, fine(c))
	}
	return all
}

// fine says that nothing costs much, and what the time went to.
func fine(c *run) report.Advice {
	a := report.Advice{Severity: "fine", Title: "nothing in the database costs much in this workload"}
	for i, w := range c.works {
		if i == 3 {
			break
		}
		line := fmt.Sprintf("%s of the statements' time: %s", percent(w.share), w.name)
		if w.statement != nil {
			line += fmt.Sprintf(", %s calls of %s", count(w.calls), ms(w.mean()))
		}
		if w.problem != "" && len(w.plans) == 0 {
			line += " (its plan could not be had: " + w.problem + ")"
		}
		a.Evidence = append(a.Evidence, line)
	}
	if d := c.counters.database; d.Hit+d.Read > 0 {
		a.Evidence = append(a.Evidence, fmt.Sprintf("%s of the pages that were read were in PostgreSQL's cache", percent(float64(d.Hit)/float64(d.Hit+d.Read))))
	}
	if held := c.activity.held(); held > 0 {
		a.Evidence = append(a.Evidence, fmt.Sprintf("sessions in transactions: %s running, %s waiting for something, %s for their client",
			percent(c.activity.share(c.activity.running)), percent(c.activity.share(c.activity.active-c.activity.running)),
			percent(c.activity.share(c.activity.thinking+c.activity.aborted))))
	}
	a.Pool = "what is left to gain lies in the pool's size and in round trips"
	return a
}

// percent is a part in words: "8%", "0.4%".
func percent(part float64) string {
	switch p := part * 100; {
	case p == 0, p >= 1:
		return fmt.Sprintf("%.0f%%", p)
	case p >= 0.1:
		return fmt.Sprintf("%.1f%%", p)
	default:
		return "under 0.1%"
	}
}

// count is a number with thousands set apart: "4,120".
func count[N int | int64 | float64](n N) string {
	digits := strconv.FormatInt(int64(math.Round(float64(n))), 10)
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// ms is a time, given in milliseconds, to two or three figures: "0.31 ms", "2.4 s".
func ms(t float64) string {
	switch {
	case t >= 10000:
		return fmt.Sprintf("%.0f s", t/1000)
	case t >= 1000:
		return fmt.Sprintf("%.1f s", t/1000)
	case t >= 10:
		return fmt.Sprintf("%.0f ms", t)
	case t >= 1:
		return fmt.Sprintf("%.1f ms", t)
	case t >= 0.1:
		return fmt.Sprintf("%.2f ms", t)
	default:
		return fmt.Sprintf("%.3f ms", t)
	}
}

// seconds is the same for seconds.
func seconds(t float64) string { return ms(t * float64(time.Second/time.Millisecond)) }

// bytes is a size: "64 kB", "1.2 GB".
func bytes(n float64) string {
	for _, unit := range []string{"bytes", "kB", "MB", "GB"} {
		if n < 1024 {
			if n < 10 && unit != "bytes" {
				return fmt.Sprintf("%.1f %s", n, unit)
			}
			return fmt.Sprintf("%.0f %s", n, unit)
		}
		n /= 1024
	}
	return fmt.Sprintf("%.1f TB", n)
}

// plural is "1 row", "2 rows".
func plural[N int | int64 | float64](n N, what string) string {
	if math.Round(float64(n)) == 1 {
		return "1 " + what
	}
	return count(n) + " " + what + "s"
}

// clip cuts a text to about a line.
func clip(text string) string {
	const most = 120
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return text
}
