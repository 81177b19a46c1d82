package sweep

import (
	"bytes"
	"io"
	"runtime"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgproto3"

	"poolerd/bench/advice"
	"poolerd/bench/workload"
)

// adviceOptions say what the advice may look at, and give it the workload's statements as they are sent.
func (b *bench) adviceOptions() advice.Options {
	o := b.o
	options := advice.Options{
		URL: b.stage.super, Log: o.Watch.Log, Private: o.private(),
		Clients: o.Clients[len(o.Clients)-1], Protocol: o.protocolName(),
	}
	if o.private() {
		options.Cores = runtime.NumCPU()
	}
	if len(o.PoolSizes) == 1 {
		options.PoolSize = o.PoolSizes[0]
	}
	if o.Workload != nil {
		options.Examples = examples(o.Workload, o.Seed, b.vars())
	}
	return options
}

const (
	examplesEach = 3   // of one statement
	exampleRuns  = 200 // transactions that are looked through for them
)

// examples lets a session of the workload speak into the void, and takes down its statements with their parameters.
func examples(w *workload.Workload, seed uint64, vars map[string]string) []advice.Example {
	if w.Check(workload.Prepared) != nil {
		return nil
	}
	var setup []string
	if w.Role == sampleRole { // PostgREST's statements rely on what the transaction has set before
		setup = []string{"SET LOCAL search_path TO api, public", "SET LOCAL ROLE web_user"}
	}
	session := w.NewSession(0, seed, workload.Prepared, vars)
	e := &eavesdropper{parsed: map[string]*pgproto3.Parse{}, seen: map[string]int{}}
	for range exampleRuns {
		e.listen(session, setup)
	}
	return e.examples
}

// eavesdropper collects statements.
type eavesdropper struct {
	parsed   map[string]*pgproto3.Parse // by the name of the statement
	seen     map[string]int             // by text
	examples []advice.Example
}

// listen hears one transaction.
func (e *eavesdropper) listen(session *workload.Session, setup []string) {
	t := session.Begin()
	var last workload.Outcome
	for {
		flight, more := session.Next(nil, last)
		if !more {
			return
		}
		e.hear(flight.Data, t, setup)
		last = workload.Outcome{Status: 'T'}
		if flight.CopyIn {
			last.Status = 0
		}
	}
}

// hear takes down what a flight binds.
func (e *eavesdropper) hear(flight []byte, t *workload.Transaction, setup []string) {
	messages := pgproto3.NewBackend(bytes.NewReader(flight), io.Discard)
	for {
		m, err := messages.Receive()
		if err != nil {
			return
		}
		switch m := m.(type) {
		case *pgproto3.Parse:
			kept := *m
			e.parsed[m.Name] = &kept
		case *pgproto3.Bind:
			if parse := e.parsed[m.PreparedStatement]; parse != nil {
				e.keep(parse, m, t, setup)
			}
		}
	}
}

func (e *eavesdropper) keep(parse *pgproto3.Parse, bind *pgproto3.Bind, t *workload.Transaction, setup []string) {
	if e.seen[parse.Query] >= examplesEach || isControl(parse.Query) {
		return
	}
	e.seen[parse.Query]++
	example := advice.Example{Name: t.Name, SQL: parse.Query, Types: slices.Clone(parse.ParameterOIDs), Setup: setup, Weight: t.Share}
	for _, p := range bind.Parameters {
		example.Params = append(example.Params, bytes.Clone(p))
	}
	e.examples = append(e.examples, example)
}

// isControl tells that a statement only steers the transaction.
func isControl(sql string) bool {
	word, _, _ := strings.Cut(strings.TrimSpace(strings.ToUpper(sql)), " ")
	switch strings.TrimRight(word, ";") {
	case "BEGIN", "START", "COMMIT", "END", "ABORT", "ROLLBACK", "SET", "SAVEPOINT", "RELEASE":
		return true
	}
	return strings.HasPrefix(strings.ToLower(sql), "select set_config(")
}
