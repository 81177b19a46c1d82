package pool

import (
	"errors"
	"slices"
	"strings"
	"time"

	"poolerd/pool/vars"
	"poolerd/wire"
	"poolerd/wire/lex"
)

// After a transaction under suspicion the server is asked what is left of it. The questions name everything by its schema: they run with the client's search_path and role.

// leftovers asks for the state that cannot be carried to another server. 2615 is the relation pg_namespace itself, so that the first column is one look into an index.
const leftovers = `SELECT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE refclassid OPERATOR(pg_catalog.=) 2615 AND refobjid OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()),` +
	` EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory' AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()),` +
	` EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable),` +
	` EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql)`

// askable is what leftovers tells, in the order of its columns.
var askable = [...]pins{pinTemp, pinAdvisory, pinHold, pinPrepared}

// inspect looks at what the transaction has left on its server, which is idle: the client keeps the server or no longer needs to. An error means that the server is lost.
func (c *Client) inspect(s *Server) error {
	marks := c.marks
	c.marks = 0
	if marks&(lex.MarkSetConfig|lex.MarkOpaque) != 0 {
		if err := c.readSettings(s, marks); err != nil {
			return err
		}
	}
	if marks&lex.MarkSequence != 0 && (c.pinSlot || c.pool.reservePin()) { // where no more servers may be kept, the client takes its chance
		c.pinSlot = true
		c.keepServer(pinSequence)
	}
	if marks&lex.MarkSticky != 0 {
		c.keepServer(pinSticky)
	}
	if marks&(leaving|lex.MarkPrepare|lex.MarkEnds)&^lex.MarkSetConfig != 0 {
		if err := c.readLeftovers(s); err != nil {
			return err
		}
	}
	if c.pins == 0 {
		c.freePin()
	}
	return nil
}

func (c *Client) readLeftovers(s *Server) error {
	rows, err := s.ask(leftovers, queryLimit)
	if errors.As(err, &errRefused{}) { // a cancel request that came late has hit it
		rows, err = s.ask(leftovers, queryLimit)
	}
	if err != nil {
		if errors.As(err, &errRefused{}) { // a statement_timeout of the client's
			c.keepServer(pinUnknown)
			return nil
		}
		return err
	}
	var left pins
	for i, p := range askable {
		if len(rows) == 1 && len(rows[0]) == len(askable) && string(rows[0][i]) == "t" {
			left |= p
		}
	}
	s.pins = s.pins&^(pinTemp|pinAdvisory|pinHold|pinPrepared|pinUnknown) | left
	if left != 0 {
		c.keepServer(left)
	}
	if c.pins != 0 {
		c.setPins(s.pins &^ pinListen) // which ends now
	}
	return nil
}

// readSettings asks for the session parameters that a function has set: those that were named, or all that the server admits to.
func (c *Client) readSettings(s *Server, marks lex.Marks) error {
	names, all := c.configs, marks&lex.MarkOpaque != 0 || c.anyConfig
	unknown := c.anyConfig
	c.configs, c.anyConfig = c.configs[:0], false
	if all {
		names = append(names, "role")
		for name := range c.vars.Names() {
			if strings.Contains(name, ".") {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 && !all {
		return nil
	}
	rows, err := s.ask(settingsQuery(names, all), queryLimit)
	if err != nil {
		if errors.As(err, &errRefused{}) {
			c.keepServer(pinUnknown)
			return nil
		}
		return err
	}
	set := c.vars
	found := map[string]bool{}
	for _, row := range rows {
		if len(row) != 2 {
			continue
		}
		name := strings.ToLower(string(row[0]))
		found[name] = true
		switch {
		case !rememberable(name):
		case row[1] == nil || name == "role" && string(row[1]) == "none":
			set = set.Without(name, c.pool.space.Empty())
		default:
			set = set.With(vars.Item{Name: name, Value: string(row[1])})
		}
	}
	if all {
		for name := range c.vars.Names() {
			if !found[name] && rememberable(name) && name != "session_authorization" {
				set = set.Without(name, c.pool.space.Empty())
			}
		}
	}
	if set != c.vars {
		c.become(set)
		s.vars = set
		set.Learn(s.reported)
		s.changed = false
	}
	if unknown { // a parameter of the client's own making is in no list
		c.keepServer(pinSettings)
	}
	return nil
}

// rememberable: not those that belong to the transaction.
func rememberable(name string) bool {
	return name != "transaction_isolation" && name != "transaction_read_only" && name != "transaction_deferrable"
}

func settingsQuery(names []string, all bool) string {
	var parts []string
	if all {
		parts = append(parts, "SELECT name, pg_catalog.current_setting(name) FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) 'session'")
	}
	for _, n := range names {
		parts = append(parts, "SELECT "+vars.Quote(n)+", pg_catalog.current_setting("+vars.Quote(n)+", true)")
	}
	return strings.Join(parts, " UNION ALL ")
}

// ask carries out a query of ours on an idle server, and gives its rows: nil is NULL. See run for the errors.
func (s *Server) ask(sql string, limit time.Duration) (rows [][][]byte, err error) {
	err = s.runRows(sql, limit, func(body []byte) {
		if row, ok := wire.ParseDataRow(body); ok {
			rows = append(rows, row)
		}
	})
	return rows, err
}
