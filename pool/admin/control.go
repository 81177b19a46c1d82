package admin

import (
	"context"
	"strconv"
	"strings"

	"poolerd/pool"
	"poolerd/pool/config"
	"poolerd/wire"
)

// control is what the commands change of the pooler, which is a *pool.Pooler but in tests. The database "" stands for all. Nil is success; a context that
// ends takes back what was begun for all.
type control interface {
	pauser
	replacer
	killer
	gate
	ender
}

var _ control = (*pool.Pooler)(nil)

type pauser interface {
	Pause(ctx context.Context, database string) *wire.Error
	Suspend(ctx context.Context) *wire.Error
	Resume(database string) *wire.Error
}

type replacer interface {
	Reconnect(database string) *wire.Error
	WaitClose(ctx context.Context, database string) *wire.Error
}

type killer interface {
	Kill(database string) *wire.Error
	KillClient(id uint64) *wire.Error
}

type gate interface {
	Disable(database string) *wire.Error
	Enable(database string) *wire.Error
}

type ender interface {
	DrainServers()
	DrainClients()
	Close()
}

// argument says what may stand behind the first word of a command.
type argument uint8

const (
	noArgument  argument = iota // nothing else
	maybeOne                    // a database; without one, all are meant
	oneDatabase                 // a database
	anyWord                     // what the command itself reads
)

// verb is a command that changes something. run gets the word behind it, "" without one.
type verb struct {
	word  string
	takes argument
	admin string // the refusal when the console's own database is named, with one %s; "": it is not looked for
	run   func(ctx context.Context, c *Console, arg string) *wire.Error
}

func verbs() []verb {
	return []verb{
		{word: "reload", takes: noArgument, run: func(_ context.Context, c *Console, _ string) *wire.Error { return c.reloadAll() }},
		{word: "pause", takes: maybeOne, admin: "cannot pause admin db: %s", run: func(ctx context.Context, c *Console, db string) *wire.Error {
			return c.control.Pause(ctx, db)
		}},
		{word: "resume", takes: maybeOne, admin: "database %s is not paused", run: func(_ context.Context, c *Console, db string) *wire.Error {
			return c.control.Resume(db)
		}},
		{word: "suspend", takes: noArgument, run: func(ctx context.Context, c *Console, _ string) *wire.Error {
			return c.control.Suspend(ctx)
		}},
		{word: "disable", takes: oneDatabase, admin: "cannot disable admin db: %s", run: func(_ context.Context, c *Console, db string) *wire.Error {
			return c.control.Disable(db)
		}},
		{word: "enable", takes: oneDatabase, admin: "cannot disable admin db: %s", run: func(_ context.Context, c *Console, db string) *wire.Error {
			return c.control.Enable(db)
		}},
		{word: "reconnect", takes: maybeOne, admin: "cannot reconnect admin db: %s", run: func(_ context.Context, c *Console, db string) *wire.Error {
			return c.control.Reconnect(db)
		}},
		{word: "kill", takes: maybeOne, admin: "cannot kill admin db: %s", run: func(_ context.Context, c *Console, db string) *wire.Error {
			return c.control.Kill(db)
		}},
		{word: "kill_client", takes: anyWord, run: func(_ context.Context, c *Console, id string) *wire.Error { return c.killClient(id) }},
		{word: "wait_close", takes: maybeOne, admin: "cannot wait in admin db: %s", run: func(ctx context.Context, c *Console, db string) *wire.Error {
			return c.control.WaitClose(ctx, db)
		}},
	}
}

// command makes the command of a verb and the word behind it.
func (v verb) command(arg string) command {
	upper := strings.ToUpper(v.word)
	cmd := command{name: upper, admin: true, tag: upper}
	cmd.run = func(ctx context.Context, c *Console, s *pool.ConsoleSession) (result, *wire.Error) {
		if v.takes == oneDatabase && arg == "" {
			return result{}, refuse("a database is required")
		}
		issued := upper
		if arg != "" && v.takes != anyWord {
			issued += " '" + arg + "'"
		}
		s.Log.Info().Msg(issued + " command issued")
		if arg != "" && v.admin != "" && config.Reserved(arg) {
			return result{}, refuse(v.admin, arg)
		}
		return result{}, v.run(ctx, c, arg)
	}
	return cmd
}

// reloadAll reads the settings again. Nothing has changed when it fails.
func (c *Console) reloadAll() *wire.Error {
	if err := c.reload(); err != nil {
		refused := wire.Errorf(codeConfigFileError, "RELOAD failed, see logs for additional details")
		refused.Detail = err.Error()
		return refused
	}
	return nil
}

// killClient closes the client that SHOW CLIENTS shows under an id or a ptr.
func (c *Console) killClient(shown string) *wire.Error {
	id, err := strconv.ParseUint(shown, 0, 64)
	if err != nil {
		return refuse("invalid client pointer supplied")
	}
	if c.pooler.CloseConsole(id) {
		return nil
	}
	return c.control.KillClient(id)
}

// findShutdown gives the command that ends the pooler: at once, or in good time. The session goes on until the end comes.
func findShutdown(arg string) (command, bool) {
	end := map[string]func(ender){"": ender.Close, "WAIT_FOR_SERVERS": ender.DrainServers, "WAIT_FOR_CLIENTS": ender.DrainClients}[strings.ToUpper(arg)]
	if end == nil {
		return command{}, false
	}
	name := strings.TrimSpace("SHUTDOWN " + strings.ToUpper(arg))
	return command{name: name, admin: true, tag: "SHUTDOWN", run: func(_ context.Context, c *Console, s *pool.ConsoleSession) (result, *wire.Error) {
		s.Log.Info().Msg(name + " command issued")
		return result{ends: func() { end(c.control) }}, nil
	}}, true
}
