package workload

import (
	"math"
	"strings"
)

// maxDepth bounds how deep expressions may be nested.
const maxDepth = 200

// parser reads one expression. The precedence is pgbench's, lowest first: OR, AND, NOT, IS, comparisons (which do not associate),
// "| # & << >> ~", "+ -", "* / %", and the sign.
type parser struct {
	lexer
	tok   token
	local func(name string) int // the transaction's number of a variable
	depth int
}

// parseExpression reads src.text[from:to], all of it.
func parseExpression(src *source, from, to int, local func(string) int) (*node, error) {
	p := &parser{lexer: lexer{src: src, at: from, end: to}, local: local}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == tokenEnd {
		return nil, src.errorf(from, "an expression is missing")
	}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokenEnd {
		return nil, p.unexpected("an operator or the end of the line")
	}
	return n, nil
}

func (p *parser) advance() (err error) {
	p.tok, err = p.next()
	return err
}

func (p *parser) unexpected(want string) error {
	if p.tok.kind == tokenEnd {
		return p.src.errorf(p.tok.offset, "the expression ends where %s should follow", want)
	}
	what := p.src.text[p.tok.offset:p.at]
	return p.src.errorf(p.tok.offset, "%q where %s should follow", what, want)
}

func (p *parser) is(kind tokenKind, text string) bool {
	return p.tok.kind == kind && p.tok.text == text
}

// accept takes the token when it is this one.
func (p *parser) accept(kind tokenKind, text string) (bool, error) {
	if !p.is(kind, text) {
		return false, nil
	}
	return true, p.advance()
}

func (p *parser) expect(kind tokenKind, text string) error {
	ok, err := p.accept(kind, text)
	if err == nil && !ok {
		return p.unexpected(`"` + strings.ToUpper(text) + `"`)
	}
	return err
}

func (p *parser) node(op operation, offset int, args ...*node) *node {
	return &node{op: op, at: p.src.position(offset), args: args}
}

func (p *parser) constant(v value, offset int) *node {
	return &node{op: opConst, at: p.src.position(offset), value: v}
}

// leftAssociative reads operands and the operators between them.
func (p *parser) leftAssociative(operand func() (*node, error), operator func() (operation, bool)) (*node, error) {
	left, err := operand()
	if err != nil {
		return nil, err
	}
	for {
		op, ok := operator()
		if !ok {
			return left, nil
		}
		offset := p.tok.offset
		if err := p.advance(); err != nil {
			return nil, err
		}
		right, err := operand()
		if err != nil {
			return nil, err
		}
		left = p.node(op, offset, left, right)
	}
}

func (p *parser) or() (*node, error) {
	return p.leftAssociative(p.and, func() (operation, bool) { return opOr, p.is(tokenWord, "or") })
}

func (p *parser) and() (*node, error) {
	return p.leftAssociative(p.not, func() (operation, bool) { return opAnd, p.is(tokenWord, "and") })
}

func (p *parser) not() (*node, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	offset := p.tok.offset
	if ok, err := p.accept(tokenWord, "not"); !ok || err != nil {
		if err != nil {
			return nil, err
		}
		return p.test()
	}
	n, err := p.not()
	if err != nil {
		return nil, err
	}
	return p.node(opNot, offset, n), nil
}

func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth {
		return p.src.errorf(p.tok.offset, "the expression is nested deeper than %d", maxDepth)
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// test is a comparison, with IS behind it.
func (p *parser) test() (*node, error) {
	n, err := p.comparison()
	if err != nil {
		return nil, err
	}
	offset := p.tok.offset
	negated, constant := false, value{}
	switch {
	case p.is(tokenWord, "isnull"):
	case p.is(tokenWord, "notnull"):
		negated = true
	case p.is(tokenWord, "is"):
		if err := p.advance(); err != nil {
			return nil, err
		}
		if negated, err = p.accept(tokenWord, "not"); err != nil {
			return nil, err
		}
		switch {
		case p.is(tokenWord, "null"):
		case p.is(tokenWord, "true"), p.is(tokenWord, "false"):
			constant = boolValue(p.tok.text == "true")
		default:
			return nil, p.unexpected("NULL, TRUE or FALSE")
		}
	default:
		return n, nil
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	n = p.node(opIs, offset, n, p.constant(constant, offset))
	if negated {
		n = p.node(opNot, offset, n)
	}
	return n, nil
}

func (p *parser) comparison() (*node, error) {
	left, err := p.bits()
	if err != nil || p.tok.kind != tokenSymbol {
		return left, err
	}
	op, swapped := opConst, false
	switch p.tok.text {
	case "=":
		op = opEqual
	case "<>", "!=":
		op = opUnequal
	case "<":
		op = opLess
	case "<=":
		op = opLessEqual
	case ">":
		op, swapped = opLess, true
	case ">=":
		op, swapped = opLessEqual, true
	default:
		return left, nil
	}
	offset := p.tok.offset
	if err := p.advance(); err != nil {
		return nil, err
	}
	right, err := p.bits()
	if err != nil {
		return nil, err
	}
	if swapped {
		left, right = right, left
	}
	return p.node(op, offset, left, right), nil
}

func (p *parser) bits() (*node, error) {
	return p.leftAssociative(p.complement, func() (operation, bool) {
		if p.tok.kind != tokenSymbol {
			return 0, false
		}
		switch p.tok.text {
		case "|":
			return opBitOr, true
		case "#":
			return opBitXor, true
		case "&":
			return opBitAnd, true
		case "<<":
			return opShiftLeft, true
		case ">>":
			return opShiftRight, true
		}
		return 0, false
	})
}

// complement: "~" binds as weakly as the operators beside it, so that ~1+2 is ~(1+2).
func (p *parser) complement() (*node, error) {
	offset := p.tok.offset
	ok, err := p.accept(tokenSymbol, "~")
	if err != nil {
		return nil, err
	}
	if !ok {
		return p.sum()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	n, err := p.complement()
	if err != nil {
		return nil, err
	}
	return p.node(opBitXor, offset, p.constant(intValue(-1), offset), n), nil
}

func (p *parser) sum() (*node, error) {
	return p.leftAssociative(p.product, func() (operation, bool) {
		switch {
		case p.is(tokenSymbol, "+"):
			return opAdd, true
		case p.is(tokenSymbol, "-"):
			return opSub, true
		}
		return 0, false
	})
}

func (p *parser) product() (*node, error) {
	return p.leftAssociative(p.sign, func() (operation, bool) {
		switch {
		case p.is(tokenSymbol, "*"):
			return opMul, true
		case p.is(tokenSymbol, "/"):
			return opDiv, true
		case p.is(tokenSymbol, "%"):
			return opMod, true
		}
		return 0, false
	})
}

func (p *parser) sign() (*node, error) {
	offset := p.tok.offset
	minus := p.is(tokenSymbol, "-")
	if !minus && !p.is(tokenSymbol, "+") {
		// pgbench's grammar lets ~ and NOT stand where an operand does.
		if p.is(tokenSymbol, "~") {
			return p.complement()
		}
		if p.is(tokenWord, "not") {
			return p.not()
		}
		return p.primary()
	}
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	if err := p.advance(); err != nil {
		return nil, err
	}
	if minus && p.tok.kind == tokenMinInt {
		return p.constant(intValue(math.MinInt64), offset), p.advance()
	}
	n, err := p.sign()
	if err != nil || !minus {
		return n, err
	}
	return p.node(opSub, offset, p.constant(intValue(0), offset), n), nil
}
