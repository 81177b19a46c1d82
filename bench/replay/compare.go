package replay

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"poolerd/bench/load"
	"poolerd/wire/record"
)

// Comparison is what was recorded beside what came of it. Its histograms count microseconds, over the transactions that were played and ended as recorded.
type Comparison struct {
	Mode  record.Mode
	Speed float64
	Cut   bool // the recording ends before its time

	Sessions int            // with anything to play
	Recorded int            // transactions in the recording
	Played   int64          // of them, those that were begun
	Skipped  map[string]int // those that cannot be played, by the reason
	LeftOut  uint64         // messages that the recorder had to leave out

	Span time.Duration // of the recording
	Took time.Duration // from the start of the replay to the end of its last transaction

	// Same counts the transactions that ended as recorded: with success, or with the same SQLSTATE. Different counts the others.
	Same      int64
	Different map[Outcome]int64
	// RecordedErrors and Errors count the transactions with an error, by its code, as recorded and as played.
	RecordedErrors, Errors map[string]int64

	// RecordedDuration is from a transaction's first message to its end, with the client's pauses in it. Duration is the same as played, from the true start. With a speed other than 1 the pauses differ.
	RecordedDuration, Duration *hdrhistogram.Histogram
	// RecordedWait is the part of it in which the client waited for answers: what can be compared at any speed. Wait is the same as played.
	RecordedWait, Wait *hdrhistogram.Histogram

	CopyBytes  int64 // data of COPY that could not be sent
	RolledBack int64 // transactions that were open where the recorded ones had ended, and were rolled back
	StandIns   int64 // parameters whose values are stand-ins, in the transactions that were played
	Params     int64 // all of their parameters
}

// Outcome is how a transaction ended when it was recorded, and when it was played: codes, empty for success.
type Outcome struct{ Recorded, Played string }

const (
	longest  = int64(10 * time.Minute / time.Microsecond)
	digits   = 3
	interval = 10 // parts of the window
)

func histogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, longest, digits) }

func note(h *hdrhistogram.Histogram, d time.Duration) {
	_ = h.RecordValue(min(longest, max(1, d.Microseconds()))) // within the limits
}

// score gathers what the sessions see. Its lock guards all but what play sets.
type score struct {
	started, ended time.Time
	cpu            time.Duration

	mu         sync.Mutex
	result     load.Result
	comparison Comparison
	ends       []time.Duration // of the transactions that count, since the start
	lastEnd    time.Time
}

func newScore(o Options) *score {
	rec := o.Recording
	return &score{
		result: load.Result{
			Total: load.Series{Latency: histogram()}, ByName: map[string]*load.Series{}, Errors: map[string]*load.Failure{}, Lag: histogram(),
		},
		comparison: Comparison{
			Mode: rec.Mode, Speed: o.Speed, Cut: rec.Cut, Recorded: rec.Transactions, Skipped: rec.Skipped, LeftOut: rec.LeftOut, Span: rec.Span,
			Sessions: playing(rec), Different: map[Outcome]int64{}, RecordedErrors: map[string]int64{}, Errors: map[string]int64{},
			RecordedDuration: histogram(), Duration: histogram(), RecordedWait: histogram(), Wait: histogram(),
		},
	}
}

// playing counts the sessions that have anything to play.
func playing(rec *Recording) int {
	n := 0
	for _, s := range rec.Sessions {
		for i := range s.Transactions {
			if s.Transactions[i].Skip == "" {
				n++
				break
			}
		}
	}
	return n
}

// unfinished counts the transactions of a session that was not begun in time.
func (s *score) unfinished(session *Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range session.Transactions {
		if session.Transactions[i].Skip == "" {
			s.result.Unfinished++
		}
	}
}

func (s *score) add(done load.Done, p played) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.cut {
		s.result.Unfinished++
		return
	}
	c, t := &s.comparison, p.transaction
	c.Played++
	c.CopyBytes += p.copyBytes
	if p.rolled {
		c.RolledBack++
	}
	c.Params += p.params
	c.StandIns += p.standIns
	if t.Code != "" {
		c.RecordedErrors[t.Code]++
	}
	s.failure(done)
	if done.Code == t.Code {
		c.Same++
		note(c.RecordedDuration, t.End-t.Start)
		note(c.Duration, p.ended.Sub(p.began))
		note(c.RecordedWait, t.Wait)
		note(c.Wait, p.wait)
	} else {
		c.Different[Outcome{t.Code, done.Code}]++
	}
	note(s.result.Lag, p.began.Sub(p.due))
	if p.ended.After(s.lastEnd) {
		s.lastEnd = p.ended
	}
	if done.Code != "" && !done.Expected {
		return
	}
	latency := p.ended.Sub(p.due)
	s.ends = append(s.ends, p.ended.Sub(s.started))
	s.result.Total.Count++
	note(s.result.Total.Latency, latency)
	series := s.result.ByName[done.Name]
	if series == nil {
		series = &load.Series{Latency: histogram()}
		s.result.ByName[done.Name] = series
	}
	series.Count++
	note(series.Latency, latency)
}

func (s *score) failure(done load.Done) {
	if done.Code == "" {
		return
	}
	s.comparison.Errors[done.Code]++
	f := s.result.Errors[done.Code]
	if f == nil {
		f = &load.Failure{Expected: done.Expected, Text: done.Text}
		s.result.Errors[done.Code] = f
	}
	f.Count++
	f.Expected = f.Expected && done.Expected
}

// sum gives the end of it all.
func (s *score) sum(cut bool) (*load.Result, *Comparison) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r, c := s.result, s.comparison
	end := s.lastEnd
	if end.IsZero() {
		end = s.ended
	}
	r.Started, r.Window, r.Cut, r.CPU = s.started, max(time.Microsecond, end.Sub(s.started)), cut, s.cpu
	c.Took = r.Window
	counts := make([]float64, interval)
	for _, at := range s.ends {
		counts[min(interval-1, int(int64(at)*interval/int64(r.Window)))]++
	}
	for i := range counts {
		counts[i] /= r.Window.Seconds() / interval
	}
	r.Intervals = counts
	return &r, &c
}
