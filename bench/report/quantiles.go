package report

import (
	"errors"
	"fmt"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// FromHistogram takes the quantiles of h, whose values are microseconds. A nil or empty h gives zeroes.
func FromHistogram(h *hdrhistogram.Histogram) Quantiles {
	if h == nil || h.TotalCount() == 0 {
		return Quantiles{}
	}
	at := h.ValueAtPercentilesSlice([]float64{50, 90, 95, 99, 99.9, 99.99})
	return Quantiles{
		Count: h.TotalCount(), Mean: h.Mean(),
		P50: float64(at[0]), P90: float64(at[1]), P95: float64(at[2]), P99: float64(at[3]), P999: float64(at[4]), P9999: float64(at[5]),
		Max: float64(h.Max()),
	}
}

// EncodeHistogram writes h as Run.Histogram holds it: HdrHistogram's V2 encoding, deflated, in base64, as its other tools read it. A nil h is "".
func EncodeHistogram(h *hdrhistogram.Histogram) (string, error) {
	if h == nil {
		return "", nil
	}
	text, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase) // in base64 already
	if err != nil {
		return "", fmt.Errorf("encoding a histogram: %w", err)
	}
	return string(text), nil
}

// DecodeHistogram reads what EncodeHistogram wrote. The empty string is an error: the run has no histogram.
func DecodeHistogram(s string) (*hdrhistogram.Histogram, error) {
	if s == "" {
		return nil, errors.New("no histogram")
	}
	h, err := hdrhistogram.Decode([]byte(s))
	if err != nil {
		return nil, fmt.Errorf("not a histogram: %w", err)
	}
	return h, nil
}
