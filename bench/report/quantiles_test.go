package report

import (
	"math"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
)

func TestQuantilesOfKnownLatencies(t *testing.T) {
	h := hdrhistogram.New(1, 600_000_000, 3)
	for us := int64(1); us <= 100_000; us++ {
		if err := h.RecordValue(us); err != nil {
			t.Fatal(err)
		}
	}
	got := FromHistogram(h)
	want := Quantiles{Count: 100_000, Mean: 50_000, P50: 50_000, P90: 90_000, P95: 95_000, P99: 99_000, P999: 99_900, P9999: 99_990, Max: 100_000}
	for _, pair := range [][2]float64{
		{float64(got.Count), float64(want.Count)},
		{got.Mean, want.Mean},
		{got.P50, want.P50},
		{got.P90, want.P90},
		{got.P95, want.P95},
		{got.P99, want.P99},
		{got.P999, want.P999},
		{got.P9999, want.P9999},
		{got.Max, want.Max},
	} {
		if math.Abs(pair[0]/pair[1]-1) > 0.001 {
			t.Errorf("got %v, want %v within 3 digits", pair[0], pair[1])
		}
	}
	if FromHistogram(nil) != (Quantiles{}) || FromHistogram(hdrhistogram.New(1, 10, 1)) != (Quantiles{}) {
		t.Error("no latencies give quantiles")
	}
}

func TestHistogramsAreReadAsWritten(t *testing.T) {
	h := hdrhistogram.New(1, 600_000_000, 3)
	for _, v := range []int64{1, 17, 17, 4_211, 599_999_999} {
		if err := h.RecordValue(v); err != nil {
			t.Fatal(err)
		}
	}
	text, err := EncodeHistogram(h)
	if err != nil {
		t.Fatal(err)
	}
	// Every tool of HdrHistogram knows its compressed V2 by these letters.
	if !strings.HasPrefix(text, "HISTFAAA") {
		t.Errorf("encoded %q", text)
	}
	got, err := DecodeHistogram(text)
	if err != nil {
		t.Fatal(err)
	}
	if !got.Equals(h) {
		t.Error("decoded differs from encoded")
	}
	if text, err := EncodeHistogram(nil); text != "" || err != nil {
		t.Errorf("nil encoded as %q, %v", text, err)
	}
	for _, bad := range []string{"", "x", "HISTFAAA", text[:len(text)/2], strings.Repeat("A", 4000)} {
		if _, err := DecodeHistogram(bad); err == nil {
			t.Errorf("decoded %.20q", bad)
		}
	}
}
