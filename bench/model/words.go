package model

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// whole writes a number without a fraction, with commas between thousands: "4,120".
func whole(x float64) string {
	digits := strconv.FormatFloat(math.Round(math.Abs(x)), 'f', 0, 64)
	var b strings.Builder
	if x < 0 && digits != "0" {
		b.WriteByte('-')
	}
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// figure writes a rate: whole from 100 up, else with three digits.
func figure(x float64) string {
	if math.Abs(x) >= 100 {
		return whole(x)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}

// percent writes a share: "2%", below 1% "0.4%".
func percent(share float64) string {
	p := math.Abs(share) * 100
	switch {
	case p >= 0.95:
		return whole(p) + "%"
	case p >= 0.05:
		return strconv.FormatFloat(p, 'f', 1, 64) + "%"
	}
	return "0%"
}

// span writes a time with at most three digits, in the unit that suits: "11 ms", "1.25 s", "840 µs".
func span(d time.Duration) string {
	switch s := d.Seconds(); {
	case s <= 0:
		return "0 ms"
	case s < 0.9995e-3:
		return short(s*1e6) + " µs"
	case s < 0.9995:
		return short(s*1e3) + " ms"
	default:
		return short(s) + " s"
	}
}

// short writes a number above 0 with two digits or, where it is whole, all of them.
func short(x float64) string {
	switch {
	case x >= 10:
		return whole(x)
	default:
		return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(x, 'f', 1, 64), "0"), ".")
	}
}

// counted writes "1 pool size", "3 pool sizes".
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%s %ss", whole(float64(n)), thing)
}
