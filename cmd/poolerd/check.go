package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"poolerd/pool/config"
)

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:  "check",
		Usage: "read a configuration file and say what is wrong with it",
		Description: "Prints every problem, every setting without effect and every dangerous one, one a line, or that the file is in order. It looks at the file, at\n" +
			"those that it includes and at those that it names, not at POOLERD_* variables. The exit code is 2 when there is a problem, and 0 when\n" +
			"there are warnings only.",
		ArgsUsage:    "FILE",
		Flags:        []cli.Flag{&cli.StringFlag{Name: "config", Usage: "the `FILE` to check", Aliases: []string{"c"}}},
		OnUsageError: onUsageError,
		Action: func(c *cli.Context) error {
			path := c.String("config")
			switch {
			case c.NArg() > 1 || c.NArg() == 1 && path != "":
				return &usageError{fmt.Sprintf("unexpected %q; name one file to check", c.Args().Get(c.NArg()-1))}
			case c.NArg() == 1:
				path = c.Args().First()
			case path == "":
				return &usageError{"the file to check is missing; write poolerd check FILE"}
			}
			return check(c.App.Writer, path)
		},
	}
}

// check writes what is to be said about a file, and gives errReported when it has a problem.
func check(w io.Writer, path string) error {
	cfg, warnings, err := config.Load(path)
	if err == nil {
		err = merge(cfg.Check(), cfg.CheckFiles())
		warnings = append(warnings, cfg.Warnings()...)
		if len(cfg.Databases) == 0 {
			warnings = append(warnings, noDatabases(path))
		}
	}
	for _, warning := range warnings {
		if _, err := fmt.Fprintln(w, "warning:", warning); err != nil {
			return err
		}
	}
	if err == nil {
		_, err = fmt.Fprintf(w, "%s: ok\n", path)
		return err
	}
	if _, err := fmt.Fprintln(w, err); err != nil {
		return err
	}
	return errReported
}

// noDatabases warns of a file by which nothing is pooled.
func noDatabases(path string) config.Warning {
	return config.Warning{Origin: config.Origin{File: path}, Key: "[databases]", Reason: "names no database, so that there is only the console", Hint: "add one, or give serve --upstream"}
}

// merge makes one list of the problems in several errors, nil when there is none.
func merge(errs ...error) error {
	var all config.Errors
	for _, err := range errs {
		var (
			many config.Errors
			one  *config.Error
		)
		switch {
		case err == nil:
		case errors.As(err, &many):
			all = append(all, many...)
		case errors.As(err, &one):
			all = append(all, one)
		default:
			all = append(all, &config.Error{Reason: err.Error()})
		}
	}
	if len(all) == 0 {
		return nil
	}
	return all
}
