package admin

import (
	"context"
	"strings"

	"poolerd/pool"
	"poolerd/pool/config"
	"poolerd/wire"
)

// findSet gives the command for SET name = value, or TO in place of the sign. A name of a session's parameter is the drivers' affair, and without effect; any other is a
// setting of the pooler, which is changed until the next RELOAD.
func (c *Console) findSet(s statement) (command, *wire.Error) {
	words := s.words[1:]
	if len(words) > 3 && (words[0].is("session") || words[0].is("local")) {
		words = words[1:]
	}
	if len(words) < 3 || words[0].kind > quotedWord || words[1] != (word{symbol, "="}) && !words[1].is("to") {
		return command{}, invalid(s)
	}
	if p, ok := lookUpParameter(words[0].text); ok {
		return ignoreSet(p), nil
	}
	if len(words) > 3 || words[2].kind == symbol {
		return command{}, invalid(s)
	}
	key, value := words[0].text, words[2].text
	if key == "" {
		return command{}, refuse("bad arguments")
	}
	return command{name: "SET", admin: true, tag: "SET " + key + "=" + value, run: func(_ context.Context, c *Console, s *pool.ConsoleSession) (result, *wire.Error) {
		return c.set(s, strings.ToLower(key), value)
	}}, nil
}

// ignoreSet does nothing and says so.
func ignoreSet(p parameter) command {
	return command{name: "SET", tag: "SET", run: func(context.Context, *Console, *pool.ConsoleSession) (result, *wire.Error) {
		return result{notices: []*wire.Error{notice("SET ignored", "The console does not use "+p.name+".")}}, nil
	}}
}

// set changes a setting of the running pooler, as if it stood in the file. What only a restart can change stays, without an error, as in PgBouncer.
func (c *Console) set(s *pool.ConsoleSession, key, value string) (result, *wire.Error) {
	if why := noEffect(key); why != "" {
		return result{notices: []*wire.Error{notice("SET ignored", why)}}, nil
	}
	kept, err := c.pooler.Set(func(next *config.Config) error {
		if err := next.Set(key, value, config.Origin{Flag: "SET " + key}); err != nil {
			return err
		}
		return next.CheckOnline()
	})
	if err != nil {
		failed := refuse("SET failed")
		failed.Detail = err.Error()
		return result{}, failed
	}
	s.Log.Info().Str("key", key).Msg("SET command issued")
	if kept != nil {
		return result{notices: []*wire.Error{notice("TLS settings could not be applied, still using old configuration", kept.Error())}}, nil
	}
	return result{}, nil
}

// noEffect tells why a SET of a known key changes nothing; "": it does.
func noEffect(key string) string {
	for _, k := range config.Keys() {
		switch {
		case k.Name != key:
		case k.Support == config.Harmless:
			return key + " has no effect: " + k.Reason + "."
		case k.Support == config.Honoured && !k.Reloadable:
			return key + " is read at the start only: change the file and restart."
		}
	}
	return ""
}
