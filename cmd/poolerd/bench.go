package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/urfave/cli/v2"

	"poolerd/bench/sweep"
)

func benchCommand() *cli.Command {
	return &cli.Command{
		Name:  "bench",
		Usage: "measure how large the pool should be, and what it will carry",
		Description: "Without arguments it starts a private PostgreSQL with sample data and a poolerd at each pool size before it, puts PostgREST's mix of requests on them,\n" +
			"and ends with a table, a recommendation in plain words, and a folder with report.html, results.jsonl and results.csv.\n\n" +
			"  poolerd bench --quick                                             half a minute instead of three\n" +
			"  poolerd bench --server-latency 1ms                                as if PostgreSQL were a millisecond away\n" +
			"  poolerd bench --upstream postgres://... --script mine.sql         your database, your statements\n" +
			"  poolerd bench --target old=postgres://...:6432/app --target new=postgres://...:6433/app --workload select-only --rounds 7\n" +
			"  poolerd bench --slo p99=20ms                                      the largest rate that keeps it\n" +
			"  poolerd bench --http http://127.0.0.1:3000                        a PostgREST with all that is behind it",
		Flags:           benchFlags(),
		OnUsageError:    onUsageError,
		Action:          bench,
		HideHelpCommand: true,
		Subcommands:     []*cli.Command{benchPlanCommand(), benchReportCommand(), benchCompareCommand(), benchReplayCommand()},
	}
}

// bench measures, and leaves a folder.
func bench(c *cli.Context) error {
	if c.NArg() > 0 {
		return &usageError{fmt.Sprintf("bench has no command %q: give plan, report, compare or replay, or only flags; see poolerd help bench", c.Args().First())}
	}
	options, err := benchOptions(c)
	if err != nil {
		return &usageError{err.Error()}
	}
	if err := options.Check(); err != nil {
		return &usageError{err.Error()}
	}
	out, err := openOutput(c.String("out"), c.Bool("force"))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends everything at once

	progress := newProgress(os.Stderr)
	options.Watch, options.Write = progress, out.records
	results, err := sweep.Run(ctx, options)
	progress.finish()
	if results == nil {
		return errors.Join(err, out.discard())
	}
	return errors.Join(err, out.finish(c.App.Writer, results))
}
