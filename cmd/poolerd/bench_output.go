package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/term"

	"poolerd/bench/report"
)

// output is the folder that a bench leaves.
type output struct {
	dir     string
	made    bool // here: to be removed if nothing came of it
	file    *os.File
	records *report.Writer
}

const (
	resultsFile = "results.jsonl"
	csvFile     = "results.csv"
	reportFile  = "report.html"
)

// openOutput makes the folder, and begins results.jsonl in it.
func openOutput(dir string, force bool) (*output, error) {
	if dir == "" {
		dir = "poolerd-bench-" + time.Now().Format("20060102-150405")
	}
	o := &output{dir: dir}
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		o.made = true
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	path := filepath.Join(dir, resultsFile)
	if _, err := os.Stat(path); err == nil && !force {
		return nil, &usageError{fmt.Sprintf("--out %s: it holds results already; name another folder, or add --force to write over them", dir)}
	}
	file, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	o.file, o.records = file, report.NewWriter(file)
	return o, nil
}

// discard removes what was begun, when there is no result at all.
func (o *output) discard() error {
	err := errors.Join(o.file.Close(), os.Remove(o.file.Name()))
	if o.made {
		err = errors.Join(err, os.Remove(o.dir))
	}
	return err
}

// finish writes the table to w, and the other files beside results.jsonl.
func (o *output) finish(w io.Writer, results *report.Results) error {
	err := o.file.Close()
	show(w, results)
	err = errors.Join(err, render(o.dir, results))
	if err == nil {
		_, _ = fmt.Fprintf(w, "\n%s\n  the report, for a browser; %s and %s lie beside it\n", filepath.Join(o.dir, reportFile), resultsFile, csvFile)
	}
	return err
}

// render writes report.html and results.csv to a folder.
func render(dir string, results *report.Results) error {
	return errors.Join(
		write(filepath.Join(dir, csvFile), results, report.CSV),
		write(filepath.Join(dir, reportFile), results, report.HTML),
	)
}

func write(path string, results *report.Results, as func(io.Writer, *report.Results) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(as(file, results), file.Close())
}

// show prints the table, and under it the answer in plain words.
func show(w io.Writer, results *report.Results) {
	_ = report.Table(w, results, width(w))
}

// width is how many columns w has, 100 where it is no terminal.
func width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 40 {
			return columns
		}
	}
	return 100
}
