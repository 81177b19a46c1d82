package pool

import (
	"time"

	"poolerd/wire"
)

// takeStock finds out what a request has done to the session, where that has to be asked or told on: nearly always there is nothing to do. It gives the replies with what
// has to be added. An error means that the server is lost.
func (c *Client) takeStock(s *Server, replies []byte, over bool) ([]byte, error) {
	if c.resets && s.pipe.Settled() && !s.pipe.Open() && s.pipe.Status() != wire.TxFailed {
		told, err := c.readopt(s)
		if err != nil {
			return nil, err
		}
		replies = ahead(replies, told)
	}
	if over && c.ddl && c.mode == modeSession {
		if err := c.changeSchema(s); err != nil {
			return nil, err
		}
	}
	if !over || c.mode == modeSession {
		return replies, nil
	}
	if c.marks != 0 {
		if err := c.inspect(s); err != nil {
			return nil, err
		}
	}
	if len(c.channels) > 0 || c.joined || s.pins&pinListen != 0 || c.listens {
		if err := c.follow(s); err != nil {
			return nil, err
		}
	}
	if c.ddl { // only now: what keeps the client is known
		if err := c.changeSchema(s); err != nil {
			return nil, err
		}
	}
	return replies, nil
}

// stockFailed: the server has gone while it was asked what is left on it. A client that had state there, or may have left some just now (suspected), has lost it, and is told.
func (c *Client) stockFailed(s *Server, suspected bool, err error) {
	c.pool.finish(c, time.Now())
	if s.pipe.Status() != wire.TxIdle { // the client was told that its transaction goes on: nothing may run outside it
		c.block = blockFailed
		c.lost = wire.Errorf(wire.CodeConnectionFailure, "server connection was lost")
	}
	c.forgetTransaction()
	had := suspected || c.keeps()
	c.detach().discard(reasonServerGone)
	c.setPins(0)
	if had {
		c.leaveWith(reasonServerLost, wire.Fatalf(wire.CodeConnectionFailure, "server connection was lost, and with it the state of the session"))
	}
	c.pooler.log.Warn().Err(err).Uint32("pid", s.pid).Str("database", c.database).Msg("server was lost while its session state was looked at")
}
