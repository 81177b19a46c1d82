package wire

import (
	"strings"
	"testing"
)

// The steps of a script: what is sent to the server (">...") and what it answers.
//
//	>P >B >DS >DP >E >C >S >Q >F >H   Parse, Bind, Describe of a statement and of a portal, Execute, Close, Sync, Query, FunctionCall, Flush
//	>c                                CopyDone or CopyFail
//	>p... >n...                       the same for the pooler, and for nobody
//	1 2 3 t T n D C I s G H d c V E N Z:I Z:T Z:E
type pipelineScript struct {
	name   string
	steps  string
	after  string // "idle", "settled", "expecting", "waiting" (for the client), "skipping", "stuck", "doubtful", "copyin", or "error"
	passed string // the messages that go to the client, "" not to compare
}

var ops = map[string]Op{
	"P": OpParse, "B": OpBind, "DS": OpDescribeStatement, "DP": OpDescribePortal, "E": OpExecute, "C": OpClose, "S": OpSync, "Q": OpQuery, "F": OpFunctionCall,
}

// play runs a script, and gives the messages that are forwarded.
func play(p *Pipeline, steps string) (forwarded []string, err error) {
	for step := range strings.FieldsSeq(steps) {
		name, sent := strings.CutPrefix(step, ">")
		if !sent {
			typ, status, _ := strings.Cut(step, ":")
			var st TxStatus
			if status != "" {
				st = TxStatus(status[0])
			}
			v, _, _, err := p.Receive(typ[0], st)
			if err != nil {
				return forwarded, err
			}
			if v == Forward {
				forwarded = append(forwarded, step)
			}
			for o, ok := p.Turn(); ok; o, ok = p.Turn() {
				forwarded = append(forwarded, "own:"+o.Op.String())
			}
			continue
		}
		switch name {
		case "H":
			p.SentFlush()
		case "c":
			p.SentCopyEnd()
		default:
			whose := ForClient
			if rest, ok := strings.CutPrefix(name, "p"); ok {
				whose, name = ForPooler, rest
			} else if rest, ok := strings.CutPrefix(name, "n"); ok {
				whose, name = ForNobody, rest
			}
			p.Sent(ops[name], whose, nil)
			for o, ok := p.Turn(); ok; o, ok = p.Turn() {
				forwarded = append(forwarded, "own:"+o.Op.String())
			}
		}
	}
	return forwarded, nil
}

