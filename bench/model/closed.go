package model

// closedState is the steady state of N clients that think and then want one load-dependent station.
type closedState struct {
	rate  float64   // throughput, a second
	share []float64 // share[n]: how much of the time n clients are at the station; 0 to N
}

// closed solves the machine-repair model with a station that works at rate(n) while n clients are there, n from 1. Exact, by the balance equations of
// the birth-death process: share[n] = share[n-1] * (N-n+1)/Z / rate(n). The same as exact load-dependent Mean Value Analysis, without its
// numerical trouble. think is Z in seconds; at 0 all clients are always at the station.
func closed(clients int, think float64, rate func(n int) float64) closedState {
	s := closedState{share: make([]float64, clients+1)}
	if clients == 0 {
		s.share[0] = 1
		return s
	}
	if think*rate(1) < thinkless {
		s.share[clients], s.rate = 1, rate(clients)
		return s
	}
	weight, sum := 1.0, 1.0
	s.share[0] = 1
	for n := 1; n <= clients; n++ {
		weight *= float64(clients-n+1) / (think * rate(n))
		s.share[n] = weight
		sum += weight
		if sum > 1e200 {
			scale(s.share[:n+1], 1/sum)
			weight /= sum
			sum = 1
		}
	}
	scale(s.share, 1/sum)
	for n := 1; n <= clients; n++ {
		if s.share[n] > 0 {
			s.rate += s.share[n] * rate(n)
		}
	}
	return s
}

// thinkless is the think time, in times of service, below which there is none: nothing changes there but that figures leave the range of numbers.
const thinkless = 1e-9

// closedRate is the throughput of closed alone, without memory: rates[n-1] is the station's rate with n there, its last one that with more.
func closedRate(clients int, think float64, rates []float64) float64 {
	if think*rates[0] < thinkless {
		return rates[min(clients, len(rates))-1]
	}
	weight, sum, work := 1.0, 1.0, 0.0
	for n := 1; n <= clients; n++ {
		rate := rates[min(n, len(rates))-1]
		factor := float64(clients-n+1) / (think * rate)
		weight *= factor
		sum += weight
		work += weight * rate
		if sum > 1e200 {
			weight, work, sum = weight/sum, work/sum, 1
		}
		if factor < 0.5 && n >= len(rates) && weight < 1e-16*sum {
			break // from here on each is less than half of the one before
		}
	}
	return work / sum
}

func scale(xs []float64, by float64) {
	for i := range xs {
		xs[i] *= by
	}
}

// mean is the expected value of f over the number of clients at the station.
func (s closedState) mean(f func(n int) float64) float64 {
	var sum float64
	for n, p := range s.share {
		sum += p * f(n)
	}
	return sum
}
