package pool

import (
	"slices"
	"strings"

	"poolerd/pool/vars"
	"poolerd/wire"
	"poolerd/wire/lex"
)

// The session parameters of a client: what its SETs make of them, and what its server reports of them.

// set notes a SET. Where it could not be read, the server is asked afterwards.
func (c *Client) set(e lex.Effect, ok bool) {
	if !ok || e.Unknown {
		c.marks |= lex.MarkOpaque
		for _, one := range e.Settings {
			c.configs = append(c.configs, one.Name)
		}
		return
	}
	if slices.ContainsFunc(e.Settings, c.adds) {
		c.marks |= lex.MarkSetConfig
		c.configs = append(c.configs, "datestyle")
	}
	c.ledger.Set(e.Settings...)
	for _, one := range e.Settings {
		if _, ours := c.base.Get(one.Name); one.Default && !one.Local && (ours || one.Name == "" && c.base.Len() > 0) {
			c.resets = true
		}
	}
}

// adds tells whether a setting changes only a part of what is set already: DateStyle's has two parts.
func (c *Client) adds(one lex.Setting) bool {
	if one.Name != "datestyle" || one.Default || one.Local {
		return false
	}
	_, set := c.vars.Get("datestyle")
	return set || !c.ledger.Empty()
}

// apply makes settings that the server has carried out the client's. told says that it has reported them: it does so ahead of ReadyForQuery.
func (c *Client) apply(s *Server, settings []lex.Setting, told bool) {
	empty := c.pool.space.Empty()
	c.become(with(c.vars, settings, c.base, empty))
	if c.adopted {
		s.vars = c.vars
	} else {
		s.vars = with(s.vars, settings, empty, empty) // which knows nothing of the client's startup packet
	}
	if told {
		s.vars.Learn(s.reported)
	}
	s.changed = false
}

// with gives a Set after settings. RESET leads back to base.
func with(set *vars.Set, settings []lex.Setting, base, empty *vars.Set) *vars.Set {
	for _, one := range settings {
		switch {
		case one.Local:
		case one.Default:
			set = set.Without(one.Name, base)
		default:
			set = set.With(vars.Item{Name: one.Name, Value: one.Value, Raw: true})
		}
		if one.Name == "session_authorization" && !one.Local { // which ends SET ROLE
			set = set.Without("role", empty)
		}
	}
	return set
}

// settleNames finds what the rest of the transaction runs with.
func (c *Client) settleNames() {
	c.within, c.inDoubt, c.forgets = nil, false, false
	if c.ledger.Empty() {
		return
	}
	list := c.ledger.Settings()
	for i := range list {
		list[i].Local = false
	}
	c.within = with(c.vars, list, c.base, c.pool.space.Empty())
}

// answerSettings answers SETs here when a server is known to accept what they lead to.
func (c *Client) answerSettings(sql []byte) bool {
	settings, ok := lex.Settings(sql)
	if !ok || slices.ContainsFunc(settings, func(s lex.Setting) bool { return s.Local }) {
		return false
	}
	set := with(c.vars, settings, c.base, c.pool.space.Empty())
	now, ok := set.Reported()
	if !ok {
		return false
	}
	before, ok := c.vars.Reported()
	if !ok || !vars.Sure(c.vars, set) {
		return false
	}
	for _, s := range settings {
		tag := "SET"
		if s.Default && s.Reset {
			tag = "RESET"
		}
		c.reply = wire.AppendCommandComplete(c.reply, tag)
	}
	for _, v := range now {
		if !slices.Contains(before, v) {
			c.reply = wire.AppendParameterStatus(c.reply, v.Name, v.Value)
		}
	}
	c.become(set)
	return true
}

// learn takes over what the server reports and no statement explains, set by a function for example. It is called between transactions.
func (c *Client) learn(s *Server) {
	if !s.changed {
		return
	}
	s.changed = false
	if s.vars != c.vars {
		return // a RESET has led to the server's default: the client's value comes back with its next transaction
	}
	expected, ok := c.vars.Reported()
	if !ok {
		return
	}
	set := c.vars
	for _, v := range s.reported {
		if item := (vars.Item{Name: strings.ToLower(v.Name), Value: v.Value}); vars.Settable(item.Name) && !slices.Contains(expected, v) {
			set = set.With(item)
		}
	}
	if set != c.vars {
		c.become(set)
		s.vars = set
		set.Learn(s.reported)
	}
}