func TestPipeline(t *testing.T) {
	for _, test := range []pipelineScript{
		{"nothing", "", "idle", ""},
		{"query", ">Q T D D C Z:I", "idle", "T D D C Z:I"},
		{"query under way", ">Q T D", "expecting", ""},
		{"query opens a block", ">Q C Z:T", "settled", ""},
		{"query fails", ">Q E Z:I", "idle", "E Z:I"},
		{"several statements", ">Q T D C C I Z:I", "idle", ""},
		{"extended", ">P >B >DP >E >S 1 2 T D C Z:I", "idle", "1 2 T D C Z:I"},
		{"extended without its Sync", ">P >B >E", "waiting", ""},
		{"answered by Flush, not committed", ">P >B >E >H 1 2 C", "settled", "1 2 C"},
		{"Flush then Sync", ">P >H 1 >S Z:I", "idle", ""},
		{"error skips to Sync", ">P >B >E >S E Z:I", "idle", "E Z:I"},
		{"error before the Sync is sent", ">P >H E", "skipping", ""},
		{"what is sent meanwhile is not owed", ">P >H E >B >E >S Z:I", "idle", "E Z:I"},
		{"error in the second of two batches", ">P >S >B >S 1 Z:I E Z:I", "idle", "1 Z:I E Z:I"},
		{"error in the first of two batches", ">P >B >S >B >S E Z:I 2 Z:I", "idle", "E Z:I 2 Z:I"},
		{"error at Sync", ">B >E >S 2 C E Z:I", "idle", "2 C E Z:I"},
		{"describe statement", ">DS >S t T Z:I", "idle", "t T Z:I"},
		{"describe statement without rows", ">DS >S t n Z:I", "idle", ""},
		{"portal suspended", ">E >S D s Z:T", "settled", ""},
		{"empty query", ">Q I Z:I", "idle", ""},
		{"function call", ">F V Z:I", "idle", "V Z:I"},
		{"function call fails", ">F E Z:I", "idle", "E Z:I"},
		{"notices anywhere", ">Q N S C N Z:I A", "idle", "N S C N Z:I A"},

		{"a Parse of the pooler's", ">pP >B >E >S 1 2 C Z:I", "idle", "2 C Z:I"},
		{"a Parse of the pooler's fails", ">pP >B >E >S E Z:I", "idle", "E Z:I"},
		{"parameters ahead", ">pQ >Q C S N Z:I T D C Z:I", "idle", "T D C Z:I"},
		{"BEGIN ahead of a batch", ">pB >pE >B >E >S 2 C 2 C Z:T", "settled", "2 C Z:T"},
		{"BEGIN ahead of a query", ">pB >pE >Q 2 C C Z:T", "settled", "C Z:T"},
		{"BEGIN fails ahead of a query", ">pB >pE >Q E", "stuck", "E"},
		{"BEGIN fails ahead of a query, Sync", ">pB >pE >Q E >S Z:I", "idle", "E Z:I"},
		{"a Query behind the client's own error waits for its Sync", ">B >E >Q 2 E", "skipping", "2 E"},
		{"a Query behind the client's own error, Sync", ">B >E >Q >P >S >Q 2 E Z:I C Z:I", "idle", "2 E Z:I C Z:I"},
		{"BEGIN fails ahead of a batch", ">pB >pE >B >E >S E Z:I", "idle", "E Z:I"},

		{"own answer first", ">nP >B >S 2 Z:I", "idle", "own:Parse 2 Z:I"},
		{"own answer between", ">B >nC >E >S 2 C Z:I", "idle", "2 own:Close C Z:I"},
		{"own answer skipped", ">B >nC >E >S E Z:I", "idle", "E Z:I"},

		{"copy out", ">Q H d d c C Z:I", "idle", ""},
		{"copy in waits for the client", ">Q G", "copyin", ""},
		{"copy in", ">Q G >c C Z:I", "idle", ""},
		{"copy in fails early", ">Q G E Z:I", "idle", "G E Z:I"},
		{"copy in, extended", ">E >H G >c >S C Z:I", "idle", ""},
		{"copy in, Sync sent with the Execute", ">B >E >S 2 G >c >S C Z:I", "idle", "2 G C Z:I"},
		{"copy in fails, Sync sent with the Execute", ">E >S G >c >S E Z:I", "doubtful", ""},
		{"copy end ahead of the answer", ">Q >c G C Z:I", "idle", "G C Z:I"},
		{"copy end ahead of the answer, extended", ">E >c >S G C Z:I", "idle", "G C Z:I"},
		{"copy end ahead, extended, before its Sync", ">E >H >c G", "waiting", ""},
		{"copy end ahead, extended, with its Flush", ">E >H >c >H G", "expecting", ""},
		{"copy end ahead, extended, its Sync after the answer", ">E >H >c G >S C Z:I", "idle", "G C Z:I"},
		{"copy end ahead, Sync on both sides", ">E >S >c >S G C Z:I", "idle", "G C Z:I"},
		{"copy end ahead of what is no copy", ">Q >c C Z:I", "idle", ""},
		{"copy end, extended, before its Sync", ">E >H G >c", "waiting", ""},
		{"copy both", ">Q W d", "expecting", ""},

		{"unasked", "C", "error", ""},
		{"unasked ReadyForQuery", "Z:I", "error", ""},
		{"ReadyForQuery before the batch is done", ">P >S Z:I", "error", ""},
		{"wrong answer", ">P >S 2", "error", ""},
		{"rows for a Bind", ">B >S D", "error", ""},
		{"wrong status", ">Q Z:x", "error", ""},
		{"authentication in a session", ">Q R", "error", ""},
		{"an error out of nothing", "E", "doubtful", "E"},
		{"Sync inside a simple copy in", ">Q G >S >c C Z:I", "idle", "G C Z:I"},
		{"Sync inside a simple copy in that fails", ">Q G >S E Z:I", "doubtful", "G E Z:I"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var p Pipeline
			p.Reset()
			got, err := play(&p, test.steps)
			if (err != nil) != (test.after == "error") {
				t.Fatalf("%s: error %v", test.steps, err)
			}
			if test.after != "error" && stateOf(&p) != test.after {
				t.Errorf("%s: %s, want %s", test.steps, stateOf(&p), test.after)
			}
			if want := test.passed; want != "" && strings.Join(got, " ") != want {
				t.Errorf("%s: client got %v, want %s", test.steps, got, want)
			}
		})
	}
}

func stateOf(p *Pipeline) string {
	switch {
	case p.Idle():
		return "idle"
	case p.NeedsSync():
		return "stuck"
	case p.SkipsToSync():
		return "skipping"
	case p.CopyIn():
		return "copyin"
	case p.Doubtful():
		return "doubtful"
	case p.Settled():
		return "settled"
	case p.Expecting():
		return "expecting"
	}
	return "waiting"
}

