package load

import (
	"math/rand/v2"
	"time"
)

// schedule gives the times of arrivals, one after the other, from the run's start. Two schedules with the same arguments give the same times, so nobody has
// to keep a list of those to come.
type schedule struct {
	random *rand.Rand // nil: even
	gap    float64    // mean, in nanoseconds
	at     float64
}

func newSchedule(arrivals Arrivals, rate float64, seed uint64) *schedule {
	s := &schedule{gap: 1e9 / rate}
	if arrivals == Poisson {
		s.random = rand.New(rand.NewPCG(seed, 0x61727269766573)) //nolint:gosec // a schedule, not a secret
	}
	return s
}

func (s *schedule) next() time.Duration {
	if s.random == nil {
		s.at += s.gap
	} else {
		s.at += s.gap * s.random.ExpFloat64()
	}
	return time.Duration(s.at)
}
