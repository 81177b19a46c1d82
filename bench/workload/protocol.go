package workload

import (
	"fmt"
	"strings"
)

func (p Protocol) String() string {
	names := protocolNames()
	if int(p) < len(names) {
		return names[p]
	}
	return fmt.Sprintf("Protocol(%d)", uint8(p))
}

// protocolNames are the protocols' names, in their order.
func protocolNames() []string { return []string{"prepared", "unprepared", "simple"} }

// ParseProtocol reads what String writes.
func ParseProtocol(s string) (Protocol, error) {
	names := protocolNames()
	for i, name := range names {
		if s == name {
			return Protocol(i), nil
		}
	}
	if s == "extended" {
		return 0, fmt.Errorf("protocol %q is what pgbench calls it: say \"unprepared\"", s)
	}
	return 0, fmt.Errorf("protocol %q%s: known are %s", s, nearest(s, names), strings.Join(names, ", "))
}

// Check tells whether the protocol can carry the workload. The error names the place in the script, and the way out.
func (w *Workload) Check(p Protocol) error {
	for i := range w.Transactions {
		if err := w.Transactions[i].check(p); err != nil {
			return err
		}
	}
	return nil
}

func (t *Transaction) check(p Protocol) error {
	fail := func(at position, format string, args ...any) error {
		return fmt.Errorf("%s:%d:%d: %s", t.source, at.line, at.column, fmt.Sprintf(format, args...))
	}
	for i := range t.steps {
		step := &t.steps[i]
		if step.do == doPipe && p == Simple {
			return fail(step.at, `a pipeline cannot be sent as simple queries: use the protocol "prepared" or "unprepared"`)
		}
		if step.do != doSend || p == Simple {
			continue
		}
		statement := t.statements[step.statement]
		switch {
		case statement.fixed == viaQuery:
		case statement.several.line > 0:
			return fail(statement.several, `the protocol %q carries one statement at a time, and \; joins two: end it with a semicolon alone, or use the protocol "simple"`, p)
		case statement.quoted.line > 0 && t.sets(statement.name):
			return fail(statement.quoted, `:%s stands inside quotes, where the protocol %q has no parameters: take it out of them, or use the protocol "simple"`, statement.name, p)
		}
	}
	return nil
}

// sets tells whether a variable has a value that the script knows of.
func (t *Transaction) sets(name string) bool {
	switch name {
	case "scale", "client_id", "random_seed", "default_seed":
		return true
	}
	for i := range t.steps {
		step := &t.steps[i]
		if step.do == doSet && t.variables[step.slot] == name || step.gset {
			return true
		}
	}
	return false
}
