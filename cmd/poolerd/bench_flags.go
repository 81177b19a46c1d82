package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"poolerd/bench/load"
	"poolerd/bench/sweep"
	"poolerd/bench/workload"
)

// The groups of flags in the help text.
const (
	whomFlags = "Whom to measure"
	whatFlags = "What the clients say"
	loadFlags = "How much of it"
	outFlags  = "What comes out"
)

func benchFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "quick", Category: loadFlags, Usage: "half a minute instead of three: fewer pool sizes, short runs"},

		&cli.StringFlag{Name: "pool-sizes", Category: whomFlags, Usage: "pool sizes to try, as a `LIST`", DefaultText: "1,2,4,8,16,32; quick: 1,2,4,8,16"},
		&cli.StringFlag{Name: "upstream", Category: whomFlags, Usage: "`URL` of your own PostgreSQL, before which poolerd is started at each pool size", DefaultText: "a private PostgreSQL"},
		&cli.StringFlag{Name: "serve-args", Category: whomFlags, Usage: "further `ARGUMENTS` of each poolerd serve, as in \"--defer-begin=false\""},
		&cli.BoolFlag{Name: "direct", Category: whomFlags, Usage: "measure PostgreSQL without a pooler as well"},
		&cli.StringSliceFlag{Name: "target", Category: whomFlags, Usage: "`NAME=URL` of a server or a pooler of your own; repeated, they are measured in turn and compared"},
		&cli.StringSliceFlag{Name: "pid", Category: whomFlags, Usage: "`NAME=PID` of a target's process on this machine, whose processor time and memory are read"},
		&cli.StringSliceFlag{Name: "pooler-cmd", Category: whomFlags, Usage: "`NAME=COMMAND` that starts a target; its processor time and memory are read, and it is ended afterwards"},
		&cli.StringFlag{Name: "http", Category: whomFlags, Usage: "`URL` of a PostgREST, or of any HTTP server (with --http-requests)"},
		&cli.StringFlag{Name: "http-token", Category: whomFlags, Usage: "`TOKEN` (a JWT) that its requests carry; without one, requests that write are left out", EnvVars: []string{"POOLERD_BENCH_HTTP_TOKEN"}},
		&cli.StringFlag{Name: "http-secret", Category: whomFlags, Usage: "the server's `SECRET` (jwt-secret), by which a token for web_user is signed", EnvVars: []string{"POOLERD_BENCH_HTTP_SECRET"}},
		&cli.StringFlag{Name: "http-requests", Category: whomFlags, Usage: "`FILE` of requests, one a line: METHOD /path [body]"},
		&cli.DurationFlag{Name: "server-latency", Category: whomFlags, Usage: "round trip `TIME` that is put between poolerd and PostgreSQL"},
		&cli.IntFlag{Name: "scale", Category: whomFlags, Value: 1, Usage: "size of the private PostgreSQL's sample, a `NUMBER` from 1"},
		&cli.BoolFlag{Name: "without-index", Category: whomFlags, Usage: "leave the sample without the indexes that its requests need, to see what the advice says"},
		&cli.BoolFlag{Name: "without-partitions", Category: whomFlags, Usage: "divide the sample by the wrong column into 32 partitions, to see what the advice says"},

		&cli.StringFlag{Name: "workload", Category: whatFlags, Value: "postgrest", Usage: "`NAME` of a built-in workload: " + workloadNames()},
		&cli.StringSliceFlag{Name: "script", Category: whatFlags, Usage: "`FILE` in pgbench's script format, instead of a built-in workload; repeated, FILE@WEIGHT"},
		&cli.StringFlag{Name: "mix", Category: whatFlags, Usage: "`SPEC` of workloads and scripts with their shares, as in get-by-pk=60,post=10,mine.sql=30"},
		&cli.StringSliceFlag{Name: "define", Category: whatFlags, Aliases: []string{"D"}, Usage: "`NAME=VALUE` of a script's variable"},
		&cli.StringFlag{Name: "protocol", Category: whatFlags, Aliases: []string{"M"}, Value: "prepared", Usage: "`HOW` statements travel: prepared, unprepared or simple"},
		&cli.DurationFlag{Name: "client-latency", Category: whatFlags, Usage: "`TIME` that a client thinks between the statements of a transaction"},

		&cli.StringFlag{Name: "clients", Category: loadFlags, Aliases: []string{"c"}, Usage: "numbers of clients to try, as a `LIST`", DefaultText: "8,32,128; quick: 8,32; with --target or --http: 32"},
		&cli.StringFlag{Name: "rates", Category: loadFlags, Aliases: []string{"rate", "R"}, Usage: "transactions a second that are started whether or not earlier ones have ended (open loop), as a `LIST`; --clients bounds how many run at once"},
		&cli.StringFlag{Name: "arrivals", Category: loadFlags, Value: "poisson", Usage: "`HOW` they are spread: poisson or even"},
		&cli.StringFlag{Name: "slo", Category: loadFlags, Usage: "`LIMIT` that the recommendation must keep and whose largest rate is searched, as in p99=20ms"},
		&cli.IntFlag{Name: "rounds", Category: loadFlags, Usage: "`NUMBER` of times that everything is measured, in shuffled order", DefaultText: "2; with --target: 5, quick: 2"},
		&cli.DurationFlag{Name: "duration", Category: loadFlags, Aliases: []string{"T"}, Usage: "`TIME` that a run is measured", DefaultText: "2.2s; quick: 650ms"},
		&cli.DurationFlag{Name: "warmup", Category: loadFlags, Usage: "`TIME` before that, which does not count", DefaultText: "600ms; quick: 250ms"},
		&cli.IntFlag{Name: "threads", Category: loadFlags, Usage: "`NUMBER` of processors that the load generator may use", DefaultText: "a quarter of the machine's, at least 1"},
		&cli.Uint64Flag{Name: "seed", Category: loadFlags, Value: 1, Usage: "`NUMBER` that all chance follows from"},

		&cli.StringFlag{Name: "out", Category: outFlags, Aliases: []string{"o"}, Usage: "`FOLDER` for report.html, results.jsonl and results.csv", DefaultText: "poolerd-bench-DATE-TIME"},
		&cli.BoolFlag{Name: "force", Category: outFlags, Usage: "write over results that are in the folder already"},
		&cli.BoolFlag{Name: "no-advice", Category: outFlags, Usage: "do not look at the database's side (pg_stat_statements, waits, plans)"},
	}
}

