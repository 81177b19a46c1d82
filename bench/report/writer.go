package report

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"reflect"
	"sync"
)

// Format is the version of results.jsonl that NewWriter writes and Read understands.
const Format = 1

// Writer appends records to results.jsonl. Each is one Write of a whole line, and is flushed where the writer below has a Flush, so that an interrupted
// bench keeps all but the line it was writing. Goroutines may share it.
//
// JSON has no word for a number that is infinite or not a number (a division by no transactions): such a figure is written as 0, which the reports show as
// not measured.
type Writer struct {
	mu sync.Mutex
	w  io.Writer
}

// NewWriter returns a Writer to w, which should be empty or hold whole lines.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Header begins the results: it is the first record. Its Format is set.
func (w *Writer) Header(h Header) error {
	h.Format = Format
	return w.write("header", struct {
		Kind string `json:"kind"`
		Header
	}{"header", h})
}

// Run appends a run.
func (w *Writer) Run(r Run) error {
	return w.write("run", struct {
		Kind string `json:"kind"`
		Run
	}{"run", r})
}

// Advice appends one finding.
func (w *Writer) Advice(a Advice) error {
	return w.write("advice", struct {
		Kind string `json:"kind"`
		Advice
	}{"advice", a})
}

// Model appends the fit. Of several the last counts.
func (w *Writer) Model(m Model) error {
	return w.write("model", struct {
		Kind string `json:"kind"`
		Model
	}{"model", m})
}

// Recommendation appends the answer. Of several the last counts.
func (w *Writer) Recommendation(r Recommendation) error {
	return w.write("recommendation", struct {
		Kind string `json:"kind"`
		Recommendation
	}{"recommendation", r})
}

func (w *Writer) write(kind string, record any) error {
	line, err := json.Marshal(finite(record))
	if err != nil {
		return fmt.Errorf("%s as JSON: %w", kind, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, err := w.w.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("writing a %s to the results: %w", kind, err)
	}
	if f, ok := w.w.(interface{ Flush() error }); ok {
		if err := f.Flush(); err != nil {
			return fmt.Errorf("flushing a %s to the results: %w", kind, err)
		}
	}
	return nil
}

// finite is a copy of v, down through all that it points to, with 0 for each number that JSON cannot say.
func finite(v any) any {
	in := reflect.ValueOf(v)
	if !in.IsValid() {
		return v
	}
	return finiteValue(in).Interface()
}

func finiteValue(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return reflect.Zero(v.Type())
		}
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return v
		}
		if v.Kind() == reflect.Interface {
			return finiteValue(v.Elem())
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(finiteValue(v.Elem()))
		return out
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v) // the unexported fields too: time.Time
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(finiteValue(v.Field(i)))
			}
		}
		return out
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(finiteValue(v.Index(i)))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for key, value := range v.Seq2() {
			out.SetMapIndex(key, finiteValue(value))
		}
		return out
	}
	return v
}
