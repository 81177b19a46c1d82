package workload

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// compute evaluates an expression as a script's; the variables are those of expressionVariables.
func compute(t testing.TB, expression string, seed uint64) (string, error) {
	t.Helper()
	var b program
	b.variable("default_seed")
	n, err := parseExpression(&source{name: "x", text: expression}, 0, len(expression), b.variable)
	if err != nil {
		return "", err
	}
	s := &scope{random: rand.New(rand.NewPCG(seed, 0)), names: b.variables}
	for i, name := range b.variables {
		s.slots = append(s.slots, int32(i))
		v := variable{}
		if text, ok := expressionVariables()[name]; ok {
			v = textVariable(text)
		}
		s.variables = append(s.variables, v)
	}
	v, err := n.evaluate(s)
	return strings.TrimPrefix(v.kind.String()+" ", "null ") + string(v.appendTo(nil)), err
}

func expressionVariables() map[string]string {
	return map[string]string{
		"i": "42", "neg": "-7", "d": "1.5", "t": "true", "y": "ye", "f": "off", "n": "null", "word": "hello", "empty": "", "default_seed": "5432",
		"big": "99999999999999999999", "exp": "1e3",
	}
}

// values are expressions and what they give; TestAgainstPgbench asks pgbench too.
func values() []struct{ expression, want string } {
	return []struct{ expression, want string }{
		{"1", "int 1"},
		{"-1", "int -1"},
		{"9223372036854775807", "int 9223372036854775807"},
		{"-9223372036854775808", "int -9223372036854775808"},
		{"- 9223372036854775808", "int -9223372036854775808"},
		{"007", "int 7"},
		{"1.5", "double 1.5"},
		{".5", "double 0.5"},
		{"5.", "double 5"},
		{"1e3", "double 1000"},
		{"1E-5", "double 1e-05"},
		{"2.5e+300 * 1e5", "double 2.5e+305"},
		{"1e308 * 10", "double Infinity"},
		{"-1e308 * 10", "double -Infinity"},
		{"0.1 + 0.2", "double 0.3"},
		{"1.0 / 3", "double 0.333333333333333"},
		{"1e15", "double 1e+15"},
		{"123456789012345.0", "double 123456789012345"},
		{"1234567890123456.0", "double 1.23456789012346e+15"},
		{"0.0001", "double 0.0001"},
		{"0.00001", "double 1e-05"},
		{"100000.0", "double 100000"},
		{"true", "boolean true"},
		{"FALSE", "boolean false"},
		{"null", "NULL"},

		// Precedence and association.
		{"1 + 2 * 3", "int 7"},
		{"(1 + 2) * 3", "int 9"},
		{"10 - 4 - 3", "int 3"},
		{"100 / 10 / 3", "int 3"},
		{"-7 / 2", "int -3"},
		{"-7 % 3", "int -1"},
		{"7 % -3", "int 1"},
		{"7 % -1", "int 0"},
		{"- - 3", "int 3"},
		{"+3", "int 3"},
		{"2 * -3", "int -6"},
		{"1 | 2 & 3", "int 3"},
		{"1 | 6 & 4", "int 4"},
		{"1 + 1 << 3", "int 16"},
		{"1 << 2 + 1", "int 8"},
		{"256 >> 2 >> 1", "int 32"},
		{"-16 >> 2", "int -4"},
		{"5 # 3", "int 6"},
		{"~5", "int -6"},
		{"~1 + 2", "int -4"},
		{"~1 | 4", "int -2"},
		{"1 + ~2", "int -2"},
		{"1 + ~2 + 3", "int -5"},
		{"-~1", "int 2"},
		{"~~7", "int 7"},
		{"1 = 1 and 2 <> 3", "boolean true"},
		{"1 != 1 or 2 >= 3", "boolean false"},
		{"not 1 = 2", "boolean true"},
		{"not true or true", "boolean true"},
		{"not not false", "boolean false"},
		{"1 < 2 and 2 <= 2 and 3 > 2 and 3 >= 3", "boolean true"},
		{"1 = 1.0", "boolean true"},
		{"1 < 1.5", "boolean true"},
		{"1 + 1 = 2 and 5 & 4 = 4", "boolean true"},
		{"1 = 2 is null", "boolean false"},
		{"null is null", "boolean true"},
		{"null isnull", "boolean true"},
		{"1 notnull", "boolean true"},
		{"1 is not null", "boolean true"},
		{"true is true", "boolean true"},
		{"null is true", "boolean false"},
		{"null is not false", "boolean true"},
		{"1 is true", "boolean false"},

		// NULL and the three-valued logic.
		{"1 + null", "NULL"},
		{"null = null", "NULL"},
		{"not null", "NULL"},
		{"null and false", "NULL"},
		{"false and null", "boolean false"},
		{"null and true", "NULL"},
		{"null or true", "NULL"},
		{"sqrt(-1)", "double NaN"},
		{"null and 1 / 0 = 1", "NULL"},
		{"true or null", "boolean true"},
		{"null or false", "NULL"},
		{"abs(null)", "NULL"},
		{"least(1, null, 3)", "NULL"},
		{"true or 1 / 0 = 1", "boolean true"},
		{"false and 1 / 0 = 1", "boolean false"},

		{"case when true then 1 else 2 end", "int 1"},
		{"case when 0 then 1 when null then 2 when 0.0 then 3 when 5 then 4 end", "int 4"},
		{"case when false then 1 end", "NULL"},
		{"case when 1 = 2 then 1 / 0 else 7 end", "int 7"},
		{"CASE WHEN 1 THEN CASE WHEN 0 THEN 1 ELSE 5 END END + 1", "int 6"},

		{"abs(-3)", "int 3"},
		{"abs(-3.5)", "double 3.5"},
		{"debug(5)", "int 5"},
		{"double(3)", "double 3"},
		{"exp(0)", "double 1"},
		{"greatest(1, 2, 3)", "int 3"},
		{"greatest(1, 2.5)", "double 2.5"},
		{"greatest(3, 2.5, 1)", "double 3"},
		{"greatest(-5)", "int -5"},
		{"least(4, 3, 2, 1)", "int 1"},
		{"least(2, 1.5)", "double 1.5"},
		{"least(1.5, 1)", "double 1"},
		{"least(-1, -1.5, -2)", "double -2"},
		{"int(2.5)", "int 2"},
		{"int(3.5)", "int 4"},
		{"int(-2.5)", "int -2"},
		{"int(2.4 + 3.8)", "int 6"},
		{"ln(1)", "double 0"},
		{"mod(54, 32)", "int 22"},
		{"mod(7.6, 3)", "int 2"},
		{"5.4 % 3", "int 2"},
		{"pi()", "double 3.14159265358979"},
		{"pow(2.0, 10)", "double 1024"},
		{"power(2, 3)", "double 8"},
		{"sqrt(2.0)", "double 1.4142135623731"},
		{"hash(10, 5432)", "int -5817877081768721676"},
		{"hash_murmur2(10, 5432)", "int -5817877081768721676"},
		{"hash_fnv1a(10, 5432)", "int -7793829335365542153"},
		{"hash_fnv1a(:i)", ""},
		{"hash(-1, -1)", ""},
		{"hash_fnv1a(9223372036854775807, 0)", ""},
		{"hash(10)", ""},
		{"permute(10, 1, 7)", "int 0"},
		{"permute(0, 2, 5432)", ""},
		{"permute(1, 2, 5432)", ""},
		{"permute(2, 3, 9)", ""},
		{"permute(11, 1000, 5432)", ""},
		{"permute(-1, 16777216, -3)", ""},
		{"permute(12345, 9223372036854775807, 1)", ""},
		{"permute(5, 100)", ""},
		{"random(5, 5)", "int 5"},
		{"random_zipfian(3, 3, 2)", "int 3"},

		{":i + 1", "int 43"},
		{":neg * :d", "double -10.5"},
		{":t and :y and not :f", "boolean true"},
		{":n is null", "boolean true"},
		{":exp", "double 1000"},
		{"1 \\\n + 2", "int 3"},
	}
}

