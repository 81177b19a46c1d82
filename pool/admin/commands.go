package admin

import (
	"context"
	"strings"

	"poolerd/pool"
	"poolerd/wire"
)

// command is one command of the console, with its argument.
type command struct {
	name    string   // in upper case
	columns []column // of its rows; nil when it has none
	admin   bool     // only for administrators
	tag     string   // of its CommandComplete
	run     runner
}

// runner carries out a command for a session. The context ends when the client goes or sends a cancel request.
type runner func(context.Context, *Console, *pool.ConsoleSession) (result, *wire.Error)

// result is what a command came to.
type result struct {
	notices []*wire.Error
	rows    [][]any // a string, an int, an int64, a uint64, or nil for NULL, for each column
	ends    func()  // ends the pooler, and this session with it sooner or later: called once the reply is on its way; may be nil
}

// rows is a result that is nothing but rows.
func rows(all [][]any) (result, *wire.Error) { return result{rows: all}, nil }

// shows gives every SHOW by its word, which may be written in any case.
func shows() map[string]command {
	all := map[string]command{}
	add := func(what string, columns []column, run func(*Console) (result, *wire.Error)) {
		all[what] = show(what, columns, run)
	}
	add("help", nil, (*Console).help)
	add("config", configColumns(), (*Console).showConfig)
	add("databases", databaseColumns(), (*Console).showDatabases)
	add("pools", poolColumns(), (*Console).showPools)
	add("clients", clientColumns(), (*Console).showClients)
	add("servers", serverColumns(), (*Console).showServers)
	add("sockets", bufferColumns(), (*Console).showSockets)
	add("users", userColumns(), (*Console).showUsers)
	add("peers", peerColumns(), (*Console).showPeers)
	add("peer_pools", peerPoolColumns(), (*Console).showPeerPools)
	add("lists", listColumns(), (*Console).showLists)
	add("mem", memColumns(), (*Console).showMem)
	add("state", stateColumns(), (*Console).showState)
	add("dns_hosts", dnsHostColumns(), (*Console).showDNSHosts)
	add("dns_zones", dnsZoneColumns(), (*Console).showDNSZones)
	add("stats", statsColumns(), (*Console).showStats)
	add("stats_totals", totalsColumns(), (*Console).showStatsTotals)
	add("stats_averages", averagesColumns(), (*Console).showAverages)
	add("totals", sumColumns(), (*Console).showTotals)
	add("fds", nil, (*Console).refuseFDs)
	all["version"] = command{name: "SHOW VERSION", columns: versionColumns(), tag: "SHOW", run: showVersion}
	all["active_sockets"] = command{name: "SHOW ACTIVE_SOCKETS", columns: bufferColumns(), tag: "SHOW", run: showActiveSockets}
	return all
}

func show(what string, columns []column, run func(*Console) (result, *wire.Error)) command {
	return command{
		name: "SHOW " + strings.ToUpper(what), columns: columns, tag: "SHOW",
		run: func(_ context.Context, c *Console, _ *pool.ConsoleSession) (result, *wire.Error) { return run(c) },
	}
}

// refuse is PgBouncer's way of saying no: whatever the reason, its SQLSTATE is that of a protocol violation, which scripts look for.
func refuse(format string, args ...any) *wire.Error {
	return wire.Errorf(wire.CodeProtocolViolation, format, args...)
}

// errAccess refuses a command to those who may only look.
func errAccess() *wire.Error { return refuse("admin access needed") }

// isAdmin tells whether a session may run every command. It is asked each time: a reload may have changed it.
func (c *Console) isAdmin(s *pool.ConsoleSession) bool {
	return s.Owner || c.pooler.Config().IsAdmin(s.User)
}

// execute runs a command for a session. Who may look is asked each time as well: a session may be older than the settings.
func (c *Console) execute(ctx context.Context, cmd command, s *pool.ConsoleSession) (result, *wire.Error) {
	s.Asked()
	if !c.isAdmin(s) && (cmd.admin || !c.pooler.Config().IsStats(s.User)) {
		return result{}, errAccess()
	}
	return cmd.run(ctx, c, s)
}
