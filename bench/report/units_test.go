package report

import (
	"math"
	"testing"
)

func TestUnits(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{number(0), "0"},
		{number(0.5234), "0.52"},
		{number(9.994), "9.99"},
		{number(9.996), "10.0"},
		{number(27.14), "27.1"},
		{number(99.96), "100"},
		{number(999.6), "1,000"},
		{number(4120.4), "4,120"},
		{number(1234567), "1,234,567"},
		{number(-4120), "-4,120"},
		{number(0.0042), "0.0042"},
		{number(math.NaN()), "-"},
		{number(math.Inf(1)), "-"},
		{count(0), "0"},
		{count(999), "999"},
		{count(1000), "1,000"},
		{count(-123456), "-123,456"},
		{latency(0), "0 µs"},
		{latency(7.254), "7.25 µs"},
		{latency(730), "730 µs"},
		{latency(999.6), "1.00 ms"},
		{latency(3714), "3.71 ms"},
		{latency(11_000), "11.0 ms"},
		{latency(250_400), "250 ms"},
		{latency(999_600), "1.00 s"},
		{latency(1_204_000), "1.20 s"},
		{latency(600e6), "600 s"},
		{latency(math.NaN()), "-"},
		{percent(0.021), "2.1%"},
		{percent(0.4), "40%"},
		{percent(-0.0001), "0%"},
		{percent(1.5), "150%"},
		{signed(0.021), "+2.1%"},
		{signed(-0.021), "-2.1%"},
		{signed(0.0001), "0%"},
		{megabytes(12_300_000), "12.3"},
		{printable("a\x1b[31mb\n"), "a\uFFFD[31mb\uFFFD"},
		{printable("µs ±"), "µs ±"},
		{wrap("  one two three", 9), "  one two\n    three"},
		{wrap("one two", 0), "one two"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}
