package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v2"

	"poolerd/bench/report"
)

func benchReportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "write the table, report.html and results.csv of results again",
		ArgsUsage: "results.jsonl...",
		Description: "Several files become one report: their runs are put together as further rounds.\n" +
			"A folder that poolerd bench has left may be named in place of its results.jsonl.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FOLDER` for report.html and results.csv", DefaultText: "that of the first file"},
			&cli.BoolFlag{Name: "table", Usage: "print the table only, and write no file"},
		},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return &usageError{"bench report: name at least one results.jsonl, or a folder that holds one"}
			}
			results, err := readResults(c.Args().Slice()...)
			if err != nil {
				return err
			}
			show(c.App.Writer, results)
			if c.Bool("table") {
				return nil
			}
			dir := c.String("out")
			if dir == "" {
				dir = filepath.Dir(resultsIn(c.Args().First()))
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			if err := render(dir, results); err != nil {
				return err
			}
			_, err = fmt.Fprintf(c.App.Writer, "\n%s\n", filepath.Join(dir, reportFile))
			return err
		},
	}
}

func benchCompareCommand() *cli.Command {
	return &cli.Command{
		Name:      "compare",
		Usage:     "say what has become better or worse between two benches; exit code 1 when something is worse beyond the noise",
		ArgsUsage: "old new",
		Description: "old and new are results.jsonl files or the folders of poolerd bench. Runs of the same target, load and pool size are compared: throughput, latency\n" +
			"and processor time. What the noise of the runs could explain is called so.",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", Usage: "print JSON"},
		},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			if c.NArg() != 2 {
				return &usageError{fmt.Sprintf("bench compare: name two results, the old and the new; %d were named", c.NArg())}
			}
			old, err := readResults(c.Args().Get(0))
			if err != nil {
				return err
			}
			now, err := readResults(c.Args().Get(1))
			if err != nil {
				return err
			}
			comparison, err := report.Compare(old, now, report.Options{})
			if err != nil {
				return err
			}
			if c.Bool("json") {
				err = comparison.WriteJSON(c.App.Writer)
			} else {
				err = comparison.WriteText(c.App.Writer, width(c.App.Writer))
			}
			if err == nil && comparison.Worse() {
				return errWorse
			}
			return err
		},
	}
}

// errWorse ends a comparison that has said what is worse.
var errWorse = errors.New("worse than before")

// readResults reads files, or the folders that hold them.
func readResults(paths ...string) (*report.Results, error) {
	files := make([]string, len(paths))
	for i, p := range paths {
		files[i] = resultsIn(p)
	}
	return report.ReadFiles(files...)
}

func resultsIn(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return filepath.Join(path, resultsFile)
	}
	return path
}
