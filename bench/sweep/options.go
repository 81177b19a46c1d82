package sweep

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"poolerd/bench/load"
	"poolerd/bench/report"
	"poolerd/bench/web"
	"poolerd/bench/workload"
)

// Options say what is measured, and how. The command line's defaults are filled in there; here zero values mean what the comments say.
type Options struct {
	// Workload is what the clients say; nil with HTTP.
	Workload *workload.Workload
	Protocol workload.Protocol
	Vars     map[string]string // variables of scripts (--define)
	HTTP     *HTTP             // drive an HTTP server instead

	// Targets are the user's own, to be compared. None: poolers of our own, at each of PoolSizes, before Upstream.
	Targets   []Target
	Upstream  string   // URL of a PostgreSQL of the user's; "": a private one with the sample
	Poolerd   string   // path of the program that is started at each pool size
	Args      []string // further arguments of its `serve`
	PoolSizes []int
	Direct    bool // measure PostgreSQL without a pooler as well

	Clients  []int
	Rates    []float64 // open loop: each with the largest of Clients; none: closed loop with each of Clients
	Arrivals load.Arrivals
	SLO      *load.SLO // what the recommendation must keep, and the search for the largest rate; nil: no limit

	Rounds   int
	Warmup   time.Duration
	Duration time.Duration
	Seed     uint64
	Threads  int // of the load generator; 0: a quarter of the machine's cores, at least 1

	ClientLatency time.Duration // between the statements of a transaction
	ServerLatency time.Duration // round trip put between pooler and PostgreSQL

	Scale   int      // of the private PostgreSQL's sample
	Without []string // "index", "partitions": what its sample lacks
	Advice  bool     // look at the database's side as well

	Command string         // for the report: the command line, without passwords
	Program string         // "poolerd bench 1.2"
	Write   *report.Writer // takes each record as soon as it is known; may be nil
	Watch   Watcher
}

// Watcher is told how a bench goes on. All calls come from one goroutine.
type Watcher interface {
	// Log is told of each step that a person waits for, in a line.
	Log(format string, args ...any)
	// Begin is told once what is to come: so many runs, about so long.
	Begin(runs int, about time.Duration)
	// Advance is told what is being measured, and which part of the whole is over, from 0 to 1.
	Advance(doing string, part float64)
}

// Target is a server or a pooler of the user's.
type Target struct {
	Name string // unique among the targets
	URL  string // postgres://
	// PID is its process on this machine, whose processor time and memory are read; 0: not known.
	PID int
	// Command starts it (by the shell) before the first run; it is ended after the last.
	Command string
	// PoolSize is told by the user, for the report; 0: not known.
	PoolSize int
}

// HTTP says what is driven over HTTP.
type HTTP struct {
	URL      string
	Token    string // a JWT that goes with each request; without it and Secret, requests that write are left out
	Secret   string // the server's HS256 secret, by which clients sign a token of their own
	Requests string // the user's requests, one a line; "": those of the sample
}

// Check refuses what cannot be measured, all problems at once, each with its way out.
func (o *Options) Check() error {
	var problems []error
	refuse := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if len(o.Clients) == 0 {
		refuse("--clients is empty: give at least one number, as in --clients 8,32,128")
	}
	for _, n := range o.Clients {
		if n < 1 || n > 100000 {
			refuse("--clients %d: must be from 1 to 100000", n)
		}
	}
	if o.own() && len(o.PoolSizes) == 0 && !o.Direct {
		refuse("--pool-sizes is empty: give at least one number, as in --pool-sizes 1,2,4,8,16")
	}
	for _, n := range o.PoolSizes {
		if n < 1 || n > 10000 {
			refuse("--pool-sizes %d: must be from 1 to 10000", n)
		}
	}
	for _, r := range o.Rates {
		if !(r > 0 && r <= 1e6) {
			refuse("--rates %v: must be above 0 and at most 1000000 transactions a second", r)
		}
	}
	if o.Rounds < 1 || o.Rounds > 1000 {
		refuse("--rounds %d: must be from 1 to 1000", o.Rounds)
	}
	if o.Duration < 100*time.Millisecond {
		refuse("--duration %v: must be 100ms at least, or the figures mean nothing", o.Duration)
	}
	if o.Threads < 0 || o.Threads > 1024 {
		refuse("--threads %d: must be from 1 to 1024, or 0 for a quarter of the machine's cores", o.Threads)
	}
	if o.Warmup < 0 {
		refuse("--warmup %v: must not be negative", o.Warmup)
	}
	if o.ClientLatency < 0 || o.ServerLatency < 0 {
		refuse("--client-latency and --server-latency must not be negative")
	}
	if o.ServerLatency > 0 && !o.own() {
		refuse("--server-latency %v is put between poolerd and PostgreSQL, and here the pooler is not poolerd bench's own: leave --target out, or delay the target's server yourself", o.ServerLatency)
	}
	if o.HTTP != nil && (len(o.Targets) > 0 || o.Upstream != "" || o.ClientLatency > 0) {
		refuse("--http drives an HTTP server, so --target, --upstream and --client-latency have no meaning beside it: leave them out")
	}
	if len(o.Without) > 0 && !o.private() {
		refuse("--without-index and --without-partitions change the sample of the private PostgreSQL, and another is named: leave --upstream, --target and --http out")
	}
	if o.SLO != nil && o.SLO.Quantile > 0.99 && o.own() {
		refuse("--slo %s: a sweep judges pool sizes up to p99; give p99 or less, or one pool size by --target", o.SLO)
	}
	problems = append(problems, checkTargets(o.Targets)...)
	if o.Workload != nil {
		if err := o.Workload.Check(o.Protocol); err != nil {
			problems = append(problems, err)
		}
	}
	return errors.Join(problems...)
}

// own tells that the poolers are started here.
func (o *Options) own() bool { return len(o.Targets) == 0 && o.HTTP == nil }

// private tells that PostgreSQL is started here too.
func (o *Options) private() bool { return o.own() && o.Upstream == "" }

func checkTargets(targets []Target) (problems []error) {
	var names []string
	for _, t := range targets {
		if slices.Contains(names, t.Name) {
			problems = append(problems, fmt.Errorf("--target %s is given twice: name each once, as in --target a=URL --target b=URL", t.Name))
		}
		names = append(names, t.Name)
	}
	return problems
}

// twins finds targets that are the same server: what differs between them can only be noise.
func twins(targets []Target) (notes []string) {
	seen := map[string]string{}
	for _, t := range targets {
		u, err := url.Parse(t.URL)
		if err != nil {
			continue // refused where it is connected to
		}
		key := strings.ToLower(u.Host) + u.Path + "?" + u.RawQuery
		if first, found := seen[key]; found {
			notes = append(notes, fmt.Sprintf("targets %s and %s are the same address: what differs between them is this machine's noise", first, t.Name))
			continue
		}
		seen[key] = t.Name
	}
	return notes
}

// protocolName is the protocol's name in records.
func (o *Options) protocolName() string {
	if o.HTTP != nil {
		return "http"
	}
	return o.Protocol.String()
}

func (o *Options) workloadName() string {
	if o.HTTP != nil {
		return "http"
	}
	return o.Workload.Name
}

// webOptions are those of one HTTP client.
func (o *Options) webOptions(client int, seed uint64) web.Options {
	return web.Options{URL: o.HTTP.URL, Token: o.HTTP.Token, Secret: o.HTTP.Secret, Requests: o.HTTP.Requests, Client: client, Seed: seed, Scale: o.Scale}
}
