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
		Description: "Prints every problem and every setting without effect, one a line, or that the file is in order. It looks at the file, at those that it\n" +
			"includes and at auth_file, not at POOLERD_* variables. The exit code is 2 when there is a problem.",
		Flags:        []cli.Flag{&cli.StringFlag{Name: "config", Usage: "the `FILE` to check", Aliases: []string{"c"}}},
		OnUsageError: onUsageError,
		Before:       noArguments,
		Action: func(c *cli.Context) error {
			path := c.String("config")
			if path == "" {
				return &usageError{"--config is missing; name the file to check"}
			}
			return check(c.App.Writer, path)
		},
	}
}

// check writes what is to be said about a file, and gives errReported when it has a problem.
func check(w io.Writer, path string) error {
	cfg, warnings, err := config.Load(path)
	if err == nil {
		_, secretsErr := cfg.Secrets()
		err = merge(cfg.Check(), secretsErr)
		if len(cfg.Databases) == 0 {
			warnings = append(warnings, config.Warning{Origin: config.Origin{File: path}, Key: "[databases]", Reason: "names no database, so that serve needs --upstream"})
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
