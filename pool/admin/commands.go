package admin

import (
	"strings"

	"poolerd/wire"
)

// command is one command of the console.
type command struct {
	name    string   // its words, lower case
	columns []column // of its rows; nil when it has none
	admin   bool     // only for users in admin_users
	tag     string   // of its CommandComplete
	run     func(*Console) (result, *wire.Error)
}

// result is what a command came to.
type result struct {
	notices []*wire.Error
	rows    [][]any // a string, an int, an int64, a uint64, or nil for NULL, for each column
	ends    func()  // ends the pooler, and this session with it: called once the reply is on its way; may be nil
}

// commandList gives every command in the order of SHOW HELP.
func commandList() []command {
	return []command{
		show("help", nil, (*Console).help),
		show("version", versionColumns(), (*Console).showVersion),
		show("pools", poolColumns(), (*Console).showPools),
		show("clients", clientColumns(), (*Console).showClients),
		show("servers", serverColumns(), (*Console).showServers),
		show("databases", databaseColumns(), (*Console).showDatabases),
		show("users", userColumns(), (*Console).showUsers),
		show("stats", statsColumns(), (*Console).showStats),
		show("stats_totals", totalsColumns(), (*Console).showTotals),
		show("stats_averages", averagesColumns(), (*Console).showAverages),
		show("config", configColumns(), (*Console).showConfig),
		show("lists", listColumns(), (*Console).showLists),
		show("state", stateColumns(), (*Console).showState),
		control("reload", (*Console).runReload),
		control("shutdown", (*Console).runShutdown),
		control("shutdown wait_for_servers", (*Console).runShutdown),
		control("shutdown wait_for_clients", (*Console).runShutdown),
	}
}

func show(what string, columns []column, run func(*Console) (result, *wire.Error)) command {
	return command{name: "show " + what, columns: columns, tag: "SHOW", run: run}
}

func control(name string, run func(*Console) (result, *wire.Error)) command {
	verb, _, _ := strings.Cut(name, " ")
	return command{name: name, admin: true, tag: strings.ToUpper(verb), run: run}
}

// execute runs a command for a user. Whether the user is an administrator is asked each time: a reload may have changed it.
func (c *Console) execute(cmd command, user string) (result, *wire.Error) {
	if cmd.admin && !c.pooler.Config().IsAdmin(user) {
		return result{}, wire.Errorf(wire.CodeInsufficientPrivilege, "%s is for administrators: user %q is not in admin_users", strings.ToUpper(cmd.name), user)
	}
	return cmd.run(c)
}

// rows is a result that is nothing but rows.
func rows(all [][]any) (result, *wire.Error) { return result{rows: all}, nil }
