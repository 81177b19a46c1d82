package model

import "math"

// openState is the steady state of a load-dependent station of k servers under Poisson arrivals.
type openState struct {
	waits   float64 // the probability that a transaction finds all servers held
	drain   float64 // how fast those waits end, a second: X(k) - rate
	busy    float64 // servers held, mean
	waiting float64 // in the queue, mean
	hold    float64 // mean time with a server, seconds
}

// open solves the station of len(rates) servers that works at rates[n-1] with n transactions there (at the last with more), under Poisson arrivals. Exact, by the
// balance equations: M/M/c where rates are n mu. With all servers held the number of waiting ones is geometric, so the wait of those that wait is exponential with rate
// X(k) - arrivals: Erlang's C formula for a load-dependent station. ok is false where arrivals are not below what the servers can do.
func open(arrivals float64, rates []float64) (s openState, ok bool) {
	k := len(rates)
	full := rates[k-1]
	if !(arrivals > 0) || !(arrivals < full*(1-1e-9)) {
		return openState{}, false
	}
	weight, sum := 1.0, 1.0 // of n = 0
	for n := 1; n < k; n++ {
		weight *= arrivals / rates[n-1]
		sum += weight
		s.busy += weight * float64(n)
		if sum > 1e200 {
			weight, s.busy, sum = weight/sum, s.busy/sum, 1
		}
	}
	// n = k, k+1, ...: a geometric series.
	rho := arrivals / full
	tail := weight * rho / (1 - rho)
	sum += tail
	s.busy = (s.busy + tail*float64(k)) / sum
	s.waits = tail / sum
	s.drain = full - arrivals
	s.waiting = s.waits * rho / (1 - rho)
	s.hold = s.busy / arrivals // Little's law over the servers
	return s, true
}

// latency is that of a transaction in s: an exponential wait with some probability, then the time with a server. The more regularly servers come free, the shorter the
// wait: by (1 + departing)/2, Allen and Cunneen's approximation of M/G/c (1978).
func (s openState) latency(overhead, cv, departing float64) latency {
	s.drain *= 2 / (1 + departing)
	variance := cv * cv * s.hold * s.hold
	l := latency{fixed: overhead, terms: []term{{weight: 1 - s.waits, mean: s.hold, variance: variance}}}
	// The exponential wait in slices, each a little less likely than the one before it, so that far quantiles see many of them.
	const slices, each = 60, 0.8
	above, from := 1.0, 0.0
	for i := range slices {
		below := above * each
		to := -math.Log(below) / s.drain
		p := above - below
		// The mean of an exponential time between from and to, and its variance there.
		mean := 1/s.drain + (from*above-to*below)/p
		spread := 1/(s.drain*s.drain) - (to-from)*(to-from)*above*below/(p*p)
		if i == slices-1 {
			p, mean, spread = above, from+1/s.drain, 1/(s.drain*s.drain)
		}
		l.terms = append(l.terms, term{weight: s.waits * p, mean: s.hold, variance: variance + max(0, spread), after: mean})
		above, from = below, to
	}
	return l
}

// largestRate is the highest arrival rate, up to nine tenths of what the servers can do, at which quantile q of latency stays within limit, seconds; 0 where it never does.
func largestRate(rates []float64, overhead, cv, departing, q, limit, correction float64) float64 {
	keeps := func(rate float64) bool {
		s, ok := open(rate, rates)
		return ok && s.latency(overhead, cv, departing).above(limit/correction) <= 1-q
	}
	low, high := 0.0, fullest*rates[len(rates)-1]
	if keeps(high) {
		return high
	}
	if !keeps(high * 1e-6) {
		return 0
	}
	for range 40 {
		middle := (low + high) / 2
		if keeps(middle) {
			low = middle
		} else {
			high = middle
		}
		if high-low < 1e-4*high {
			break
		}
	}
	return low
}