// TestPipelineSkipped: what a server skips is told, so that it can be undone.
func TestPipelineSkipped(t *testing.T) {
	var p Pipeline
	p.Reset()
	for i, op := range []Op{OpParse, OpBind, OpParse, OpClose, OpSync, OpParse} {
		p.Sent(op, ForClient, i)
	}
	_, _, _, _ = p.Receive(ServerParseComplete, 0)
	_, of, done, err := p.Receive(ServerErrorResponse, 0)
	if err != nil || !done || of.Tag != 1 {
		t.Fatalf("the error belongs to %v (%v), %v", of, done, err)
	}
	if s := p.Skipped(); len(s) != 2 || s[0].Tag != 2 || s[1].Tag != 3 {
		t.Errorf("skipped %v", s)
	}
	if o := p.Owed(); len(o) != 2 || o[0].Op != OpSync || o[1].Tag != 5 {
		t.Errorf("owed %v", o)
	}
}

// model is a server that carries out what it is sent in the simplest way: a list of the messages that it will answer.
type model struct {
	answers []string // of what was sent, oldest first
	skip    bool
}

// FuzzPipeline: a server that follows the protocol is never called idle while it owes a reply, and never accused of breaking the protocol.
func FuzzPipeline(f *testing.F) {
	f.Add([]byte("PBESr.r.r.r."))
	f.Add([]byte("Qe.r.PBSr.e.Sr."))
	f.Add([]byte("pbnQrrrrr"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var p Pipeline
		p.Reset()
		var m model
		status := TxIdle
		for _, c := range in {
			switch c {
			case 'P', 'B', 'E', 'C', 'S', 'Q', 'F':
				m.send(ops[string(c)])
				p.Sent(ops[string(c)], ForClient, nil)
			case 'p', 'b':
				m.send(ops[strings.ToUpper(string(c))])
				p.Sent(ops[strings.ToUpper(string(c))], ForPooler, nil)
			case 'n':
				p.Sent(OpParse, ForNobody, nil)
			case 'T':
				status = TxActive
			case 'I':
				status = TxIdle
			case 'r', 'e':
				typ, ok := m.answer(c == 'e')
				if !ok {
					continue
				}
				if _, _, _, err := p.Receive(typ, status); err != nil {
					t.Fatalf("%q: %v", in, err)
				}
			}
			for _, ok := p.Turn(); ok; _, ok = p.Turn() {
			}
			if p.Idle() && (len(m.answers) > 0 || m.skip) {
				t.Fatalf("%q: idle while %v is owed (skips %v)", in, m.answers, m.skip)
			}
			if len(m.answers) > 0 && p.Settled() {
				t.Fatalf("%q: settled while %v is owed", in, m.answers)
			}
		}
	})
}

func (m *model) send(op Op) {
	if m.skip {
		if op != OpSync {
			return
		}
		m.skip = false
	}
	m.answers = append(m.answers, op.String())
}

// answer gives the next message of the server; a failure skips what stands before the next Sync.
func (m *model) answer(fails bool) (byte, bool) {
	if len(m.answers) == 0 {
		return 0, false
	}
	op := m.answers[0]
	ready := op == "Sync" || op == "Query" || op == "FunctionCall"
	if !fails || ready {
		if fails {
			return ServerErrorResponse, true
		}
		m.answers = m.answers[1:]
		if ready {
			return ServerReadyForQuery, true
		}
		return map[string]byte{"Parse": '1', "Bind": '2', "Execute": 'C', "Close": '3'}[op], true
	}
	m.answers = m.answers[1:]
	m.skip = true
	for len(m.answers) > 0 {
		if m.answers[0] == "Sync" {
			m.skip = false
			break
		}
		m.answers = m.answers[1:]
	}
	return ServerErrorResponse, true
}

func TestPipelineAllocatesNothing(t *testing.T) {
	var p Pipeline
	p.Reset()
	one := func() {
		for _, op := range []Op{OpParse, OpBind, OpDescribePortal, OpExecute, OpSync} {
			p.Sent(op, ForClient, nil)
		}
		for _, typ := range []byte("12TDCZ") {
			if _, _, _, err := p.Receive(typ, TxIdle); err != nil {
				t.Fatal(err)
			}
		}
	}
	one()
	if n := testing.AllocsPerRun(100, one); n != 0 {
		t.Errorf("%v allocations a transaction", n)
	}
}