func TestExpressions(t *testing.T) {
	for _, c := range values() {
		got, err := compute(t, c.expression, 1)
		if err != nil || c.want != "" && got != c.want {
			t.Errorf("%s: %s, %v; want %s", c.expression, got, err, c.want)
		}
	}
}

// faults are expressions that have no value.
func faults() []struct{ expression, want string } {
	return []struct{ expression, want string }{
		{"1 / 0", "division by zero"},
		{"1 % 0", "division by zero"},
		{"mod(1, 0)", "division by zero"},
		{"9223372036854775807 + 1", "bigint add out of range"},
		{"-9223372036854775808 - 1", "bigint sub out of range"},
		{"- :min", ""},
		{"9223372036854775807 * 2", "bigint mul out of range"},
		{"-9223372036854775808 * -1", "bigint mul out of range"},
		{"-1 * -9223372036854775808", "bigint mul out of range"},
		{"-9223372036854775808 / -1", "bigint div out of range"},
		{"int(1e20)", "double to int overflow for 100000000000000000000.000000"},
		{"int(9223372036854775807.0)", "double to int overflow"},
		{"1 + true", "cannot coerce boolean to int"},
		{"true = true", "cannot coerce boolean to int"},
		{"1.5 + true", "cannot coerce boolean to double"},
		{"not 1", "cannot coerce int to boolean"},
		{"1 and true", "cannot coerce int to boolean"},
		{"1.5 or false", "cannot coerce double to boolean"},
		{"sqrt(true)", "cannot coerce boolean to double"},
		{"greatest(true, 1)", "cannot coerce boolean to int"},
		{"~true", "cannot coerce boolean to int"},
		{"random(5, 1)", "empty range given to random"},
		{"random(-9223372036854775808, 9223372036854775807)", "random range is too large"},
		{"random(0, 9223372036854775807)", "random range is too large"},
		{"random_gaussian(1, 10, 1.5)", "gaussian parameter must be at least 2.000000 (not 1.500000)"},
		{"random_exponential(1, 10, 0)", "exponential parameter must be greater than zero (not 0.000000)"},
		{"random_zipfian(1, 10, 1.0)", "zipfian parameter must be in range [1.001, 1000] (not 1.000000)"},
		{"permute(1, 0)", "permute size parameter must be greater than zero"},
		{":nobody + 1", "the variable :nobody is not set"},
		{":word + 1", `the variable :word holds "hello"`},
		{":empty + 1", `the variable :empty holds ""`},
		{":big", "the variable :big holds"},
	}
}

