package workload

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// scope is what an expression is evaluated in: a session with one transaction's numbering of its variables.
type scope struct {
	variables []variable // of the session
	slots     []int32    // the transaction's numbers to the session's
	names     []string   // of the transaction's variables
	random    *rand.Rand
	seed      int32 // the session's number of default_seed
	debug     func(string)
}

func (s *scope) variable(slot int) *variable { return &s.variables[s.slots[slot]] }

func (s *scope) name(slot int) string { return s.names[slot] }

// fault is an expression that has no value: where, and why.
type fault struct {
	at   position
	text string
}

func (f *fault) Error() string { return f.text }

func (n *node) fault(format string, args ...any) error {
	return &fault{at: n.at, text: fmt.Sprintf(format, args...)}
}

// evaluate gives the expression's value. It allocates only for an error. Its results, and its errors, are those of pgbench.
func (n *node) evaluate(s *scope) (value, error) {
	switch n.op {
	case opConst:
		return n.value, nil
	case opVariable:
		return n.lookUp(s)
	case opCase:
		return n.choose(s)
	case opAnd, opOr:
		return n.logic(s)
	case opLeast, opGreatest:
		return n.extreme(s)
	case opPi:
		return doubleValue(math.Pi), nil
	}
	var args [3]value
	isNull := false
	for i, arg := range n.args {
		v, err := arg.evaluate(s)
		if err != nil {
			return value{}, err
		}
		isNull = isNull || v.kind == null
		args[i] = v
	}
	switch n.op {
	case opIs:
		a, b := args[0], args[1]
		return boolValue(a.kind == b.kind && a.bool == b.bool), nil
	case opDebug:
		n.show(s, args[0])
		return args[0], nil
	}
	if isNull {
		return value{}, nil
	}
	if n.op < opAbs {
		return n.operator(args[0], args[1])
	}
	return n.call(s, &args)
}

func (n *node) lookUp(s *scope) (value, error) {
	v := s.variable(n.slot)
	switch v.state {
	case unset:
		return value{}, n.fault("the variable :%s is not set: set it with \\set, \\gset or --define %s=VALUE", n.name, n.name)
	case words:
		return value{}, n.fault("the variable :%s holds %q, with which an expression cannot compute", n.name, v.text)
	}
	return v.value, nil
}

func (n *node) choose(s *scope) (value, error) {
	last := len(n.args) - 1
	for i := 0; i < last; i += 2 {
		v, err := n.args[i].evaluate(s)
		if err != nil {
			return value{}, err
		}
		if v.truth() {
			return n.args[i+1].evaluate(s)
		}
	}
	return n.args[last].evaluate(s)
}

// logic is AND and OR. The left side decides alone where it can, and pgbench lets a NULL there decide too, so that "null and false" is NULL.
func (n *node) logic(s *scope) (value, error) {
	decides := n.op == opOr
	for _, arg := range n.args {
		v, err := arg.evaluate(s)
		if err != nil || v.kind == null {
			return value{}, err
		}
		b, err := n.toBool(v)
		if err != nil {
			return value{}, err
		}
		if b == decides {
			return boolValue(decides), nil
		}
	}
	return boolValue(!decides), nil
}

// extreme is least and greatest: integers, unless one of them is a double. NULL among them makes it NULL.
func (n *node) extreme(s *scope) (value, error) {
	var best value
	isNull, isBool := false, false
	for i, arg := range n.args {
		v, err := arg.evaluate(s)
		if err != nil {
			return value{}, err
		}
		isNull = isNull || v.kind == null
		isBool = isBool || v.kind == boolean
		if best.kind == double && v.kind == integer {
			v = doubleValue(float64(v.int))
		}
		if best.kind == integer && v.kind == double {
			best = doubleValue(float64(best.int))
		}
		if i == 0 || n.op == opLeast && less(v, best) || n.op == opGreatest && less(best, v) {
			best = v
		}
	}
	switch {
	case isNull:
		return value{}, nil
	case isBool:
		return value{}, n.cannot(boolValue(true), integer)
	}
	return best, nil
}

// less compares two integers or two doubles.
func less(a, b value) bool { return a.int < b.int || a.dbl < b.dbl }

func (n *node) cannot(v value, to kind) error {
	return n.fault("cannot coerce %s to %s", v.kind, to)
}

func (n *node) toBool(v value) (bool, error) {
	if v.kind != boolean {
		return false, n.cannot(v, boolean)
	}
	return v.bool, nil
}

func (n *node) toInt(v value) (int64, error) {
	switch v.kind {
	case integer:
		return v.int, nil
	case double:
		d := math.RoundToEven(v.dbl)
		// 2^63 is the first double that is too large.
		if math.IsNaN(d) || d < -(1<<63) || d >= 1<<63 {
			return 0, n.fault("double to int overflow for %f", v.dbl)
		}
		return int64(d), nil
	}
	return 0, n.cannot(v, integer)
}

func (n *node) toDouble(v value) (float64, error) {
	switch v.kind {
	case integer:
		return float64(v.int), nil
	case double:
		return v.dbl, nil
	}
	return 0, n.cannot(v, double)
}

// show reports a value to whoever watches.
func (n *node) show(s *scope, v value) {
	if s.debug == nil {
		return
	}
	text := v.appendTo(nil)
	if v.kind != null {
		text = append([]byte(v.kind.String()+" "), text...)
	}
	s.debug(fmt.Sprintf("line %d: debug(%s)", n.at.line, text))
}
