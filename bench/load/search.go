package load

import (
	"context"
	"fmt"
	"math"
)

// Try is one run of a search.
type Try struct {
	Rate   float64
	Met    bool
	Result *Result
}

// How far a search goes.
const (
	near    = 1.03 // it ends when the best rate and the least that failed are so near
	atMost  = 1e6  // transactions a second: no generator of ours gets there
	atLeast = 0.1
	most    = 40 // runs: what noise can lead a search to is bounded
)

// Search finds the largest rate (transactions a second) that keeps an SLO, to within 3%: from first it doubles, or halves, until the answer lies between two
// rates, and then halves what is between them. A verdict that was near the edge is asked for again and goes by the majority of three runs, since noise moves a tail
// quantile by a lot; and a best rate that was seen to keep the SLO only once is run again before it is believed. best is 0 when not even 0.1/s keeps it. An
// error of run ends the search; so does ctx, with its error. best and tried are then what was found so far.
func Search(ctx context.Context, slo SLO, first float64, run func(ctx context.Context, rate float64) (*Result, error)) (best float64, tried []Try, err error) {
	if !(first > 0) {
		return 0, nil, fmt.Errorf("search for a rate: the first one is %v, must be above 0", first)
	}
	s := &search{slo: slo, run: run}
	low, high := 0.0, math.Inf(1)
	rate := min(max(first, atLeast), atMost)
	for {
		met, err := s.verdict(ctx, rate)
		if err != nil {
			return low, s.tried, err
		}
		if met {
			low = rate
		} else {
			high = rate
			if low >= high { // a lower verdict was luck
				low = 0
			}
		}
		switch {
		case low >= atMost, high <= atLeast:
			return low, s.tried, nil
		case math.IsInf(high, 1):
			rate = min(low*2, atMost)
		case low == 0:
			rate = max(s.lower(high), atLeast)
		case high/low > near:
			rate = math.Sqrt(low * high)
		case s.kept(low) < 2:
			rate = low
		default:
			return low, s.tried, nil
		}
		if len(s.tried) >= most {
			return low, s.tried, nil
		}
	}
}

// search is one search.
type search struct {
	slo   SLO
	run   func(ctx context.Context, rate float64) (*Result, error)
	tried []Try
}

// verdict runs a rate: once when the answer is clear, up to three times when it is not.
func (s *search) verdict(ctx context.Context, rate float64) (bool, error) {
	votes := 0
	for n := range 3 {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		res, err := s.run(ctx, rate)
		if err != nil {
			return false, err
		}
		if res.Cut && ctx.Err() != nil {
			return false, ctx.Err()
		}
		met := s.slo.Met(res)
		s.tried = append(s.tried, Try{Rate: rate, Met: met, Result: res})
		if met {
			votes++
		} else {
			votes--
		}
		if n == 0 && s.clear(res) || votes == 2 || votes == -2 {
			return met, nil
		}
	}
	return votes > 0, nil
}

// clear tells that a run was so far from the edge that noise did not decide.
func (s *search) clear(r *Result) bool {
	at := float64(s.slo.of(r)) / float64(s.slo.Limit)
	return at < 0.7 || at > 2 || r.Served() < 0.9
}

// lower is the next rate below all that were tried: that one which kept the SLO at least once, or half of the lowest.
func (s *search) lower(high float64) float64 {
	next := high / 2
	for _, t := range s.tried {
		if t.Met && t.Rate < high && t.Rate > next {
			next = t.Rate
		}
	}
	return next
}

// kept counts the runs at a rate that kept the SLO.
func (s *search) kept(rate float64) int {
	n := 0
	for _, t := range s.tried {
		if t.Rate == rate && t.Met {
			n++
		}
	}
	return n
}
