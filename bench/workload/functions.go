package workload

import "math"

// call gives a function's value; no argument is NULL.
func (n *node) call(s *scope, args *[3]value) (value, error) {
	switch n.op {
	case opAbs:
		return n.abs(args[0])
	case opDouble, opSqrt, opLn, opExp:
		d, err := n.toDouble(args[0])
		return doubleValue(n.real(d)), err
	case opPower:
		x, err := n.toDouble(args[0])
		if err != nil {
			return value{}, err
		}
		y, err := n.toDouble(args[1])
		return doubleValue(math.Pow(x, y)), err
	case opInt:
		i, err := n.toInt(args[0])
		return intValue(i), err
	case opMod:
		return n.modulo(args[0], args[1])
	case opHashFNV, opHashMurmur, opPermute:
		return n.scatter(s, args)
	}
	return n.draw(s, args)
}

func (n *node) abs(v value) (value, error) {
	switch {
	case v.kind == double:
		return doubleValue(math.Abs(v.dbl)), nil
	case v.kind == boolean:
		return value{}, n.cannot(v, integer)
	case v.int < 0:
		return intValue(-v.int), nil
	}
	return v, nil
}

func (n *node) real(d float64) float64 {
	switch n.op {
	case opSqrt:
		return math.Sqrt(d)
	case opLn:
		return math.Log(d)
	case opExp:
		return math.Exp(d)
	}
	return d
}

// scatter is hash and permute, which take the variable default_seed where no seed is given.
func (n *node) scatter(s *scope, args *[3]value) (value, error) {
	v, err := n.toInt(args[0])
	if err != nil {
		return value{}, err
	}
	last := len(n.args) - 1
	given := last
	if n.op == opPermute {
		given--
	}
	seedValue := args[last]
	if given == 0 {
		seed := &s.variables[s.seed]
		if seed.state == unset || seed.state == words {
			return value{}, n.fault("the variable :default_seed holds %q, which is no number", seed.text)
		}
		seedValue = seed.value
	}
	seed, err := n.toInt(seedValue)
	if err != nil {
		return value{}, err
	}
	switch n.op {
	case opHashFNV:
		return intValue(hashFNV1a(v, uint64(seed))), nil
	case opHashMurmur:
		return intValue(hashMurmur2(v, uint64(seed))), nil
	}
	size, err := n.toInt(args[1])
	if err != nil {
		return value{}, err
	}
	if size <= 0 {
		return value{}, n.fault("permute size parameter must be greater than zero")
	}
	return intValue(permute(v, size, seed)), nil
}