func workloadNames() string {
	var names []string
	for _, w := range workload.Builtins() {
		names = append(names, w.Name)
	}
	return strings.Join(names, ", ")
}

// benchOptions makes the flags one Options. All problems come together.
func benchOptions(c *cli.Context) (*sweep.Options, error) {
	quick := c.Bool("quick")
	own := !c.IsSet("target") && !c.IsSet("http")
	o := &sweep.Options{
		Upstream: c.String("upstream"), Direct: c.Bool("direct"), Args: strings.Fields(c.String("serve-args")),
		Rounds: either(c, "rounds", c.Int("rounds"), defaultRounds(quick, own)), Seed: c.Uint64("seed"), Threads: c.Int("threads"),
		Duration:      either(c, "duration", c.Duration("duration"), pick(quick, 650*time.Millisecond, 2200*time.Millisecond)),
		Warmup:        either(c, "warmup", c.Duration("warmup"), pick(quick, 250*time.Millisecond, 600*time.Millisecond)),
		ClientLatency: c.Duration("client-latency"), ServerLatency: c.Duration("server-latency"),
		Scale: c.Int("scale"), Advice: !c.Bool("no-advice"),
		Program: "poolerd bench " + version(), Command: shownCommand(os.Args),
	}
	var problems []error
	keep := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	var err error
	o.Poolerd, err = os.Executable()
	keep(err)
	if own {
		o.PoolSizes, err = numbers("pool-sizes", either(c, "pool-sizes", c.String("pool-sizes"), pick(quick, "1,2,4,8,16", "1,2,4,8,16,32")))
		keep(err)
	}
	clients := "32"
	if own {
		clients = pick(quick, "8,32", "8,32,128")
	}
	o.Clients, err = numbers("clients", either(c, "clients", c.String("clients"), clients))
	keep(err)
	o.Rates, err = rates(c.String("rates"))
	keep(err)
	o.Arrivals, err = arrivals(c.String("arrivals"))
	keep(err)
	if text := c.String("slo"); text != "" {
		slo, err := load.ParseSLO(text)
		keep(err)
		o.SLO = &slo
	}
	for _, without := range []string{"index", "partitions"} {
		if c.Bool("without-" + without) {
			o.Without = append(o.Without, without)
		}
	}
	o.Targets, err = targets(c)
	keep(err)
	keep(chooseWorkload(c, o))
	return o, errors.Join(problems...)
}