func TestExpressionFaults(t *testing.T) {
	for _, c := range faults() {
		got, err := compute(t, c.expression, 1)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %s, %v; want %s", c.expression, got, err, c.want)
		}
	}
}

func TestExpressionSyntax(t *testing.T) {
	for _, c := range []struct{ expression, want string }{
		{"", "x:1:1: an expression is missing"},
		{"1 +", `x:1:4: the expression ends where a value should follow`},
		{"1 2", `x:1:3: "2" where an operator or the end of the line should follow`},
		{"1 < 2 < 3", `x:1:7: "<" where an operator or the end of the line should follow`},
		{"(1", `x:1:3: the expression ends where ")" should follow`},
		{"foo(1)", `x:1:1: there is no function "foo"`},
		{"randon(1, 2)", `did you mean "random"?`},
		{"random(1)", "x:1:1: random takes 2 arguments, not 1"},
		{"random(1, 2, 3)", "random takes 2 arguments, not 3"},
		{"hash()", "hash takes 1 or 2 arguments, not 0"},
		{"least()", "least takes at least 1 arguments, not 0"},
		{"pi(1)", "pi takes 0 arguments, not 1"},
		{"random", `x:1:7: the expression ends where "(" should follow`},
		{"1 ; 2", `x:1:3: an expression cannot hold ';'`},
		{"'a'", `x:1:1: an expression cannot hold '\''`},
		{"1 + é", `there is no function "é"`},
		{": x", "x:1:1: a variable's name must follow the colon"},
		{"case 1 when 2 then 3 end", `x:1:6: "1" where "WHEN" should follow`},
		{"case when 1 then 2", `the expression ends where "END" should follow`},
		{"case when 1 else 2 end", `"else" where "THEN" should follow`},
		{"case end", `"end" where "WHEN" should follow`},
		{"1 is 2", `"2" where NULL, TRUE or FALSE should follow`},
		{"9223372036854775808", "x:1:1: the integer 9223372036854775808 does not fit 64 bits"},
		{"99999999999999999999", "does not fit 64 bits"},
		{"1e999", "does not fit a double"},
		{"and", `"and" where a value should follow`},
		{strings.Repeat("(", 300) + "1", "nested deeper than 200"},
		{strings.Repeat("-", 300) + "1", "nested deeper than 200"},
		{strings.Repeat("~", 300) + "1", "nested deeper than 200"},
		{strings.Repeat("not ", 300) + "1", "nested deeper than 200"},
	} {
		got, err := compute(t, c.expression, 1)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.30s: %s, %v; want %s", c.expression, got, err, c.want)
		}
	}
}

// The random functions keep to their bounds, and lean the way that they should.
func TestRandomFunctions(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const n = 100000
	for _, c := range []struct {
		name      string
		draw      func() int64
		low, high float64 // of the share of 0 to 9 among 0 to 99
	}{
		{"gaussian", func() int64 { return gaussian(r, 100, 2.5) }, 0.0155, 0.0180}, // P(-2.5 < x < -2) over what is not cut off
		{"exponential", func() int64 { return exponential(r, 100, 10) }, 0.62, 0.64},
		{"zipfian", func() int64 { return zipfian(r, 100, 1.5) }, 0.80, 0.85}, // the first ten of sum(k^-1.5)
	} {
		few := 0
		for range n {
			x := c.draw()
			if x < 0 || x > 99 {
				t.Fatalf("%s gives %d", c.name, x)
			}
			if x < 10 {
				few++
			}
		}
		if share := float64(few) / n; share < c.low || share > c.high {
			t.Errorf("%s: %v of the numbers are the first ten, want %v to %v", c.name, share, c.low, c.high)
		}
	}
	if got := portion(math.MaxInt64, math.Nextafter(1, 0)); got < 0 {
		t.Errorf("the largest range gives %d", got)
	}
	if zipfian(r, 1, 1.001) != 0 {
		t.Error("one number to choose from, and another was chosen")
	}
}

// permute is a permutation.
func TestPermute(t *testing.T) {
	for _, size := range []int64{2, 3, 4, 5, 7, 8, 100, 1000, 1024} {
		seen := make([]bool, size)
		for v := range size {
			p := permute(v, size, 42)
			if p < 0 || p >= size || seen[p] {
				t.Fatalf("size %d: %d goes to %d", size, v, p)
			}
			seen[p] = true
		}
	}
}
