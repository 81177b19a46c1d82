package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"poolerd/bench/proc"
	"poolerd/bench/replay"
	"poolerd/bench/report"
	"poolerd/bench/sweep"
)

func benchReplayCommand() *cli.Command {
	return &cli.Command{
		Name:      "replay",
		Usage:     "play recorded traffic against a server or a pooler, and set what comes of it beside what was recorded",
		ArgsUsage: "recording",
		Description: "A recording is made by poolerd serve --record FILE: messages and their timing, without logins and secrets, parameters replaced by stand-ins of the same\n" +
			"length unless --record-parameters kept was given. It WRITES to the target what the recorded clients wrote: use a copy of the database.\n\n" +
			"  poolerd bench replay --target postgres://app@127.0.0.1:6432/copy --speed 2 monday.rec",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "target", Usage: "`URL` to play it against", Required: true},
			&cli.Float64Flag{Name: "speed", Value: 1, Usage: "`TIMES` as fast as recorded; 0 is without any pause"},
			&cli.IntFlag{Name: "clients", Usage: "largest `NUMBER` of clients at a time", DefaultText: "as recorded"},
			&cli.StringSliceFlag{Name: "user", Usage: "`RECORDED=USER` to log in as in place of a recorded user; repeated", DefaultText: "the target's"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FOLDER` for report.html, results.jsonl and results.csv", DefaultText: "poolerd-bench-DATE-TIME"},
			&cli.BoolFlag{Name: "force", Usage: "write over results that are in the folder already"},
		},
		OnUsageError: onUsageError,
		Action:       benchReplay,
	}
}

func benchReplay(c *cli.Context) error {
	if c.NArg() != 1 {
		return &usageError{fmt.Sprintf("bench replay: name one recording, made by poolerd serve --record FILE; %d were named; flags come first", c.NArg())}
	}
	recording, err := replay.Load(c.Args().First())
	if err != nil {
		return err
	}
	options := replay.Options{Recording: recording, Target: c.String("target"), Speed: c.Float64("speed"), MaxClients: c.Int("clients"), Users: map[string]string{}}
	for _, text := range c.StringSlice("user") {
		recorded, user, found := strings.Cut(text, "=")
		if !found {
			return &usageError{fmt.Sprintf("--user %q: give RECORDED=USER, as in --user authenticator=tester", text)}
		}
		options.Users[recorded] = user
	}
	out, err := openOutput(c.String("out"), c.Bool("force"))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends everything at once

	progress := newProgress(os.Stderr)
	progress.Begin(1, lengthOf(recording, options.Speed))
	options.Progress = func(part float64) { progress.Advance("replay", part) }
	result, comparison, err := replay.Run(ctx, options)
	progress.finish()
	if err != nil {
		return errors.Join(err, out.discard())
	}
	run := report.Run{Target: "replay", Round: 1, Clients: recording.Peak, Workload: "recording", Protocol: "as recorded"}
	sweep.Fill(&run, result)
	results := &report.Results{
		Header: report.Header{
			Format: report.Format, Started: result.Started, Program: "poolerd bench replay " + version(), Command: shownCommand(os.Args),
			Cores: runtime.NumCPU(), Processor: proc.Model(), System: proc.System(), Workload: "recording", Protocol: "as recorded", Notes: comparison.Notes(),
		},
		Runs: []report.Run{run},
	}
	err = errors.Join(out.records.Header(results.Header), out.records.Run(run))
	for _, line := range comparison.Lines() {
		_, _ = fmt.Fprintln(c.App.Writer, line)
	}
	err = errors.Join(err, out.finish(c.App.Writer, results))
	if ctx.Err() != nil {
		err = errors.Join(sweep.ErrInterrupted, err)
	}
	return err
}

// lengthOf is about how long a recording plays.
func lengthOf(recording *replay.Recording, speed float64) time.Duration {
	if speed <= 0 {
		return 0
	}
	return time.Duration(float64(recording.Span) / speed)
}
