package workload

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Mix puts a workload together: "get-by-pk=60,post=10,my.sql@3" names built-in workloads and script files, each with its share behind "=" or, as
// pgbench writes it, "@"; a share that is not given is 1, and a share of 0 leaves the part out. A built-in workload that is itself a mix gives
// its share to its transactions as it has them. read gets the text of a script; its errors are passed on.
//
// The mix logs in as the role that all its parts want, or as "postgres" where they differ. listen-fanout cannot be mixed, since it alone listens.
func Mix(spec string, read func(path string) (string, error)) (*Workload, error) {
	w := &Workload{Name: spec, Doc: "a mix of the user's own"}
	for item := range strings.SplitSeq(spec, ",") {
		name, share, err := splitShare(strings.TrimSpace(item))
		if err != nil {
			return nil, fmt.Errorf("mix %q: %w", spec, err)
		}
		if share == 0 {
			continue
		}
		one, err := mixed(name, read)
		if err != nil {
			return nil, fmt.Errorf("mix %q: %w", spec, err)
		}
		if err := w.join(one, share); err != nil {
			return nil, fmt.Errorf("mix %q: %w", spec, err)
		}
	}
	if len(w.Transactions) == 0 {
		return nil, fmt.Errorf("mix %q: no part has a share above 0", spec)
	}
	return w, nil
}

// splitShare divides "name=2" and "name@2"; the last sign counts, so that a file's name may hold one.
func splitShare(item string) (name string, share float64, err error) {
	i := strings.LastIndexAny(item, "=@")
	if i < 0 {
		i = len(item)
	}
	name, share = strings.TrimSpace(item[:i]), 1
	if name == "" {
		return "", 0, fmt.Errorf("the part %q has no name: write NAME=SHARE", item)
	}
	if i < len(item) {
		share, err = strconv.ParseFloat(strings.TrimSpace(item[i+1:]), 64)
		if err != nil || !(share >= 0) || math.IsInf(share, 0) {
			return "", 0, fmt.Errorf("the share %q of %s is no number from 0 up", item[i+1:], name)
		}
	}
	return name, share, nil
}

// mixed gives one part: what is not built in is a file.
func mixed(name string, read func(path string) (string, error)) (*Workload, error) {
	if slices.Contains(builtinNames(), name) {
		return Builtin(name)
	}
	text, err := read(name)
	switch {
	case err == nil:
		return FromScript(name, text)
	case strings.ContainsAny(name, "./"):
		return nil, fmt.Errorf("the script %s: %w", name, err)
	}
	_, unknown := Builtin(name)
	return nil, fmt.Errorf("%w; nor can a script file of that name be read: %w", unknown, err)
}

// join adds another workload's transactions, which share out share among them. A transaction that is there already gets more.
func (w *Workload) join(other *Workload, share float64) error {
	if other.Listeners > 0 {
		return fmt.Errorf("%s cannot be mixed with others: run it alone", other.Name)
	}
	sum := 0.0
	for i := range other.Transactions {
		sum += other.Transactions[i].Share
	}
	for _, t := range other.Transactions {
		t.Share *= share / sum
		same := slices.IndexFunc(w.Transactions, func(known Transaction) bool { return known.Name == t.Name })
		if same >= 0 {
			w.Transactions[same].Share += t.Share
			continue
		}
		w.Transactions = append(w.Transactions, t)
	}
	if w.Role == "" {
		w.Role = other.Role
	} else if w.Role != other.Role {
		w.Role = roleOwner
	}
	for _, statement := range other.Restore {
		if !slices.Contains(w.Restore, statement) {
			w.Restore = append(w.Restore, statement)
		}
	}
	if !strings.Contains(w.Setup, other.Setup) {
		w.Setup += other.Setup
	}
	return nil
}
