package record

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"
	"math/rand/v2"
)

// stream gives a source of bytes that depends on a value and on the file's salt. tag keeps the streams of different purposes apart.
func (v *veil) stream(tag byte, value []byte) *rand.ChaCha8 {
	h := sha256.New()
	h.Write(v.salt[:])
	h.Write([]byte{tag})
	h.Write(value)
	var seed [32]byte
	h.Sum(seed[:0])
	return rand.NewChaCha8(seed)
}

// below gives a number from 0 to n-1. What favours some of them a little does no harm here.
func below(r *rand.ChaCha8, n uint64) uint64 {
	hi, _ := bits.Mul64(r.Uint64(), n)
	return hi
}

// permute gives a number from low to high for another one there, so that different ones stay different: a Feistel network of four rounds, walked until it is back in the range.
func (v *veil) permute(n, low, high uint64) uint64 {
	span := high - low
	if span == 0 {
		return n
	}
	half := max(1, (bits.Len64(span)+1)/2)
	mask := uint64(1)<<half - 1
	for x := n - low; ; {
		left, right := x>>half, x&mask
		for round := range byte(4) {
			left, right = right, left^(v.mix(round, half, low, right)&mask)
		}
		if x = left<<half | right; x <= span {
			return low + x
		}
	}
}

func (v *veil) mix(round byte, half int, low, x uint64) uint64 {
	var b [16]byte
	b[0], b[1] = round, byte(half)
	binary.BigEndian.PutUint32(b[2:], uint32(low>>32)^uint32(low))
	binary.BigEndian.PutUint64(b[8:], x)
	v.block.Encrypt(b[:], b[:])
	return binary.BigEndian.Uint64(b[:])
}

// integer gives a number of as many decimal digits, which fits into the same of PostgreSQL's types.
func (v *veil) integer(n uint64) uint64 {
	low, high := uint64(1), uint64(9)
	for high < n {
		low *= 10
		if high > math.MaxUint64/10-1 {
			high = math.MaxUint64
			break
		}
		high = high*10 + 9
	}
	if n < low {
		return n // zero
	}
	for _, limit := range []uint64{math.MaxInt16, math.MaxInt32, math.MaxInt64} {
		if low <= limit && limit < high {
			if n <= limit {
				high = limit
			} else {
				low = limit + 1
			}
		}
	}
	return v.permute(n, low, high)
}
