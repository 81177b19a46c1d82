package pool

import (
	"fmt"
	"slices"

	"poolerd/pool/vars"
	"poolerd/wire"
)

// RESET leads a session back to what it began with, which for PostgreSQL is its own startup packet. A pooled server had none: there RESET leads to the server's default, and
// the client's startup value is put behind it before the client hears of the end of its statement.

// readopt puts the client's startup values back behind a RESET, on a server that is between two statements. It gives the ParameterStatus messages that the client is owed for it.
func (c *Client) readopt(s *Server) ([]byte, error) {
	before := c.told
	if before == nil {
		before = s.reported
	}
	c.resets, c.told = false, nil
	if s.pipe.Status() == wire.TxIdle {
		if err := s.adopt(c.vars, queryLimit); err != nil {
			return nil, fmt.Errorf("set the startup parameters after RESET: %w", err)
		}
	} else if c.within != nil {
		list := c.ledger.Settings()
		for i := range list {
			list[i].Local = false
		}
		empty := c.pool.space.Empty()
		if sql := vars.Replay(with(s.vars, list, empty, empty), c.within); sql != "" {
			if err := s.run(sql, queryLimit); err != nil {
				return nil, fmt.Errorf("set the startup parameters after RESET: %w", err)
			}
		}
		c.adopted = true
	}
	var b []byte
	for _, v := range s.reported {
		if !slices.Contains(before, v) {
			b = wire.AppendParameterStatus(b, v.Name, v.Value)
		}
	}
	s.changed = false
	return b, nil
}
