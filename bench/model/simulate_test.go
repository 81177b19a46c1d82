package model

import (
	"container/heap"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// world is a database with processors behind a pool, simulated event by event: the truth that the model is held against. It shares no code with the model.
type world struct {
	cores    int
	service  float64 // processor time of a transaction, seconds
	trips    int     // round trips a transaction, the processor time split evenly among them
	rtt      float64 // seconds, each
	overhead float64 // of the client's side, within the latency
	think    float64 // outside it
	kappa    float64 // bursts take 1 + kappa n (n-1) times as long with n servers at work
	regular  bool    // bursts of equal length instead of exponential ones

	rate float64 // open loop: Poisson arrivals a second; else closed
}

// outcome of a run.
type outcome struct {
	tps       float64
	latencies []float64 // seconds, ascending
	wait      float64   // mean, for a server
	busy      float64   // servers held, mean
}

func (o outcome) quantile(q float64) float64 { return o.latencies[int(q*float64(len(o.latencies)-1))] }

func (o outcome) mean() float64 {
	var sum float64
	for _, l := range o.latencies {
		sum += l
	}
	return sum / float64(len(o.latencies))
}

type event struct {
	at   float64
	kind int
	tx   *tx
}

const (
	begins  = iota // a client wants a transaction
	arrives        // at the pool
	reaches        // a statement reaches the database
	ends           // its burst is over
)

type tx struct {
	started, asked, got float64
	left                int
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at < e[j].at }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

// run simulates until so many transactions are done, the first tenth of which is not counted.
func (w world) run(size, clients, transactions int, seed uint64) outcome {
	random := rand.New(rand.NewPCG(seed, 1))
	var (
		agenda          events
		queue, ready    []*tx // for a server; for a processor
		held, computing int
		now, opened     float64
		waits, holds    float64
		done            int
		out             outcome
	)
	at := func(delay float64, kind int, t *tx) { heap.Push(&agenda, event{now + delay, kind, t}) }
	burst := func() float64 {
		b := w.service / float64(w.trips)
		if !w.regular {
			b *= random.ExpFloat64()
		}
		n := float64(computing + len(ready))
		return b * (1 + w.kappa*n*(n-1))
	}
	compute := func() {
		for computing < w.cores && len(ready) > 0 {
			computing++
			t := ready[0]
			ready = ready[1:]
			at(burst(), ends, t)
		}
	}
	serve := func() {
		for held < size && len(queue) > 0 {
			held++
			t := queue[0]
			queue = queue[1:]
			t.got, t.left = now, w.trips
			waits += now - t.asked
			at(w.rtt, reaches, t)
		}
	}
	if w.rate > 0 {
		at(0, begins, nil)
	} else {
		for i := range clients {
			at(float64(i)*1e-6, begins, nil)
		}
	}
	skip := transactions / 10
	for done < transactions {
		e := heap.Pop(&agenda).(event)
		now = e.at
		switch e.kind {
		case begins:
			at(w.overhead, arrives, &tx{started: now})
			if w.rate > 0 {
				at(random.ExpFloat64()/w.rate, begins, nil)
			}
		case arrives:
			e.tx.asked = now
			queue = append(queue, e.tx)
			serve()
		case reaches:
			ready = append(ready, e.tx)
			compute()
		case ends:
			computing--
			if e.tx.left--; e.tx.left > 0 {
				at(w.rtt, reaches, e.tx)
			} else {
				held--
				holds += now - e.tx.got
				if done++; done > skip {
					out.latencies = append(out.latencies, now-e.tx.started)
				} else {
					opened, waits, holds = now, 0, 0
				}
				if w.rate == 0 {
					at(w.think*random.ExpFloat64(), begins, nil)
				}
				serve()
			}
			compute()
		}
	}
	n := float64(len(out.latencies))
	out.tps = n / (now - opened)
	out.wait, out.busy = waits/n, holds/(now-opened)
	slices.Sort(out.latencies)
	return out
}

// point is a measured cell with noise put onto its throughput.
func (w world) point(size, clients int, noise float64, seed uint64) Point {
	o := w.run(size, clients, max(2500, 50*clients), seed)
	random := rand.New(rand.NewPCG(seed, 2))
	us := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	by := math.Exp(noise * random.NormFloat64())
	return Point{
		PoolSize: size, Clients: clients, TPS: o.tps * by, Noise: max(noise, 0.005),
		Mean: us(o.mean() / by), P50: us(o.quantile(0.5)), P95: us(o.quantile(0.95)), P99: us(o.quantile(0.99)),
		Queue: us(o.wait), ServerCores: min(float64(w.cores), o.tps*w.service),
	}
}

// sweep measures all pool sizes with all clients.
func (w world) sweep(sizes, clients []int, noise float64, seed uint64) (points []Point) {
	for _, k := range sizes {
		for _, n := range clients {
			seed++
			points = append(points, w.point(k, n, noise, seed))
		}
	}
	return points
}
