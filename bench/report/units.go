package report

import (
	"math"
	"strconv"
	"strings"
	"unicode"
)

// dash stands for what was not measured.
const dash = "-"

// number writes v with about three significant digits below 100, whole above, and commas between thousands: "0.52", "27.1", "4,120".
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return dash
	case a == 0:
		return "0"
	case a < 0.0095:
		return strconv.FormatFloat(v, 'g', 2, 64)
	case a < 9.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case a < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return thousands(strconv.FormatFloat(v, 'f', 0, 64))
	}
}

// count writes a whole number with commas between thousands.
func count(n int64) string { return thousands(strconv.FormatInt(n, 10)) }

func thousands(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	b.WriteString(sign)
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// latency writes microseconds in the unit that suits them, with three significant digits: "730 µs", "3.71 ms", "11.0 ms", "1.20 s".
func latency(us float64) string {
	switch a := math.Abs(us); {
	case math.IsNaN(us) || math.IsInf(us, 0):
		return dash
	case a < 999.5:
		return significant(us) + " µs"
	case a < 999_500:
		return significant(us/1e3) + " ms"
	default:
		return significant(us/1e6) + " s"
	}
}

// significant writes v, below 1000 or large, with three digits.
func significant(v float64) string {
	switch a := math.Abs(v); {
	case a == 0:
		return "0"
	case a < 9.995:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case a < 99.95:
		return strconv.FormatFloat(v, 'f', 1, 64)
	default:
		return thousands(strconv.FormatFloat(v, 'f', 0, 64))
	}
}

// percent writes a share: 0.021 is "2.1%", 0.4 "40%".
func percent(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return dash
	case a < 0.0005:
		return "0%"
	case a < 0.0995:
		return strconv.FormatFloat(100*v, 'f', 1, 64) + "%"
	default:
		return strconv.FormatFloat(100*v, 'f', 0, 64) + "%"
	}
}

// megabytes writes a size in bytes, without the unit: "12.3".
func megabytes(bytes float64) string { return significant(bytes / 1e6) }

// printable is s as a terminal may show it: names and errors come from outside, and may hold escape sequences.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\uFFFD'
		}
		return r
	}, s)
}
