package model

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// worlds are databases as different as those that people have.
func worlds() map[string]world {
	return map[string]world{
		"two cores, near":        {cores: 2, service: 0.5e-3, trips: 3, rtt: 0.05e-3, overhead: 0.1e-3},
		"four cores, 1 ms away":  {cores: 4, service: 0.5e-3, trips: 3, rtt: 1e-3, overhead: 0.2e-3},
		"two cores, 5 ms away":   {cores: 2, service: 0.5e-3, trips: 3, rtt: 5e-3, overhead: 0.2e-3},
		"contention":             {cores: 2, service: 0.5e-3, trips: 3, rtt: 0.3e-3, overhead: 0.2e-3, kappa: 0.002},
		"eight cores, slow, far": {cores: 8, service: 2e-3, trips: 4, rtt: 0.5e-3, overhead: 0.2e-3, kappa: 0.0003},
		"equal bursts, thinking": {cores: 4, service: 1e-3, trips: 2, rtt: 0.2e-3, overhead: 0.3e-3, think: 5e-3, regular: true},
	}
}

func (w world) hints() Hints {
	return Hints{RTT: time.Duration(w.rtt * 1e9), RoundTrips: float64(w.trips), Cores: w.cores}
}

func without(points []Point, size int) (rest []Point) {
	for _, p := range points {
		if p.PoolSize != size {
			rest = append(rest, p)
		}
	}
	return rest
}

// TestASizeLeftOutIsPredictedWithinATenth is the promise: a fit to sizes 1, 2, 4, 16 and 32 predicts what 8 carries.
func TestASizeLeftOutIsPredictedWithinATenth(t *testing.T) {
	for name, w := range worlds() {
		points := w.sweep([]int{1, 2, 4, 8, 16, 32}, []int{8, 64}, 0.01, 100)
		for _, h := range []Hints{{}, w.hints()} {
			m, err := Fit(without(points, 8), h)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range points {
				if p.PoolSize != 8 {
					continue
				}
				got := m.Predict(8, p.Clients)
				near(t, name+": throughput", got.TPS, p.TPS, 0.10)
				near(t, name+": mean latency", seconds(got.Mean), seconds(p.Mean), 0.15)
				near(t, name+": p99", seconds(got.P99), seconds(p.P99), 0.25)
			}
			if got := m.Predict(8, 64); !got.Trusted {
				t.Errorf("%s: 1%% of noise and five sizes, and yet: %s", name, got.Why)
			}
		}
	}
}

// TestTrustIsDeserved leaves out every size in turn, in several worlds with several noises: of the predictions that call themselves trusted hardly any is off by more than a
// tenth, and with little noise most sizes between others are trusted.
func TestTrustIsDeserved(t *testing.T) {
	var trusted, wrong, between, believed int
	for name, w := range worlds() {
		for i, noise := range []float64{0.01, 0.03} {
			points := w.sweep([]int{1, 2, 4, 8, 16, 32}, []int{8, 64}, noise, uint64(1000*i+17))
			m, err := Fit(points, w.hints())
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range m.LeaveOneOut(points) {
				if noise <= 0.01 && c.PoolSize > 1 && c.PoolSize < 32 {
					between++
					if c.Trusted {
						believed++
					}
				}
				if !c.Trusted {
					if c.Why == "" {
						t.Errorf("%s: pool size %d is not trusted for no reason", name, c.PoolSize)
					}
					continue
				}
				trusted++
				if math.Abs(c.Error) > 0.10 {
					wrong++
					t.Logf("%s, noise %v: pool size %d, %d clients: %+.3f", name, noise, c.PoolSize, c.Clients, c.Error)
				}
			}
		}
	}
	t.Logf("%d trusted, %d of them off by more than 10%%; with little noise %d of %d between others were trusted", trusted, wrong, believed, between)
	if trusted < 80 || wrong*50 > trusted {
		t.Errorf("%d of %d trusted predictions are off by more than 10%%", wrong, trusted)
	}
	if believed*4 < between*3 {
		t.Errorf("only %d of %d predictions between measured sizes are trusted", believed, between)
	}
}

func TestFitFindsTheParameters(t *testing.T) {
	w := worlds()["four cores, 1 ms away"]
	m, err := Fit(w.sweep([]int{1, 2, 4, 8, 16, 32, 64}, []int{16, 128}, 0.005, 5), w.hints())
	if err != nil {
		t.Fatal(err)
	}
	p := m.Parameters
	near(t, "cores", p.Station.Cores, 4, 0.15)
	near(t, "service", p.Station.ServiceUS, 500, 0.15)
	near(t, "capacity", p.Station.Cores/p.Station.ServiceUS, 4.0/500, 0.05)
	near(t, "delay", p.Station.DelayUS, 3000, 0.1)
	near(t, "processor time", p.ServerCPUUS, 500, 0.05)
	if text := strings.Join(m.Lines(), "\n"); !strings.Contains(text, "round trips of 1 ms") || !strings.Contains(text, "pool sizes 1 to 64") {
		t.Errorf("in words:\n%s", text)
	}
}

// TestOneDisturbedCellDoesNotBendTheRest takes two thirds from what was measured in one cell, as a backup that runs meanwhile does: what the fit says of the others hardly
// moves.
func TestOneDisturbedCellDoesNotBendTheRest(t *testing.T) {
	for name, w := range worlds() {
		points := w.sweep([]int{1, 2, 4, 16, 32}, []int{8, 64}, 0.01, 100)
		sound, err := Fit(points, w.hints())
		if err != nil {
			t.Fatal(err)
		}
		points[5].TPS /= 3
		points[5].Mean *= 3
		disturbed, err := Fit(points, w.hints())
		if err != nil {
			t.Fatal(err)
		}
		raw := func(m *Model) float64 {
			return Part{m.Parameters.Station, m.Parameters.OverheadUS}.tps(8, 64, m.Parameters.ThinkUS*1e-6)
		}
		near(t, name+": throughput", raw(disturbed), raw(sound), 0.05)
	}
}