func defaultRounds(quick, own bool) int {
	if quick || own {
		return 2
	}
	return 5
}

func pick[T any](quick bool, short, long T) T {
	if quick {
		return short
	}
	return long
}

// either is a flag's value where it was given, else the default that depends on other flags.
func either[T any](c *cli.Context, flag string, given, otherwise T) T {
	if c.IsSet(flag) {
		return given
	}
	return otherwise
}

// numbers reads a list of whole numbers, each once, in ascending order.
func numbers(flag, text string) ([]int, error) {
	var all []int
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("--%s %q: %q is not a whole number; give a list as in --%s 4,8,16", flag, text, strings.TrimSpace(part), flag)
		}
		all = append(all, n)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// rates reads a list of transactions a second.
func rates(text string) ([]float64, error) {
	if text == "" {
		return nil, nil
	}
	var all []float64
	for part := range strings.SplitSeq(text, ",") {
		r, err := strconv.ParseFloat(strings.TrimSpace(part), 64)
		if err != nil {
			return nil, fmt.Errorf("--rates %q: %q is not a number of transactions a second; give a list as in --rates 500,1000,2000", text, strings.TrimSpace(part))
		}
		all = append(all, r)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func arrivals(text string) (load.Arrivals, error) {
	switch text {
	case "poisson":
		return load.Poisson, nil
	case "even":
		return load.Even, nil
	}
	return 0, fmt.Errorf("--arrivals %q: must be poisson or even", text)
}

// chooseWorkload sets what the clients say.
func chooseWorkload(c *cli.Context, o *sweep.Options) error {
	if c.IsSet("http") {
		return chooseHTTP(c, o)
	}
	given := 0
	for _, flag := range []string{"workload", "script", "mix"} {
		if c.IsSet(flag) {
			given++
		}
	}
	if given > 1 {
		return errors.New("--workload, --script and --mix exclude each other: put scripts and workloads together in one --mix, as in --mix get-by-pk=60,mine.sql=40")
	}
	var err error
	if o.Protocol, err = workload.ParseProtocol(c.String("protocol")); err != nil {
		return err
	}
	if o.Vars, err = defines(c.StringSlice("define")); err != nil {
		return err
	}
	switch {
	case c.IsSet("script"):
		o.Workload, err = workload.Mix(strings.Join(c.StringSlice("script"), ","), readScript)
	case c.IsSet("mix"):
		o.Workload, err = workload.Mix(c.String("mix"), readScript)
	default:
		o.Workload, err = workload.Builtin(c.String("workload"))
	}
	return err
}

func chooseHTTP(c *cli.Context, o *sweep.Options) error {
	o.HTTP = &sweep.HTTP{URL: c.String("http"), Token: c.String("http-token"), Secret: c.String("http-secret")}
	for _, flag := range []string{"workload", "script", "mix", "protocol", "define"} {
		if c.IsSet(flag) {
			return fmt.Errorf("--%s speaks PostgreSQL's protocol, and --http was given: name your requests in a file with --http-requests", flag)
		}
	}
	if file := c.String("http-requests"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("--http-requests: %w", err)
		}
		o.HTTP.Requests = string(text)
	}
	return nil
}

func readScript(path string) (string, error) {
	text, err := os.ReadFile(path)
	return string(text), err
}

// defines reads NAME=VALUE.
func defines(given []string) (map[string]string, error) {
	vars := map[string]string{}
	for _, text := range given {
		name, value, found := strings.Cut(text, "=")
		if !found || name == "" {
			return nil, fmt.Errorf("--define %q: give NAME=VALUE, as in --define scale=10", text)
		}
		vars[name] = value
	}
	return vars, nil
}
