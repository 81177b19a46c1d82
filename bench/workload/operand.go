package workload

import "strings"

// Operands of an expression: constants, variables, parentheses, CASE and calls.

func (p *parser) primary() (*node, error) {
	t := p.tok
	switch t.kind {
	case tokenInt, tokenDouble:
		return p.constant(t.value, t.offset), p.advance()
	case tokenMinInt:
		return nil, p.src.errorf(t.offset, "the integer %s does not fit 64 bits: write it with a decimal point", t.text)
	case tokenVariable:
		n := p.node(opVariable, t.offset)
		n.name, n.slot = t.text, p.local(t.text)
		return n, p.advance()
	case tokenWord:
		return p.word()
	case tokenSymbol:
		if t.text == "(" {
			return p.parenthesis()
		}
	}
	return nil, p.unexpected("a value")
}

func (p *parser) parenthesis() (*node, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	n, err := p.or()
	if err != nil {
		return nil, err
	}
	return n, p.expect(tokenSymbol, ")")
}

func (p *parser) word() (*node, error) {
	t := p.tok
	switch t.text {
	case "null":
		return p.constant(value{}, t.offset), p.advance()
	case "true", "false":
		return p.constant(boolValue(t.text == "true"), t.offset), p.advance()
	case "case":
		return p.choice()
	case "and", "or", "is", "isnull", "notnull", "when", "then", "else", "end":
		return nil, p.unexpected("a value")
	}
	return p.call()
}

// choice is CASE WHEN condition THEN value ... [ELSE value] END.
func (p *parser) choice() (*node, error) {
	n := p.node(opCase, p.tok.offset)
	if err := p.advance(); err != nil {
		return nil, err
	}
	if !p.is(tokenWord, "when") {
		return nil, p.unexpected(`"WHEN"`)
	}
	for {
		ok, err := p.accept(tokenWord, "when")
		if err != nil {
			return nil, err
		}
		if !ok {
			break
		}
		condition, err := p.or()
		if err != nil {
			return nil, err
		}
		if err := p.expect(tokenWord, "then"); err != nil {
			return nil, err
		}
		then, err := p.or()
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, condition, then)
	}
	otherwise := p.constant(value{}, p.tok.offset)
	ok, err := p.accept(tokenWord, "else")
	if err != nil {
		return nil, err
	}
	if ok {
		if otherwise, err = p.or(); err != nil {
			return nil, err
		}
	}
	n.args = append(n.args, otherwise)
	return n, p.expect(tokenWord, "end")
}

func (p *parser) call() (*node, error) {
	t := p.tok
	f, ok := functionNamed(t.text)
	if !ok {
		return nil, p.src.errorf(t.offset, "there is no function %q%s; the functions are %s", t.text,
			nearest(t.text, functionNames()), strings.Join(functionNames(), ", "))
	}
	n := p.node(f.op, t.offset)
	n.name = t.text
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.expect(tokenSymbol, "("); err != nil {
		return nil, err
	}
	for !p.is(tokenSymbol, ")") {
		if len(n.args) > 0 {
			if err := p.expect(tokenSymbol, ","); err != nil {
				return nil, err
			}
		}
		arg, err := p.or()
		if err != nil {
			return nil, err
		}
		n.args = append(n.args, arg)
	}
	if !f.allows(len(n.args)) {
		return nil, p.src.errorf(t.offset, "%s takes %s arguments, not %d", t.text, f.takes(), len(n.args))
	}
	return n, p.advance()
}
