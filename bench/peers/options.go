package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// options are what the command line asks for.
type options struct {
	poolerd     string
	poolerdArgs []string
	pgbouncer   string
	versus      string
	noise       bool

	loads        []load
	clients      []int
	rounds       int // 0: no matrix
	seconds      int // length of a window
	warmup       int // seconds before a window, at least 1
	directRounds int
	poolSize     int
	jobs         int
	scale        int
	seed         uint64
	strace       bool
	idle         int // clients of the idle measurement, 0 for none

	out string
}

// What --quick changes.
const (
	quickRounds       = "3"
	quickSeconds      = "3"
	quickClients      = "16,64"
	quickDirectRounds = "1"
)

// parseOptions reads the command line. flag.ErrHelp stands for --help, whose
// text has then been written to output.
func parseOptions(args []string, output io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("peers", flag.ContinueOnError)
	flags.SetOutput(output)
	flags.StringVar(&o.poolerd, "poolerd", "bin/poolerd", "`path` of the poolerd binary to measure")
	poolerdArgs := flags.String("poolerd-args", "", "further `arguments` of poolerd serve, divided at spaces")
	flags.StringVar(&o.pgbouncer, "pgbouncer", "", "`path` of PgBouncer (else $PGBOUNCER, else the PATH)")
	flags.StringVar(&o.versus, "versus", "", "compare with the poolerd binary at `path` in place of PgBouncer")
	flags.BoolVar(&o.noise, "noise", false, "compare PgBouncer with a second PgBouncer: the spread of this machine")
	cases := flags.String("cases", "all", "comma-separated `names` of the loads, or all")
	clients := flags.String("clients", "1,16,64,256,1000", "comma-separated `numbers` of clients")
	flags.IntVar(&o.rounds, "rounds", 7, "shuffled `rounds` of each cell, 0 for no load at all")
	flags.IntVar(&o.seconds, "seconds", 5, "`seconds` of a window")
	flags.IntVar(&o.warmup, "warmup", 1, "`seconds` between the last login and the window")
	flags.IntVar(&o.directRounds, "direct-rounds", 2, "`rounds` in which PostgreSQL without a pooler runs too (at 1 client: all)")
	flags.IntVar(&o.poolSize, "pool-size", 20, "server `connections` of each pooler")
	flags.IntVar(&o.jobs, "jobs", 2, "`threads` of pgbench, at most one for each client")
	flags.IntVar(&o.scale, "scale", 10, "`scale` of pgbench's tables")
	flags.Uint64Var(&o.seed, "seed", 1, "`number` that the order of the peers is drawn from")
	flags.BoolVar(&o.strace, "strace", false, "count system calls too, in one more run of each pooler a cell (needs strace)")
	flags.IntVar(&o.idle, "idle", 0, "measure the memory of this many idle `clients` too, such as 5000")
	flags.StringVar(&o.out, "out", "", "write the table to this `file` too")
	quick := flags.Bool("quick", false, fmt.Sprintf("%s rounds of %s s with %s clients, where not said otherwise", quickRounds, quickSeconds, quickClients))
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("argument %q: only flags are known, see --help", flags.Arg(0))
	}
	if *quick {
		if err := applyQuick(flags); err != nil {
			return o, err
		}
	}
	o.poolerdArgs = strings.Fields(*poolerdArgs)
	var err1, err2 error
	o.loads, err1 = chooseLoads(*cases)
	o.clients, err2 = parseClients(*clients)
	return o, errors.Join(err1, err2, o.check())
}

// applyQuick sets the flags that --quick changes and that were not given.
func applyQuick(flags *flag.FlagSet) error {
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var errs []error
	for name, value := range map[string]string{
		"rounds": quickRounds, "seconds": quickSeconds, "clients": quickClients, "direct-rounds": quickDirectRounds,
	} {
		if !given[name] {
			errs = append(errs, flags.Set(name, value))
		}
	}
	return errors.Join(errs...)
}

// parseClients reads a list such as "1,16,64".
func parseClients(list string) ([]int, error) {
	var clients []int
	for field := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(field))
		if err != nil || n < 1 || n > maxClients {
			return nil, fmt.Errorf("--clients has %q, wanted whole numbers from 1 to %d divided by commas", field, maxClients)
		}
		clients = append(clients, n)
	}
	return clients, nil
}

// maxClients keeps a typing error from asking for a connection storm.
const maxClients = 20_000

func (o options) check() error {
	for _, b := range []struct {
		flag            string
		value, low, top int
	}{
		{"--rounds", o.rounds, 0, 1000},
		{"--seconds", o.seconds, 1, 600},
		{"--warmup", o.warmup, 1, 600},
		{"--direct-rounds", o.directRounds, 0, 1000},
		{"--pool-size", o.poolSize, 1, 1000},
		{"--jobs", o.jobs, 1, 64},
		{"--scale", o.scale, 1, 1000},
		{"--idle", o.idle, 0, maxClients},
	} {
		if b.value < b.low || b.value > b.top {
			return fmt.Errorf("%s %d: must be from %d to %d", b.flag, b.value, b.low, b.top)
		}
	}
	if o.noise && o.versus != "" {
		return errors.New("--noise and --versus both name what to compare with: give one of them")
	}
	if o.rounds == 0 && o.idle == 0 {
		return errors.New("--rounds 0 without --idle leaves nothing to measure")
	}
	return nil
}

// serverConnections is how many connections PostgreSQL must take: all clients
// when they come without a pooler, beside two idle poolers.
func (o options) serverConnections() int {
	most := 0
	for _, n := range o.clients {
		most = max(most, n)
	}
	if o.directRounds == 0 || o.rounds == 0 {
		most = 1
	}
	return most + 2*o.poolSize + 20
}
