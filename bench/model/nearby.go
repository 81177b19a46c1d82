package model

import "math"

// nearby is what to multiply the model's figure with at a cell, from what it misses at the measured ones: the mean of their logarithms, weighted by
// nearness in the logarithms of pool size and clients (Shepard's interpolation, 1968) and drawn towards "nothing missed" where none is near. ratio picks the figure; 0
// is not known. pull is the weight of "nothing missed", beside about 10 of a cell at the very place and 1 of one a doubling away.
func nearby(cells []Cell, size, clients int, pull float64, ratio func(Cell) float64) float64 {
	var sum float64
	weights := pull
	for _, c := range cells {
		r := ratio(c)
		if !(r > 0) {
			continue
		}
		x := math.Log2(float64(size) / float64(c.PoolSize))
		y := 0.7 * math.Log2(float64(clients)/float64(c.Clients))
		w := 1 / (0.1 + x*x + y*y)
		// Beyond two doublings another cell's peculiarities say little.
		w /= 1 + (x*x+y*y)*(x*x+y*y)/16
		w *= 0.03 * 0.03 / (0.03*0.03 + c.Noise*c.Noise)
		weights += w
		sum += w * math.Log(r)
	}
	if weights == 0 {
		return 1
	}
	return math.Exp(max(-1, min(1, sum/weights)))
}
