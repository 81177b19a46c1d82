package load

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// What latencies are counted with: microseconds, the highest that has a place, digits.
const (
	lowest  = int64(1)
	highest = int64(10 * time.Minute / time.Microsecond)
	digits  = 3

	halfBits = 10 // a histogram of 3 digits has 2048 counters for its first octaves, and half of that for each further one
)

// NewHistogram makes an empty histogram of the range that Series have.
func NewHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(lowest, highest, digits) }

// counts is a histogram that many may add to at once. It has the layout of HdrHistogram's own, which cannot be shared.
type counts struct {
	n []atomic.Int64
}

func newCounts() *counts {
	return &counts{n: make([]atomic.Int64, slot(highest)+1)}
}

// slot is where HdrHistogram counts v, which is at most highest.
func slot(v int64) int {
	octave := bits.Len64(uint64(v)|(2<<halfBits-1)) - (halfBits + 1)
	return octave<<halfBits + int(v>>octave)
}

func (c *counts) add(d time.Duration) {
	v := int64((d + time.Microsecond/2) / time.Microsecond)
	c.n[slot(min(max(v, lowest), highest))].Add(1)
}

// into adds what was counted to a histogram's counters, and returns how much that was.
func (c *counts) into(to []int64) (total int64) {
	for i := range c.n {
		n := c.n[i].Load()
		to[i] += n
		total += n
	}
	return total
}

// histogram makes a histogram of counters that into has filled.
func histogram(counters []int64) *hdrhistogram.Histogram {
	return hdrhistogram.Import(&hdrhistogram.Snapshot{
		LowestTrackableValue: lowest, HighestTrackableValue: highest, SignificantFigures: digits, Counts: counters,
	})
}

// empty are the counters of an empty histogram.
func empty() []int64 { return NewHistogram().Export().Counts }

// parts is how many intervals a window has.
const parts = 10

// recorder counts for some of the clients. There are several, so that processors do not fight over the counters.
type recorder struct {
	intervals  [parts]atomic.Int64
	lag        *counts // open loop
	unfinished *counts // open loop

	mu     sync.Mutex
	byName map[string]*counts
}

func newRecorder() *recorder {
	return &recorder{byName: map[string]*counts{}}
}

// series gives the counters of a name. A client asks once and remembers.
func (r *recorder) series(name string) *counts {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.byName[name]
	if c == nil {
		c = newCounts()
		r.byName[name] = c
	}
	return c
}

// collect adds up what the recorders have, into res, whose Window is set.
func collect(recorders []*recorder, res *Result) {
	total, byName, lag := empty(), map[string][]int64{}, empty()
	intervals := make([]float64, parts)
	res.ByName = map[string]*Series{}
	for _, r := range recorders {
		for name, c := range r.byName {
			if byName[name] == nil {
				byName[name] = empty()
				res.ByName[name] = &Series{}
			}
			n := c.into(byName[name])
			res.ByName[name].Count += n
			res.Total.Count += n
			c.into(total)
		}
		if r.lag != nil {
			r.lag.into(lag)
			res.Unfinished += r.unfinished.into(total)
		}
		for i := range intervals {
			intervals[i] += float64(r.intervals[i].Load())
		}
	}
	res.Total.Latency = histogram(total)
	for name, s := range res.ByName {
		s.Latency = histogram(byName[name])
	}
	if res.Offered > 0 {
		res.Lag = histogram(lag)
	}
	res.Intervals = intervals
}
