package workload

import "math"

// operator gives an operator's value; neither argument is NULL.
func (n *node) operator(a, b value) (value, error) {
	if n.op == opNot {
		v, err := n.toBool(a)
		return boolValue(!v), err
	}
	if n.op >= opBitAnd && n.op <= opShiftRight {
		return n.bitwise(a, b)
	}
	if a.kind == double || b.kind == double {
		x, err := n.toDouble(a)
		if err != nil {
			return value{}, err
		}
		y, err := n.toDouble(b)
		if err != nil {
			return value{}, err
		}
		return n.doubles(x, y), nil
	}
	x, y, err := n.ints(a, b)
	if err != nil {
		return value{}, err
	}
	switch n.op {
	case opEqual:
		return boolValue(x == y), nil
	case opUnequal:
		return boolValue(x != y), nil
	case opLess:
		return boolValue(x < y), nil
	case opLessEqual:
		return boolValue(x <= y), nil
	}
	return n.arithmetic(x, y)
}

func (n *node) ints(a, b value) (x, y int64, err error) {
	if x, err = n.toInt(a); err != nil {
		return 0, 0, err
	}
	y, err = n.toInt(b)
	return x, y, err
}

func (n *node) doubles(x, y float64) value {
	switch n.op {
	case opAdd:
		return doubleValue(x + y)
	case opSub:
		return doubleValue(x - y)
	case opMul:
		return doubleValue(x * y)
	case opDiv:
		return doubleValue(x / y)
	case opEqual:
		return boolValue(x == y)
	case opUnequal:
		return boolValue(x != y)
	case opLess:
		return boolValue(x < y)
	}
	return boolValue(x <= y)
}

func (n *node) arithmetic(x, y int64) (value, error) {
	switch n.op {
	case opAdd:
		if sum := x + y; (x < 0) == (y < 0) && (sum < 0) != (x < 0) {
			return value{}, n.fault("bigint add out of range")
		}
		return intValue(x + y), nil
	case opSub:
		if difference := x - y; (x < 0) != (y < 0) && (difference < 0) != (x < 0) {
			return value{}, n.fault("bigint sub out of range")
		}
		return intValue(x - y), nil
	case opMul:
		return n.product(x, y)
	}
	if y == 0 {
		return value{}, n.fault("division by zero")
	}
	return intValue(x / y), n.quotient(x, y)
}

func (n *node) product(x, y int64) (value, error) {
	p := x * y
	if x != 0 && (p/x != y || x == -1 && y == math.MinInt64) {
		return value{}, n.fault("bigint mul out of range")
	}
	return intValue(p), nil
}

// quotient: there is no positive number as large as the smallest is small.
func (n *node) quotient(x, y int64) error {
	if y == -1 && x == math.MinInt64 {
		return n.fault("bigint div out of range")
	}
	return nil
}

// modulo is % and mod(): of integers, doubles being rounded first.
func (n *node) modulo(a, b value) (value, error) {
	x, y, err := n.ints(a, b)
	if err != nil {
		return value{}, err
	}
	if y == 0 {
		return value{}, n.fault("division by zero")
	}
	return intValue(x % y), nil
}

func (n *node) bitwise(a, b value) (value, error) {
	x, y, err := n.ints(a, b)
	if err != nil {
		return value{}, err
	}
	switch n.op {
	case opBitAnd:
		x &= y
	case opBitOr:
		x |= y
	case opBitXor:
		x ^= y
	case opShiftLeft:
		x <<= uint(y & 63) // as the processors do that pgbench leaves it to
	case opShiftRight:
		x >>= uint(y & 63)
	}
	return intValue(x), nil
}
