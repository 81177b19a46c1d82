package report

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// column is one of CSV's.
type column struct {
	name string
	of   func(*Run) string
}

// CSV writes one line a run, in the order in which they ran, under a line of column names that end in their unit. Names stay as they are between versions;
// new columns come at the end. What was not measured is empty. Errors are written "57014=3 lost=1", those that are part of the load with a "~" before the count.
func CSV(w io.Writer, results *Results) error {
	columns := csvColumns()
	out := csv.NewWriter(w)
	line := make([]string, len(columns))
	for i, c := range columns {
		line[i] = c.name
	}
	if err := out.Write(line); err != nil {
		return fmt.Errorf("writing CSV: %w", err)
	}
	for i := range results.Runs {
		for j, c := range columns {
			line[j] = c.of(&results.Runs[i])
		}
		if err := out.Write(line); err != nil {
			return fmt.Errorf("writing CSV: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("writing CSV: %w", err)
	}
	return nil
}

func csvColumns() []column {
	columns := []column{
		{"target", func(r *Run) string { return r.Target }},
		{"round", func(r *Run) string { return strconv.Itoa(r.Round) }},
		{"workload", func(r *Run) string { return r.Workload }},
		{"protocol", func(r *Run) string { return r.Protocol }},
		{"pool_size", func(r *Run) string { return known(float64(r.PoolSize), r.PoolSize > 0) }},
		{"clients", func(r *Run) string { return strconv.Itoa(r.Clients) }},
		{"offered_rate_per_s", func(r *Run) string { return known(r.OfferedRate, r.OfferedRate > 0) }},
		{"client_latency_us", func(r *Run) string { return decimal(r.ClientLatencyUS) }},
		{"server_latency_us", func(r *Run) string { return decimal(r.ServerLatencyUS) }},
		{"started", func(r *Run) string { return r.Started.Format(time.RFC3339Nano) }},
		{"window_s", func(r *Run) string { return decimal(r.Seconds) }},
		{"cut", func(r *Run) string { return strconv.FormatBool(r.Cut) }},
		{"transactions", func(r *Run) string { return strconv.FormatInt(r.Transactions, 10) }},
		{"tps", func(r *Run) string { return decimal(r.TPS) }},
		{"unfinished", func(r *Run) string { return strconv.FormatInt(r.Unfinished, 10) }},
	}
	columns = append(columns, latencyColumns("latency", func(r *Run) *Quantiles { return &r.Latency })...)
	columns = append(columns, latencyColumns("lag", func(r *Run) *Quantiles { return r.Lag })...)
	columns = append(columns, usageColumns("pooler", func(r *Run) *Usage { return r.Pooler })...)
	columns = append(columns, usageColumns("server", func(r *Run) *Usage { return r.Server })...)
	columns = append(columns, usageColumns("generator", func(r *Run) *Usage { return r.Generator })...)
	return append(columns,
		column{"queue_wait_us", func(r *Run) string { return known(figQueue.of(r)) }},
		column{"errors_unexpected", func(r *Run) string { return strconv.FormatInt(r.unexpected(), 10) }},
		column{"errors", csvErrors},
	)
}

func latencyColumns(name string, of func(*Run) *Quantiles) []column {
	var columns []column
	add := func(what string, figure func(Quantiles) float64) {
		columns = append(columns, column{name + "_" + what + "_us", func(r *Run) string {
			q := of(r)
			if q == nil || q.Count == 0 {
				return ""
			}
			return decimal(figure(*q))
		}})
	}
	add("mean", func(q Quantiles) float64 { return q.Mean })
	add("p50", func(q Quantiles) float64 { return q.P50 })
	add("p90", func(q Quantiles) float64 { return q.P90 })
	add("p95", func(q Quantiles) float64 { return q.P95 })
	add("p99", func(q Quantiles) float64 { return q.P99 })
	add("p999", func(q Quantiles) float64 { return q.P999 })
	add("p9999", func(q Quantiles) float64 { return q.P9999 })
	add("max", func(q Quantiles) float64 { return q.Max })
	return columns
}

func usageColumns(name string, of func(*Run) *Usage) []column {
	usage := func(figure func(*Usage) string) func(*Run) string {
		return func(r *Run) string {
			if u := of(r); u != nil {
				return figure(u)
			}
			return ""
		}
	}
	return []column{
		{name + "_cpu_us_per_tx", func(r *Run) string { return known(processor(of(r))) }},
		{name + "_cores", usage(func(u *Usage) string { return decimal(u.Cores) })},
		{name + "_rss_bytes", usage(func(u *Usage) string { return known(float64(u.RSS), u.RSS > 0) })},
	}
}

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func known(v float64, ok bool) string {
	if !ok {
		return ""
	}
	return decimal(v)
}

func csvErrors(r *Run) string {
	parts := make([]string, 0, len(r.Errors))
	for _, code := range codes(r.Errors) {
		mark := ""
		if r.Errors[code].Expected {
			mark = "~"
		}
		parts = append(parts, fmt.Sprintf("%s=%s%d", code, mark, r.Errors[code].Count))
	}
	return strings.Join(parts, " ")
}
