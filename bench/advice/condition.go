package advice

import "strings"

// term is one of the conditions that a plan's node joins with AND: `column operator something`.
type term struct {
	column   string // of the node's own relation, unquoted; "" where the left side is an expression
	expr     string // the left side as the plan has it, without the relation's alias
	operator string // "=", "<", "@@", "~~*", "= ANY", "IS NULL"
	other    string // the right side
}

// terms takes a condition of EXPLAIN (VERBOSE) apart, where every column has its relation's alias before it. Terms that do not start at the relation called
// alias, or whose right side needs the same row, are left out; and so is everything below an OR.
func terms(condition, alias string) []term {
	var all []term
	for _, part := range conjuncts(condition) {
		if t, ok := parseTerm(part, alias); ok {
			all = append(all, t)
		}
	}
	return all
}

// conjuncts splits at the ANDs of the outermost level, and within what they join.
func conjuncts(condition string) []string {
	condition = unwrap(condition)
	parts := splitOutside(condition, " AND ")
	if len(parts) == 1 {
		return parts
	}
	var all []string
	for _, part := range parts {
		all = append(all, conjuncts(part)...)
	}
	return all
}

// unwrap takes away brackets that are around the whole.
func unwrap(s string) string {
	for {
		s = strings.TrimSpace(s)
		if len(s) < 2 || s[0] != '(' || closing(s) != len(s)-1 {
			return s
		}
		s = s[1 : len(s)-1]
	}
}

// closing finds the bracket that closes the one that s starts with; -1 where none does.
func closing(s string) int {
	depth := 0
	for i := 0; i < len(s); {
		n, _ := token(s[i:])
		switch s[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			if depth--; depth == 0 {
				return i
			}
		}
		i += n
	}
	return -1
}

// splitOutside splits s where sep, which starts with a blank, stands outside of brackets and constants.
func splitOutside(s, sep string) []string {
	var parts []string
	depth, start := 0, 0
	for i := 0; i < len(s); {
		if depth == 0 && strings.HasPrefix(s[i:], sep) {
			parts = append(parts, s[start:i])
			i += len(sep)
			start = i
			continue
		}
		n, _ := token(s[i:])
		switch s[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		}
		i += n
	}
	return append(parts, s[start:])
}

// operators that terms are split at, the longer ones first.
var operators = [...]string{
	"IS NOT NULL", "IS NULL", "= ANY", "<> ALL", "~~*", "!~~", "<=", ">=", "<>", "~~", "~*", "@@", "@>", "<@", "&&", "?|", "?&", "=", "<", ">", "~", "?",
}

func parseTerm(s, alias string) (term, bool) {
	s = unwrap(s)
	if len(splitOutside(s, " OR ")) > 1 {
		return term{}, false
	}
	left, operator, right, ok := cutOperator(s)
	if !ok {
		return term{}, false
	}
	if !mentions(left, alias) && mentions(right, alias) {
		left, operator, right = right, turned(operator), left
	}
	if operator == "" || !mentions(left, alias) || mentions(right, alias) {
		return term{}, false
	}
	t := term{expr: withoutAlias(left, alias), operator: operator, other: right}
	t.column = columnOf(t.expr)
	return t, true
}

// cutOperator splits a term at its first operator outside of brackets.
func cutOperator(s string) (left, operator, right string, ok bool) {
	depth := 0
	for i := 0; i < len(s); {
		if depth == 0 && s[i] == ' ' {
			for _, op := range operators {
				rest, found := strings.CutPrefix(s[i+1:], op)
				if found && (rest == "" || rest[0] == ' ') {
					return unwrap(s[:i]), op, unwrap(rest), true
				}
			}
		}
		n, _ := token(s[i:])
		switch s[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		}
		i += n
	}
	return "", "", "", false
}

// turned is the operator with its sides exchanged, "" where it has none.
func turned(operator string) string {
	switch operator {
	case "=", "<>", "&&":
		return operator
	case "<":
		return ">"
	case ">":
		return "<"
	case "<=":
		return ">="
	case ">=":
		return "<="
	case "@>":
		return "<@"
	case "<@":
		return "@>"
	}
	return ""
}

// mentions is whether an expression has a column of the relation called alias.
func mentions(s, alias string) bool {
	found := false
	eachName(s, func(at, n int) {
		if unquote(s[at:at+n]) == alias && at+n < len(s) && s[at+n] == '.' && (at == 0 || s[at-1] != '.') {
			found = true
		}
	})
	return found
}

// withoutAlias takes the alias and its dot away from every column.
func withoutAlias(s, alias string) string {
	var b strings.Builder
	last := 0
	eachName(s, func(at, n int) {
		if unquote(s[at:at+n]) == alias && at+n < len(s) && s[at+n] == '.' && (at == 0 || s[at-1] != '.') {
			b.WriteString(s[last:at])
			last = at + n + 1
		}
	})
	return b.String() + s[last:]
}

func eachName(s string, do func(at, n int)) {
	for i := 0; i < len(s); {
		n, k := token(s[i:])
		if k == tokenName {
			do(i, n)
		}
		i += n
	}
}

// columnOf is the column that an expression without alias is: `id`, `"Id"`, and `(name)::text`, which is how a varchar is compared; else "".
func columnOf(expr string) string {
	expr = unwrap(strings.TrimSuffix(expr, "::text"))
	if expr == "" {
		return ""
	}
	if n, k := token(expr); k != tokenName || n != len(expr) {
		return ""
	}
	return unquote(expr)
}

func unquote(s string) string {
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		return strings.ReplaceAll(s[1:len(s)-1], `""`, `"`)
	}
	return s
}