func TestExtrapolationIsNotTrusted(t *testing.T) {
	w := worlds()["two cores, near"]
	m, err := Fit(w.sweep([]int{2, 4, 8, 16}, []int{16, 64}, 0.01, 3), Hints{Cores: 2})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		size, clients int
		why           string
	}{
		{33, 64, "pool size 33 is more than twice the largest measured, 16"},
		{8, 200, "200 clients are more than twice the most measured, 64"},
		{8, 4, "4 clients are less than half the fewest measured, 16"},
		{0, 4, "pool sizes are 1 to"},
		{4, -1, "pool sizes are 1 to"},
		{1 << 30, 1 << 40, "pool sizes are 1 to"},
	} {
		if p := m.Predict(c.size, c.clients); p.Trusted || !strings.Contains(p.Why, c.why) {
			t.Errorf("pool size %d with %d clients: trusted %v, %q, want %q", c.size, c.clients, p.Trusted, p.Why, c.why)
		}
	}
}

func TestNoiseIsNotTrusted(t *testing.T) {
	w := worlds()["two cores, near"]
	m, err := Fit(w.sweep([]int{1, 2, 4, 8, 16}, []int{16, 64}, 0.15, 3), Hints{})
	if err != nil {
		t.Fatal(err)
	}
	if p := m.Predict(3, 32); p.Trusted {
		t.Errorf("trusted with 15%% of noise: %s", p.Why)
	}
}

func TestParametersSurviveJSON(t *testing.T) {
	w := worlds()["contention"]
	points := w.sweep([]int{1, 2, 4, 8, 16}, []int{8, 32}, 0.01, 3)
	m, err := Fit(points, w.hints())
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(m.Parameters)
	if err != nil {
		t.Fatal(err)
	}
	var p Parameters
	if err := json.Unmarshal(text, &p); err != nil {
		t.Fatal(err)
	}
	again, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := m.Predict(6, 20), again.Predict(6, 20); !reflect.DeepEqual(a, b) {
		t.Errorf("before %+v, after %+v", a, b)
	}
	if got := again.LeaveOneOut(points); !reflect.DeepEqual(got, m.LeaveOneOut(points)) {
		t.Error("the hints are lost on the way")
	}
}

func TestNewRefuses(t *testing.T) {
	good := Parameters{Station: Station{Shape: ShapeCores, ServiceUS: 100, Cores: 2}, PoolSizes: []int{1}, Clients: []int{1}, HoldCV: 1}
	if _, err := New(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(p *Parameters){
		"no shape":       func(p *Parameters) { p.Station.Shape = "" },
		"no service":     func(p *Parameters) { p.Station.ServiceUS = 0 },
		"infinite cores": func(p *Parameters) { p.Station.Cores = math.Inf(1) },
		"negative kappa": func(p *Parameters) { p.Station.Kappa = -1 },
		"think":          func(p *Parameters) { p.ThinkUS = math.NaN() },
		"no sizes":       func(p *Parameters) { p.PoolSizes = nil },
		"sizes":          func(p *Parameters) { p.Clients = []int{4, 2} },
		"a cell":         func(p *Parameters) { p.Cells = []Cell{{PoolSize: 0, Clients: 1, TPS: 1}} },
		"a part":         func(p *Parameters) { p.Parts = []Part{{}} },
		"huge pool":      func(p *Parameters) { p.PoolSizes = []int{maxPool + 1} },
	} {
		p := good
		spoil(&p)
		if _, err := New(p); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestFitRefuses(t *testing.T) {
	good := worlds()["two cores, near"].sweep([]int{1, 2, 4}, []int{8}, 0, 1)
	spoiled := func(f func(p *Point)) []Point {
		points := append([]Point(nil), good...)
		f(&points[1])
		return points
	}
	for name, c := range map[string]struct {
		points []Point
		hints  Hints
		want   string
	}{
		"nothing":         {nil, Hints{}, "no measured points"},
		"two sizes":       {good[:2], Hints{}, "3 or more different numbers of servers at work, not 2"},
		"few clients":     {spoiled(func(p *Point) { p.Clients = 1 }), Hints{}, "not 2"},
		"not a number":    {spoiled(func(p *Point) { p.TPS = math.NaN() }), Hints{}, "not a measurement"},
		"infinite":        {spoiled(func(p *Point) { p.TPS = math.Inf(1) }), Hints{}, "not a measurement"},
		"negative":        {spoiled(func(p *Point) { p.ServerCores = -1 }), Hints{}, "negative"},
		"no pool":         {spoiled(func(p *Point) { p.PoolSize = 0 }), Hints{}, "pool size 0"},
		"no clients":      {spoiled(func(p *Point) { p.Clients = 0 }), Hints{}, "0 clients"},
		"latency":         {spoiled(func(p *Point) { p.P99 = -1 }), Hints{}, "latency"},
		"failures":        {spoiled(func(p *Point) { p.Failed = 1.5 }), Hints{}, "failures"},
		"a hint":          {good, Hints{RTT: -1}, "hint"},
		"half the rate":   {[]Point{{PoolSize: 1, Clients: 1, TPS: 10, Offered: 10}}, Hints{}, "at its limit"},
		"nothing counted": {spoiled(func(p *Point) { p.TPS = 0 }), Hints{}, "not 2"},
	} {
		if _, err := Fit(c.points, c.hints); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}
