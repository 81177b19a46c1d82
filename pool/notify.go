package pool

import (
	"time"

	"poolerd/wire"
)

// awaitGrant waits for the end of the client's time in the queue. Where that is long, the client is told once that it waits (query_wait_notify).
func (c *Client) awaitGrant() grant {
	tell := c.waiter.tell
	if c.step == nil { // it has not been welcomed, and would not understand
		tell = nil
	}
	for {
		select {
		case g := <-c.waiter.granted:
			return g
		case <-tell:
			if err := c.sayQueued(); err != nil {
				c.end(reasonClientGone, nil)
			}
		}
	}
}

// sayQueued sends the notice. A message that was written in part ends the client.
func (c *Client) sayQueued() error {
	notice := wire.Error{Severity: "NOTICE", Code: wire.CodeSuccessfulCompletion, Message: "No server connection available in postgres backend, client being queued"}
	_ = c.conn.SetWriteDeadline(time.Now().Add(farewellLimit))
	err := c.write(notice.AppendNotice(nil))
	_ = c.conn.SetWriteDeadline(noDeadline)
	return err
}

// anew begins a wait.
func (w *waiter) anew() {
	w.told.Store(false)
	select {
	case <-w.tell:
	default:
	}
}

// remind lets a client that has waited for query_wait_notify be told so, once in each wait.
func (w *waiter) remind() {
	if w.told.CompareAndSwap(false, true) {
		select {
		case w.tell <- struct{}{}:
		default:
		}
	}
}
