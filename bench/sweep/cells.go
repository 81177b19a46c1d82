package sweep

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// cell is a subject under a load.
type cell struct {
	subject *subject
	clients int
	rate    float64 // 0: closed loop
}

func (c cell) String() string {
	s := c.subject.String()
	if c.rate > 0 {
		return fmt.Sprintf("%s, %.0f/s", s, c.rate)
	}
	return fmt.Sprintf("%s, %d clients", s, c.clients)
}

func (s *subject) String() string {
	if s.poolSize > 0 {
		return fmt.Sprintf("%s, pool size %d", s.name, s.poolSize)
	}
	return s.name
}

// cells are all that o asks to be measured in one round.
func cells(o *Options, subjects []*subject) []cell {
	var all []cell
	for _, s := range subjects {
		if len(o.Rates) > 0 {
			for _, rate := range o.Rates {
				all = append(all, cell{s, slices.Max(o.Clients), rate})
			}
			continue
		}
		for _, n := range o.Clients {
			all = append(all, cell{s, n, 0})
		}
	}
	return all
}

// shuffled is the order of a round: anew each time, the same for the same seed.
func shuffled(all []cell, seed uint64, round int) []cell {
	order := slices.Clone(all)
	random := rand.New(rand.NewPCG(seed, uint64(round)))
	random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order
}

// overhead is about what a run takes beside its warm-up and its window: restoring the data, logins and logouts.
const overhead = 200 * time.Millisecond

// each is about how long one run takes.
func (o *Options) each() time.Duration { return o.Warmup + o.Duration + overhead }
