// Command poolerd is a connection pooler for PostgreSQL: see "poolerd help".
//
// It ends with 0 when all went well, 2 when its flags or its settings are wrong, and 1 when it failed at run time. Started with PgBouncer's command line it ends, as
// PgBouncer does, with 1 for all that went wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"poolerd/pool/config"
)

// The exit codes.
const (
	exitOK    = 0
	exitFail  = 1
	exitUsage = 2
)

func main() {
	os.Exit(run(context.Background(), os.Args, os.Stdout, os.Stderr))
}

// run is the whole program. An error is written to stderr, each problem on a line of its own.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 2 && args[1] == "help" {
		// The library's help of a command leaves out the flags where there are commands below it; its --help does not.
		args = append(append([]string{args[0]}, args[2:]...), "--help")
	}
	args, asPgBouncer, err := translate(args)
	if err == nil {
		err = newApp(stdout, stderr).RunContext(ctx, args)
	}
	if err == nil {
		return exitOK
	}
	if _, told := errors.AsType[*backgroundError](err); !told && !errors.Is(err, errReported) {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			_, _ = fmt.Fprintln(stderr, "poolerd: "+line)
		}
	}
	if asPgBouncer {
		return exitFail
	}
	return exitCode(err)
}

// usageError is a mistake in the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

// errReported ends a command that has already said what is wrong with the settings.
var errReported = errors.New("problems were reported")

func exitCode(err error) int {
	var (
		usage *usageError
		one   *config.Error
	)
	if errors.As(err, &usage) || errors.As(err, &one) || errors.Is(err, errReported) {
		return exitUsage
	}
	return exitFail
}

func newApp(stdout, stderr io.Writer) *cli.App {
	return &cli.App{
		Name:                 "poolerd",
		Usage:                "a connection pooler for PostgreSQL",
		UsageText:            "poolerd COMMAND [flags]\npoolerd [-d] [-q] [-v]... [-u USER] FILE   PgBouncer's command line: serve with PgBouncer's configuration file; -V is the version",
		Version:              version(),
		HideVersion:          true, // the command version tells more
		Writer:               stdout,
		ErrWriter:            stderr,
		Commands:             []*cli.Command{serveCommand(), benchCommand(), checkCommand(), versionCommand()},
		Action:               unknownCommand,
		OnUsageError:         onUsageError,
		ExitErrHandler:       func(*cli.Context, error) {}, // run writes errors
		EnableBashCompletion: true,
		// A comma is part of many values: of URLs with several hosts, of passwords, of --what-if. A flag is repeated instead.
		DisableSliceFlagSeparator: true,
	}
}

// unknownCommand is reached when the first argument names no command.
func unknownCommand(c *cli.Context) error {
	if c.NArg() == 0 {
		return cli.ShowAppHelp(c)
	}
	return &usageError{fmt.Sprintf("unknown command %q; give serve, bench, check or version, or see poolerd help", c.Args().First())}
}

// onUsageError makes what the flag parser says one line with a way out.
func onUsageError(c *cli.Context, err error, _ bool) error {
	return &usageError{err.Error() + "; see poolerd help " + c.Command.Name}
}

// noArguments refuses what a command would otherwise ignore.
func noArguments(c *cli.Context) error {
	if c.NArg() > 0 {
		return &usageError{fmt.Sprintf("%s takes no argument, and %q was given; see poolerd help %s", c.Command.Name, c.Args().First(), c.Command.Name)}
	}
	return nil
}
