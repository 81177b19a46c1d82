package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/urfave/cli/v2"

	"poolerd/bench/load"
	"poolerd/bench/model"
)

func benchPlanCommand() *cli.Command {
	return &cli.Command{
		Name:      "plan",
		Usage:     "say what a rate needs that was not measured: pool size, instances, server connections",
		ArgsUsage: "[results.jsonl]",
		Description: "It rests on the model that a poolerd bench over pool sizes has fitted: the results named, or else those of the newest poolerd-bench-* folder here.\n\n" +
			"  poolerd bench plan --rate 20000 --slo p99=20ms --rtt 1ms\n" +
			"  poolerd bench plan --rate 2000 --what-if rtt=5ms --what-if instances=4 --what-if replicas=10,db-pool=20\n\n" +
			"Where the question lies too far from what was measured, it says so.",
		Flags: []cli.Flag{
			&cli.Float64Flag{Name: "rate", Usage: "transactions a second that shall be carried, a `NUMBER`"},
			&cli.StringFlag{Name: "slo", Usage: "`LIMIT` that must be kept, as in p99=20ms", DefaultText: "a fifth of the throughput is left over"},
			&cli.DurationFlag{Name: "rtt", Usage: "round trip `TIME` between poolerd and PostgreSQL", DefaultText: "as measured"},
			&cli.DurationFlag{Name: "client-latency", Usage: "`TIME` that a client thinks between the statements of a transaction", DefaultText: "as measured"},
			&cli.Float64Flag{Name: "cores", Usage: "`NUMBER` of processors of the database's machine", DefaultText: "as measured"},
			&cli.IntFlag{Name: "instances", Usage: "`NUMBER` of poolerds", DefaultText: "as many as are needed"},
			&cli.IntFlag{Name: "pool-size", Usage: "`NUMBER` of servers of each poolerd", DefaultText: "as many as are needed"},
			&cli.IntFlag{Name: "replicas", Usage: "`NUMBER` of PostgRESTs"},
			&cli.IntFlag{Name: "db-pool", Usage: "`NUMBER` of connections of each PostgREST"},
			&cli.IntFlag{Name: "max-connections", Usage: "`NUMBER` that PostgreSQL allows"},
			&cli.StringSliceFlag{Name: "what-if", Usage: "`CHANGE` to lay beside it: rtt=5ms, instances=4, replicas=10,db-pool=20, rate=30000, pool-size=40, cores=16; repeated"},
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		OnUsageError: onUsageError,
		Action:       benchPlan,
	}
}

func benchPlan(c *cli.Context) error {
	fitted, err := fittedModel(c)
	if err != nil {
		return err
	}
	question, err := planQuestion(c)
	if err != nil {
		return err
	}
	if question.Rate <= 0 {
		return &usageError{"bench plan: --rate is missing: how many transactions a second shall be carried, as in --rate 2000?"}
	}
	plan, err := fitted.Plan(question)
	if err != nil {
		return &usageError{err.Error()}
	}
	if c.Bool("json") {
		encoder := json.NewEncoder(c.App.Writer)
		encoder.SetIndent("", "  ")
		return encoder.Encode(plan)
	}
	for _, line := range plan.Lines {
		_, _ = fmt.Fprintln(c.App.Writer, line)
	}
	for _, text := range c.StringSlice("what-if") {
		if err := whatIf(c.App.Writer, fitted, question, text); err != nil {
			return err
		}
	}
	return nil
}

// fittedModel is that of the results named, or of the newest ones here.
func fittedModel(c *cli.Context) (*model.Model, error) {
	if c.NArg() > 1 {
		return nil, &usageError{fmt.Sprintf("bench plan: one file of results is read, and %d were named; flags come first", c.NArg())}
	}
	path := c.Args().First()
	if path == "" {
		found, _ := filepath.Glob("poolerd-bench-*/" + resultsFile)
		if len(found) == 0 {
			return nil, &usageError{"bench plan: there is no poolerd-bench-* folder here; run poolerd bench first, or name its results.jsonl"}
		}
		path = slices.Max(found) // the folders are named by the time
	}
	results, err := readResults(path)
	if err != nil {
		return nil, err
	}
	if results.Model == nil || results.Model.Parameters == nil {
		return nil, fmt.Errorf("%s holds no model: it is fitted by a poolerd bench over three pool sizes or more", path)
	}
	// What was read as JSON of any kind becomes the model's own.
	text, err := json.Marshal(results.Model.Parameters)
	if err != nil {
		return nil, err
	}
	var parameters model.Parameters
	if err := json.Unmarshal(text, &parameters); err != nil {
		return nil, fmt.Errorf("%s: the model's parameters: %w", path, err)
	}
	return model.New(parameters)
}

func planQuestion(c *cli.Context) (model.Question, error) {
	q := model.Question{
		Rate: c.Float64("rate"), RTT: c.Duration("rtt"), ClientLatency: c.Duration("client-latency"), ServerCores: c.Float64("cores"),
		Instances: c.Int("instances"), PoolSize: c.Int("pool-size"), Replicas: c.Int("replicas"), DBPool: c.Int("db-pool"), MaxConnections: c.Int("max-connections"),
	}
	if text := c.String("slo"); text != "" {
		slo, err := load.ParseSLO(text)
		if err != nil {
			return q, &usageError{err.Error()}
		}
		q.SLO = &model.SLO{Quantile: slo.Quantile, Limit: slo.Limit}
	}
	return q, nil
}

// whatIf lays a change beside the plan.
func whatIf(w io.Writer, fitted *model.Model, q model.Question, text string) error {
	change, err := parseChange(text)
	if err != nil {
		return &usageError{err.Error()}
	}
	comparison, err := fitted.WhatIf(q, change)
	if err != nil {
		return &usageError{fmt.Sprintf("--what-if %s: %v", text, err)}
	}
	_, _ = fmt.Fprintf(w, "\nWhat if %s?\n", text)
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range comparison.Rows {
		_, _ = fmt.Fprintf(table, "  %s\t%s\t%s\n", row.What, row.Before, row.After)
	}
	return table.Flush()
}

// parseChange reads "rtt=5ms,instances=4".
func parseChange(text string) (model.Change, error) {
	var change model.Change
	for part := range strings.SplitSeq(text, ",") {
		name, value, found := strings.Cut(strings.TrimSpace(part), "=")
		var err error
		switch name {
		case "rtt":
			change.RTT, err = time.ParseDuration(value)
		case "rate":
			change.Rate, err = strconv.ParseFloat(value, 64)
		case "cores":
			change.ServerCores, err = strconv.ParseFloat(value, 64)
		case "instances":
			change.Instances, err = strconv.Atoi(value)
		case "pool-size":
			change.PoolSize, err = strconv.Atoi(value)
		case "replicas":
			change.Replicas, err = strconv.Atoi(value)
		case "db-pool":
			change.DBPool, err = strconv.Atoi(value)
		default:
			err = errors.New("is not known")
		}
		if !found || err != nil {
			return change, fmt.Errorf("--what-if %s: %q: give changes as in rtt=5ms, rate=30000, cores=16, instances=4, pool-size=40 or replicas=10,db-pool=20", text, part)
		}
	}
	return change, nil
}
