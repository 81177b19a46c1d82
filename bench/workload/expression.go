package workload

import "fmt"

// node is an expression, as a tree. It is read only once parsed, and shared by all sessions.
type node struct {
	op    operation
	at    position
	value value   // opConst
	slot  int     // opVariable: the transaction's number of the variable
	name  string  // opVariable, for errors
	args  []*node // of functions and operators; opCase: condition, value, condition, value, ..., else
}

// operation is what a node does. Those from opAbs on are functions that a script may name.
type operation uint8

const (
	opConst operation = iota
	opVariable
	opCase
	opAnd
	opOr
	opNot
	opIs // args[1] is a constant: null or a boolean
	opAdd
	opSub
	opMul
	opDiv
	opBitAnd
	opBitOr
	opBitXor
	opShiftLeft
	opShiftRight
	opEqual
	opUnequal
	opLess
	opLessEqual

	opAbs
	opDebug
	opDouble
	opExp
	opGreatest
	opHashFNV
	opHashMurmur
	opInt
	opLeast
	opLn
	opMod
	opPermute
	opPi
	opPower
	opRandom
	opExponential
	opGaussian
	opZipfian
	opSqrt
)

// function is what a script calls by a name.
type function struct {
	op       operation
	min, max int // how many arguments; max 0 with min above it: any number
}

// functionNamed gives the function of a name, in small letters.
func functionNamed(name string) (function, bool) {
	switch name {
	case "abs":
		return function{opAbs, 1, 1}, true
	case "debug":
		return function{opDebug, 1, 1}, true
	case "double":
		return function{opDouble, 1, 1}, true
	case "exp":
		return function{opExp, 1, 1}, true
	case "greatest":
		return function{opGreatest, 1, 0}, true
	case "hash", "hash_murmur2":
		return function{opHashMurmur, 1, 2}, true
	case "hash_fnv1a":
		return function{opHashFNV, 1, 2}, true
	case "int":
		return function{opInt, 1, 1}, true
	case "least":
		return function{opLeast, 1, 0}, true
	case "ln":
		return function{opLn, 1, 1}, true
	case "mod":
		return function{opMod, 2, 2}, true
	case "permute":
		return function{opPermute, 2, 3}, true
	case "pi":
		return function{opPi, 0, 0}, true
	case "pow", "power":
		return function{opPower, 2, 2}, true
	case "random":
		return function{opRandom, 2, 2}, true
	case "random_exponential":
		return function{opExponential, 3, 3}, true
	case "random_gaussian":
		return function{opGaussian, 3, 3}, true
	case "random_zipfian":
		return function{opZipfian, 3, 3}, true
	case "sqrt":
		return function{opSqrt, 1, 1}, true
	}
	return function{}, false
}

// functionNames are what functionNamed knows.
func functionNames() []string {
	return []string{
		"abs", "debug", "double", "exp", "greatest", "hash", "hash_fnv1a", "hash_murmur2", "int", "least", "ln", "mod", "permute", "pi", "pow",
		"power", "random", "random_exponential", "random_gaussian", "random_zipfian", "sqrt",
	}
}

// takes says how many arguments a function wants, for an error.
func (f function) takes() string {
	switch {
	case f.min > f.max:
		return fmt.Sprintf("at least %d", f.min)
	case f.min < f.max:
		return fmt.Sprintf("%d or %d", f.min, f.max)
	}
	return fmt.Sprint(f.min)
}

// allows tells whether the function can be called with n arguments.
func (f function) allows(n int) bool {
	return n >= f.min && (n <= f.max || f.max < f.min)
}
