package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// translate turns PgBouncer's command line, "pgbouncer [OPTION]... CONFIG_FILE", into one of ours: whoever changes the name of the binary in a service file changes nothing else.
// ok tells whether it was PgBouncer's: its first argument is a flag or a file, not a command.
func translate(args []string) (ours []string, ok bool, err error) {
	if len(args) < 2 || !isPgBouncers(args[1]) {
		return args, false, nil
	}
	var (
		flags   = pflag.NewFlagSet("poolerd", pflag.ContinueOnError)
		daemon  = flags.BoolP("daemon", "d", false, "")
		quiet   = flags.BoolP("quiet", "q", false, "")
		reboot  = flags.BoolP("reboot", "R", false, "")
		user    = flags.StringP("user", "u", "", "")
		verbose = flags.CountP("verbose", "v", "")
		version = flags.BoolP("version", "V", false, "")
	)
	flags.Usage = func() {}
	flags.SetOutput(io.Discard)
	switch err := flags.Parse(args[1:]); {
	case errors.Is(err, pflag.ErrHelp):
		return []string{args[0], "--help"}, true, nil
	case err != nil:
		return nil, true, &usageError{err.Error() + "; see poolerd --help"}
	case *version:
		return []string{args[0], "version"}, true, nil
	case *reboot:
		return nil, true, &usageError{rebootRefused}
	case flags.NArg() == 0:
		return nil, true, &usageError{"no configuration file is named; give poolerd [-d] [-q] [-v] [-u USER] FILE, or see poolerd --help"}
	case flags.NArg() > 1:
		return nil, true, &usageError{strconv.Quote(flags.Arg(1)) + " is one argument too many: one configuration file is taken"}
	}
	ours = []string{args[0], "serve", "--" + asPgBouncer, "--config", flags.Arg(0)}
	if *daemon {
		ours = append(ours, "--daemon")
	}
	if *quiet {
		ours = append(ours, "--quiet")
	}
	if *verbose > 0 {
		ours = append(ours, "--verbose", strconv.Itoa(min(*verbose, maxVerbose)))
	}
	if *user != "" {
		ours = append(ours, "--user", *user)
	}
	return ours, true, nil
}

// asPgBouncer is the flag by which serve knows that it was called so: then log_format = auto is PgBouncer's lines wherever nobody watches, for whoever reads them from the journal or
// the container.
const asPgBouncer = "as-pgbouncer"

// maxVerbose is the largest value of the key verbose.
const maxVerbose = 3

// rebootRefused says why there is no --reboot, which PgBouncer itself advises against, and what takes its place.
const rebootRefused = "--reboot (-R) is not supported: sockets are not handed from process to process. To restart without losing a client set so_reuseport = 1 " +
	"and give each process a unix_socket_dir and a pidfile of its own; start the new process, then send SIGTERM to the old one, which takes no more clients and ends with its last"

// isPgBouncers tells a flag of PgBouncer or a file from one of our commands and flags.
func isPgBouncers(first string) bool {
	ours := []string{"serve", "bench", "check", "version", "help", "h", "--help", "-h", "--generate-bash-completion"}
	switch {
	case first == "" || slices.Contains(ours, first):
		return false
	case strings.HasPrefix(first, "-"):
		return true
	case strings.ContainsRune(first, filepath.Separator) || filepath.Ext(first) == ".ini":
		return true
	}
	info, err := os.Stat(first)
	return err == nil && !info.IsDir()
}
