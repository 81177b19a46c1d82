package pool

import (
	"crypto/tls"
	"net"

	"poolerd/pool/config"
	"poolerd/wire/secure"
	"poolerd/wire/sock"
)

// What the console and the metrics see: copies, taken under the locks for an instant. snapshot_*.go have one subject each.

// Config gives the settings in force. They are not to be changed.
func (p *Pooler) Config() *config.Config { return p.config() }

// Logins counts the connections whose login is not finished, cancel requests among them.
func (p *Pooler) Logins() int {
	consoles := p.consoles.len()
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(len(p.conns)-len(p.clients)-consoles, 0)
}

// describeTLS gives version and cipher of a connection, as PgBouncer shows them; empty: it is not encrypted.
func describeTLS(nc net.Conn) string {
	c, ok := nc.(interface{ ConnectionState() tls.ConnectionState })
	if !ok {
		return ""
	}
	return secure.Describe(c.ConnectionState())
}

// peerPID gives the process at the other end of a Unix socket; 0: it is not known, or there is a network between.
func peerPID(nc net.Conn) int32 {
	_, _, pid, _ := sock.PeerCredentials(nc) // 0 with an error
	return pid
}
