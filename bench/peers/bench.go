package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// bench measures all cells of a run.
type bench struct {
	options options
	target  *target
	// subject is what is judged, reference what it is compared with (nil where
	// there is none). PostgreSQL itself always runs beside them.
	subject, reference pooler
	random             *rand.Rand
	log                io.Writer // one line for each run, for who waits
}

// cellResult is all that was measured in one cell.
type cellResult struct {
	cell cell
	// rounds holds the samples of each peer by its name and round. Broken
	// samples are in it too.
	rounds   map[string]map[int]sample
	syscalls map[string]syscallCount
	// trouble is what kept a peer out of the cell.
	trouble []string
}

// cells returns the matrix to measure, loads outside, clients inside.
func (o options) cells() []cell {
	var cells []cell
	for _, l := range o.loads {
		for _, n := range o.clients {
			cells = append(cells, cell{load: l, clients: n})
		}
	}
	return cells
}

// poolers are the peers beside PostgreSQL itself.
func (b *bench) poolers() []pooler {
	if b.reference == nil {
		return []pooler{b.subject}
	}
	return []pooler{b.subject, b.reference}
}

// matrix measures every cell. On an error, such as an interrupt, it returns
// what it has.
func (b *bench) matrix(ctx context.Context) ([]cellResult, error) {
	var results []cellResult
	cells := b.options.cells()
	for i, c := range cells {
		fmt.Fprintf(b.log, "cell %d of %d: %s\n", i+1, len(cells), c)
		r, err := b.cell(ctx, c)
		if len(r.rounds) > 0 || len(r.trouble) > 0 {
			results = append(results, r)
		}
		if err != nil {
			return results, err
		}
	}
	return results, nil
}

// cell starts the poolers, loads them in turn for all rounds, and stops them.
func (b *bench) cell(ctx context.Context, c cell) (cellResult, error) {
	r := cellResult{cell: c, rounds: map[string]map[int]sample{}, syscalls: map[string]syscallCount{}}
	running := map[string]*endpoint{}
	var order []string
	for _, p := range append(b.poolers(), direct{}) {
		e, err := p.start(ctx, b.setup(c))
		if err != nil {
			r.trouble = append(r.trouble, fmt.Sprintf("%s did not start: %v", p.name(), err))
			continue
		}
		defer e.stop()
		running[p.name()] = e
		order = append(order, p.name())
		r.rounds[p.name()] = map[int]sample{}
	}
	for round := range b.options.rounds {
		b.random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		for _, name := range order {
			if name == (direct{}).name() && !b.directRound(c, round) {
				continue
			}
			s := b.sample(ctx, c, running[name])
			if ctx.Err() != nil {
				return r, ctx.Err()
			}
			r.rounds[name][round] = s
			b.logSample(round, name, s)
		}
	}
	for _, p := range b.poolers() {
		if e := running[p.name()]; e != nil && b.options.strace {
			b.countSyscalls(ctx, &r, p.name(), e)
		}
	}
	return r, ctx.Err()
}

// directRound tells whether PostgreSQL itself is measured in this round of the
// cell: always at one client, where it gives the added latency, else only in
// the first rounds, for orientation.
func (b *bench) directRound(c cell, round int) bool {
	return c.clients == 1 || round < b.options.directRounds
}

func (b *bench) setup(c cell) setup {
	return setup{
		target: b.target, prepared: c.load.prepared(),
		poolSize: b.options.poolSize, maxClients: max(5000, c.clients+100),
	}
}

// logSample tells one run's figures.
func (b *bench) logSample(round int, name string, s sample) {
	fmt.Fprintf(b.log, "  round %d  %-16s", round+1, name)
	if s.broken {
		fmt.Fprintf(b.log, " broken")
	} else {
		fmt.Fprintf(b.log, " %8.0f tps  %7.3f ms", s.window.tps(), milliseconds(s.window.latency()))
		if s.cpu > 0 {
			fmt.Fprintf(b.log, "  %6.1f µs/tx  %5.1f MB", s.cpuEach(), megabytes(s.resident))
		}
		fmt.Fprintf(b.log, "  %d failed", s.failed)
	}
	for _, t := range s.trouble {
		fmt.Fprintf(b.log, "\n    %s", t)
	}
	fmt.Fprintln(b.log)
}

// estimate is how long the matrix will take, at about a second for each run's
// logins and two seconds for starting the poolers of a cell.
func (b *bench) estimate() time.Duration {
	seconds := 0
	for _, c := range b.options.cells() {
		runs := b.options.rounds * len(b.poolers())
		for round := range b.options.rounds {
			if b.directRound(c, round) {
				runs++
			}
		}
		seconds += runs*(b.options.warmup+b.options.seconds+1) + 2
	}
	return time.Duration(seconds) * time.Second
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func megabytes(bytes int64) float64 { return float64(bytes) / (1 << 20) }
