package model

import (
	"testing"
	"time"
)

func TestWords(t *testing.T) {
	for _, c := range [][2]string{
		{whole(4120), "4,120"},
		{whole(999.6), "1,000"},
		{whole(-1234567), "-1,234,567"},
		{whole(0), "0"},
		{figure(12.345), "12.3"},
		{figure(99999), "99,999"},
		{percent(0.4), "40%"},
		{percent(-0.004), "0.4%"},
		{percent(0.0001), "0%"},
		{percent(0.0096), "1%"},
		{percent(12), "1,200%"},
		{span(11 * time.Millisecond), "11 ms"},
		{span(1250 * time.Microsecond), "1.2 ms"},
		{span(840 * time.Microsecond), "840 µs"},
		{span(999900 * time.Nanosecond), "1 ms"},
		{span(1500 * time.Millisecond), "1.5 s"},
		{span(0), "0 ms"},
		{counted(1, "core"), "1 core"},
		{counted(1200, "client"), "1,200 clients"},
	} {
		if c[0] != c[1] {
			t.Errorf("got %q, want %q", c[0], c[1])
		}
	}
}
