package sock

// A Conn that is a *tls.Conn above a gate.

// maxRecord is how much one record of TLS carries.
const maxRecord = 16 << 10

// Read waits for something to read, as that of a net.Conn does.
func (c *Conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.gate != nil {
		c.partial = true
		c.gate.unread.Store(true)
	}
	return n, err
}

// Close does not wait for the peer to take the farewell of TLS.
func (c *Conn) Close() error {
	if c.gate != nil {
		c.gate.writing.Store(true)
	}
	return c.Conn.Close()
}

// tryReadTLS takes record after record. A last look at crypto/tls's buffer, which would find nothing, is spared where the gate knows that no whole record is left there. The
// kernel is not asked again once it has given less than there was room for.
func (c *Conn) tryReadTLS(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	n, err := 0, c.failed
	if err == nil {
		n, err = c.readRecords(p)
	}
	switch {
	case err == nil:
	case err == errAgain: //nolint:errorlint // never wrapped
		c.drained, c.partial, err = true, false, nil
		if n == 0 {
			err = ErrWait
		}
	default: // not every such error is one that crypto/tls would give again
		c.drained, c.failed = false, err
		if n > 0 {
			err = nil
		}
	}
	c.gate.unread.Store(!c.drained)
	return n, err
}

// readRecords reads until p is full, nothing is left, or an error.
func (c *Conn) readRecords(p []byte) (n int, err error) {
	g := c.gate
	g.dry, c.drained = false, false
	g.reading.Store(true)
	defer g.reading.Store(false)
	for {
		k, err := c.Conn.Read(p[n:])
		if n += k; err != nil {
			return n, err
		}
		if n == len(p) {
			c.partial = true // something of the record may be left
			return n, nil
		}
		if !c.partial {
			g.frames.whole-- // at least one record was used up: what Read gave did not come from the rest of one
		}
		c.partial = false
		if g.frames.whole <= 0 && g.dry {
			c.drained = true
			return n, nil
		}
	}
}

// tryWriteTLS hands crypto/tls a record at a time, and stops when the gate could not pass one on as a whole: what it keeps is bounded that way.
func (c *Conn) tryWriteTLS(p []byte) (int, error) {
	c.gate.writing.Store(true)
	defer c.gate.writing.Store(false)
	n, err := 0, c.gate.flush()
	for err == nil && n < len(p) {
		var k int
		k, err = c.Conn.Write(p[n:min(n+maxRecord, len(p))])
		if n += k; err == nil {
			err = c.gate.kept()
		}
	}
	return n, err
}
