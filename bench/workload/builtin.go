package workload

import (
	"fmt"
	"strings"
)

// The roles that built-in workloads log in as on a private PostgreSQL.
const (
	roleAPI   = "authenticator"
	roleOwner = "postgres"
)

// maker makes a built-in workload.
type maker struct {
	name string
	make func() *Workload
}

// makers are the built-in workloads in the order of the documentation.
func makers() []maker {
	return []maker{
		{"postgrest", postgrest},
		{"get-by-pk", requestAlone("GET of one playwright by its key", getByPK)},
		{"get-list", requestAlone("GET of a scene's lines that match a pattern, ordered, by the page", getList)},
		{"get-embed", requestAlone("GET of a script with its playwright, its scenes and all their lines in one JSON document", getEmbed)},
		{"head-count", requestAlone("HEAD of the lines of three scenes with count=exact", headCount)},
		{"post", requestAlone("POST of a line; 2 in 100 are there already, and end in 23505 and ABORT", post)},
		{"patch", requestAlone("PATCH of a line", patch)},
		{"rpc", requestAlone("GET of a search (5 in 7) and POST of a cue (2 in 7), by function calls", rpc)},
		{"prereq-rollback", requestAlone("POST with db-pre-request and Prefer: tx=rollback", prereqRollback)},
		{"select1", select1},
		{"select-only", selectOnly},
		{"tpcb", tpcb},
		{"connect-churn", connectChurn},
		{"listen-fanout", listenFanout},
		{"copy", copyBoth},
		{"reload-storm", reloadStorm},
	}
}

// Builtins are all built-in workloads, in the order of the documentation.
func Builtins() []*Workload {
	var all []*Workload
	for _, m := range makers() {
		all = append(all, m.make())
	}
	return all
}

// builtinNames are the names of the built-in workloads.
func builtinNames() []string {
	var names []string
	for _, m := range makers() {
		names = append(names, m.name)
	}
	return names
}

// Builtin gives the built-in workload of a name. The error about an unknown one holds all that are known.
func Builtin(name string) (*Workload, error) {
	for _, m := range makers() {
		if m.name == name {
			return m.make(), nil
		}
	}
	names := builtinNames()
	return nil, fmt.Errorf("workload %q%s: known are %s", name, nearest(name, names), strings.Join(names, ", "))
}

// requestAlone makes a workload of one request.
func requestAlone(doc string, build func() *builder) func() *Workload {
	return func() *Workload {
		w := build().alone(doc, roleAPI, "")
		w.Restore = restoreSample()
		return w
	}
}

// restoreSample takes away the lines that were written to the sample, whose scenes have ten each.
func restoreSample() []string {
	return []string{"DELETE FROM api.dialogue WHERE line_no > 10", "VACUUM api.dialogue"}
}

// postgrest is the mix of the eight requests, with the shares of an API that is read nine times as often as written.
func postgrest() *Workload {
	w := &Workload{Name: "postgrest", Doc: "what PostgREST sends for a mix of eight requests, four in five of them reads", Role: roleAPI, Restore: restoreSample()}
	for _, one := range []struct {
		share float64
		build func() *builder
	}{{35, getByPK}, {25, getList}, {15, getEmbed}, {5, headCount}, {8, post}, {4, patch}, {7, rpc}, {1, prereqRollback}} {
		w.Transactions = append(w.Transactions, one.build().transaction(one.share))
	}
	return w
}

// channelPrefix is what the channels of listen-fanout begin with; the client's number follows.
const channelPrefix = "poolerd_bench_"

// notification is the variable that counts them.
const notification = "poolerd_notification"

func listenFanout() *Workload {
	b := newBuilder("listen-fanout")
	b.set(notification, ":"+notification+" + 1")
	b.send(b.compose("select pg_notify($1, $2)", plain(channelPrefix+":client_id"), plain(":"+notification)))
	w := b.alone("a NOTIFY by each client, which ten listening connections of its own hear", roleOwner, "")
	w.Listeners = 10
	return w
}

func select1() *Workload {
	b := newBuilder("select1")
	one := b.compose("SELECT 1")
	one.fixed = viaQuery
	b.send(one)
	return b.alone("SELECT 1 as a simple query, whatever the protocol: the least that can be asked", roleOwner, "")
}

func connectChurn() *Workload {
	b := newBuilder("connect-churn")
	b.connect = true
	b.send(b.compose("SELECT 1"))
	return b.alone("a connection with its login for each SELECT 1", roleOwner, "")
}
