package load

import (
	"context"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Arrivals says how an open loop's transactions are spread over time.
type Arrivals uint8

const (
	Poisson Arrivals = iota // independent: gaps are exponentially distributed, as from many users
	Even                    // one every 1/Rate
)

// Config is one run. Zero values mean what the comments say.
type Config struct {
	// Connect makes client i (from 0), logged in. All are made before the run starts, a few at a time.
	Connect func(ctx context.Context, i int) (Client, error)
	Clients int // at least 1; in an open loop, how many transactions may run at once

	// Rate is how many transactions shall start a second (open loop); 0 lets each client start its next when its last has ended (closed loop).
	Rate     float64
	Arrivals Arrivals

	Warmup   time.Duration // runs first and is not counted
	Duration time.Duration // of the measured window; transactions that END in it count. In an open loop those SCHEDULED in it count.
	Think    time.Duration // closed loop: a client waits so long after each transaction (exponentially distributed when ThinkRandom)
	// ThinkRandom makes Think the mean of an exponential distribution.
	ThinkRandom bool
	Seed        uint64

	// Threads is how many processors the generator may use at once, and all else in this process meanwhile (GOMAXPROCS). 0 means a quarter of the
	// machine's, at least 1: one carries about 100,000 transactions a second, and more of them wake each other up and down for nothing.
	Threads int

	// Descriptors is how many file descriptors a client needs; 0 means 1. Run raises the soft limit on them as far as it may, and refuses a run that needs more.
	Descriptors int

	// Opened and Closed, where set, are called at the measured window's ends, by the run's goroutine: where processor time is read.
	Opened, Closed func()
	// Progress, where set, is called about ten times a second with the part of the run that is over, 0 to 1.
	Progress func(part float64)
}

// Result is what a run's measured window saw. After a ctx that ended early it holds what there was until then, and Cut is set.
type Result struct {
	Started time.Time
	Window  time.Duration // its true length
	Cut     bool

	// Offered is Config.Rate, and Scheduled how many transactions the schedule had in the window (open loop; else both are 0).
	Offered   float64
	Scheduled int64

	Total  Series              // all transactions that succeeded or failed as expected
	ByName map[string]*Series  // the same, by the transaction's name
	Errors map[string]*Failure // by code, the expected ones too
	// Outside are errors, the unexpected ones only, of transactions that do not belong to the window: those of the warm-up, and those that ended after it.
	Outside map[string]*Failure

	// Lag is how long after its scheduled start each transaction was sent (open loop; microseconds): waiting for a free client, and the generator's own
	// lateness. Latency contains it.
	Lag *hdrhistogram.Histogram
	// Unfinished is how many transactions, scheduled in the window, had not ended when the run was over (open loop): each counts in Total's
	// latency with the time that it had waited by then, so that a stalled server cannot hide.
	Unfinished int64

	// Intervals are successful transactions a second in equal parts of the window, in order: what noise is judged by.
	Intervals []float64

	// CPU is the processor time that this process, the load generator, used in the window. Where it comes near Threads times Window, the generator was the limit.
	CPU     time.Duration
	Threads int
}

// Series are latencies from the start (open loop: the SCHEDULED start) to the end, in microseconds.
type Series struct {
	Count   int64
	Latency *hdrhistogram.Histogram // 1 µs to 10 minutes, 3 digits
}

// Failure counts one code.
type Failure struct {
	Count    int64
	Expected bool
	Text     string // of the first one
}

// Rate is successful transactions a second.
func (r *Result) Rate() float64 {
	if r.Window <= 0 {
		return 0
	}
	return float64(r.Total.Count) / r.Window.Seconds()
}
