package workload

import "math/bits"

// The hashes of pgbench: FNV-1a and MurmurHash2, of the eight bytes of an integer. They must give what pgbench gives, so that a script's keys
// are the same ones.

func hashFNV1a(v int64, seed uint64) int64 {
	const offset, prime = 0xcbf29ce484222325, 0x100000001b3
	h := offset ^ seed
	for range 8 {
		h = (h ^ uint64(v)&0xff) * prime
		v >>= 8
	}
	return int64(h)
}

func hashMurmur2(v int64, seed uint64) int64 {
	const mul, shift = 0xc6a4a7935bd1e995, 47
	const length = 8
	mulLength := uint64(mul)
	mulLength *= length // the product wraps, which a constant may not
	k := uint64(v) * mul
	k = (k ^ k>>shift) * mul
	h := ((seed ^ mulLength) ^ k) * mul
	h = (h ^ h>>shift) * mul
	return int64(h ^ h>>shift)
}

// permute gives the place of v, taken modulo size, in a permutation of 0 to size-1 that the seed chooses (PostgreSQL's documentation, pgbench,
// "permute"). It is the one of PostgreSQL 14 and later: six rounds, each multiplies, mixes and rotates the lower and then the upper numbers
// among themselves, as far as a power of two reaches, and turns the whole circle.
func permute(v, size, seed int64) int64 {
	if size < 2 {
		return 0
	}
	random := newXoroshiro(uint64(seed))
	n := uint64(size)
	x := uint64(v) % n
	width := bits.Len64(n) - 1
	mask := uint64(1)<<width - 1
	mix := func(x uint64) uint64 {
		m := random.next()&mask | 1
		r := random.next() & mask
		if x > mask {
			return x
		}
		x = (x*m ^ r) & mask
		return x<<1&mask | x>>(width-1)
	}
	for range 6 {
		x = mix(x)
		x = n - 1 - mix(n-1-x)
		x = (x + random.upTo(n-1)) % n
	}
	return int64(x)
}

// xoroshiro is xoroshiro128**, PostgreSQL's generator from version 15 on, seeded as PostgreSQL does: permute needs that very one.
type xoroshiro struct{ a, b uint64 }

func newXoroshiro(seed uint64) xoroshiro {
	return xoroshiro{a: splitMix(&seed), b: splitMix(&seed)}
}

func splitMix(state *uint64) uint64 {
	*state += 0x9e3779b97f4a7c15
	x := *state
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (g *xoroshiro) next() uint64 {
	a, c := g.a, g.a^g.b
	g.a = bits.RotateLeft64(a, 24) ^ c ^ c<<16
	g.b = bits.RotateLeft64(c, 37)
	return bits.RotateLeft64(a*5, 7) * 9
}

// upTo gives a number from 0 to most, each as likely.
func (g *xoroshiro) upTo(most uint64) uint64 {
	if most == 0 {
		return 0
	}
	for {
		if x := g.next() >> bits.LeadingZeros64(most); x <= most {
			return x
		}
	}
}
