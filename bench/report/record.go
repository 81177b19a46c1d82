package report

import "time"

// Results are what one `poolerd bench` found: the content of results.jsonl, and all that a report is made of. In the file each record is a line, a JSON
// object whose "kind" is "header", "run", "advice", "model" or "recommendation"; a run is written as soon as it has ended, so that an interrupted bench
// keeps what it has.
type Results struct {
	Header         Header
	Runs           []Run
	Advice         []Advice
	Model          *Model
	Recommendation *Recommendation
}

// Header says what was measured, where and how.
type Header struct {
	Format     int       `json:"format"` // 1
	Started    time.Time `json:"started"`
	Program    string    `json:"program"` // "poolerd bench 0.3.0"
	Command    string    `json:"command"` // the flags as given, passwords of URLs left out
	Cores      int       `json:"cores"`
	Processor  string    `json:"processor"`
	System     string    `json:"system"`     // "Linux 6.1.0"
	PostgreSQL string    `json:"postgresql"` // its version, "" where it was not asked
	Workload   string    `json:"workload"`   // "postgrest"
	Protocol   string    `json:"protocol"`   // "prepared", "unprepared", "simple", "http"
	SLO        string    `json:"slo,omitempty"`
	Targets    []string  `json:"targets,omitempty"` // in the order given: the first is what ratios are taken to. Empty: the order in which runs tell of them
	Notes      []string  `json:"notes,omitempty"`   // what a reader of the figures must know: "load generator, pooler and PostgreSQL share 2 cores"
}

// Run is one measurement: a target under a load.
type Run struct {
	Target   string `json:"target"`              // "poolerd", "direct", or the name that the user gave
	Round    int    `json:"round"`               // from 1
	PoolSize int    `json:"pool_size,omitempty"` // 0: not known
	Clients  int    `json:"clients"`
	Workload string `json:"workload"`
	Protocol string `json:"protocol"`

	OfferedRate     float64 `json:"offered_rate,omitempty"`      // open loop: transactions a second that were scheduled; 0: closed loop
	ClientLatencyUS float64 `json:"client_latency_us,omitempty"` // think time between a transaction's statements
	ServerLatencyUS float64 `json:"server_latency_us,omitempty"` // delay put between pooler and server, both ways together

	Started time.Time `json:"started"`
	Seconds float64   `json:"seconds"`       // the measured window
	Cut     bool      `json:"cut,omitempty"` // ended early

	Transactions int64      `json:"transactions"` // that succeeded, or failed as expected
	TPS          float64    `json:"tps"`
	Intervals    []float64  `json:"intervals,omitempty"` // TPS in equal parts of the window
	Latency      Quantiles  `json:"latency"`
	Histogram    string     `json:"histogram,omitempty"` // Latency whole: HdrHistogram V2, deflated, base64; microseconds
	Lag          *Quantiles `json:"lag,omitempty"`       // open loop: sent after the scheduled start
	Unfinished   int64      `json:"unfinished,omitempty"`

	ByName map[string]Quantiles `json:"by_name,omitempty"`
	Errors map[string]Failure   `json:"errors,omitempty"` // by SQLSTATE, or a word in lower case ("lost", "timeout", ...)

	Pooler    *Usage `json:"pooler,omitempty"`
	Server    *Usage `json:"server,omitempty"`
	Generator *Usage `json:"generator,omitempty"`
	// GeneratorBound tells that the load generator used its threads whole: what was measured then is as much the generator as the target.
	GeneratorBound bool `json:"generator_bound,omitempty"`
	// QueueUS is the mean time that a transaction waited for a server, as the pooler's console tells (SHOW STATS); nil where it has none.
	QueueUS *float64 `json:"queue_us,omitempty"`
	// QueriesPerTransaction is how many requests of a transaction the pooler took to the server, each a round trip, as its console tells; 0: not known.
	QueriesPerTransaction float64 `json:"queries_tx,omitempty"`
}

// Quantiles of a latency, all in microseconds.
type Quantiles struct {
	Count int64   `json:"count"`
	Mean  float64 `json:"mean_us"`
	P50   float64 `json:"p50_us"`
	P90   float64 `json:"p90_us"`
	P95   float64 `json:"p95_us"`
	P99   float64 `json:"p99_us"`
	P999  float64 `json:"p999_us"`
	P9999 float64 `json:"p9999_us"`
	Max   float64 `json:"max_us"`
}

// Failure counts one kind of error.
type Failure struct {
	Count    int64  `json:"count"`
	Expected bool   `json:"expected,omitempty"` // part of the load
	Text     string `json:"text,omitempty"`     // the first one's own words
}

// Usage is what a process, or all of a server's processes, used in the window.
type Usage struct {
	CPUPerTransactionUS float64 `json:"cpu_us_tx"`
	Cores               float64 `json:"cores"`         // processor seconds a second
	RSS                 int64   `json:"rss,omitempty"` // bytes at the window's end; 0: not known
}

// Advice is one finding about the database.
type Advice struct {
	Severity string   `json:"severity"`           // "costly", "worth a look", "fine"
	Title    string   `json:"title"`              // "dialogue is read whole for want of an index on (scene_id)"
	Evidence []string `json:"evidence,omitempty"` // figures: share of time, rows read for rows returned, lines of the plan
	Remedy   string   `json:"remedy,omitempty"`   // SQL or a setting, ready to use
	Pool     string   `json:"pool,omitempty"`     // what the pool can and cannot do about it
}

// Model is what was fitted, beside what was measured.
type Model struct {
	Lines       []string     `json:"lines"` // in words: the fit, its error, where it is no longer to be trusted
	Predictions []Prediction `json:"predictions"`
	Parameters  any          `json:"parameters,omitempty"` // for `poolerd bench plan`
}

// Prediction is what the model says of a cell, without having seen it.
type Prediction struct {
	PoolSize    int     `json:"pool_size"`
	Clients     int     `json:"clients"`
	MeasuredTPS float64 `json:"measured_tps"`
	TPS         float64 `json:"tps"`
	MeasuredP99 float64 `json:"measured_p99_us,omitempty"`
	P99         float64 `json:"p99_us,omitempty"`
	Error       float64 `json:"error"` // of TPS: (predicted - measured) / measured
	Trusted     bool    `json:"trusted"`
	Why         string  `json:"why,omitempty"` // why it is not to be trusted, or what the trust rests on
}

// Recommendation is the answer in plain words.
type Recommendation struct {
	PoolSize int      `json:"pool_size"`
	Clients  int      `json:"clients"`
	TPS      float64  `json:"tps"`
	P99US    float64  `json:"p99_us"`
	Text     string   `json:"text"`    // "pool_size 8: 4,120 requests/s at p99 11 ms; 16 gains 2% and costs 40% more p99"
	Reasons  []string `json:"reasons"` // what limits it, how sure it is
}
