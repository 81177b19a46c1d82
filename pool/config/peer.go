package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Which numbers poolers of a group may have. A key of [peers] may be any that fits into the two bytes of a cancel key, as PgBouncer takes it.
const (
	MaxPeerID  = 16383
	maxPeerKey = 0xffff
)

// peerParams are the parameters of a line of [peers], for "did you mean".
const peerParams = "host port pool_size"

// Peer is a pooler that cancel requests are passed on to: one line of [peers].
type Peer struct {
	ID       int    // its peer_id
	Host     string // a name, an address, or what Unix sockets stand in: a directory, or with @ in front an abstract name
	Port     int    // 6432 when not set
	PoolSize *int   // cancel requests that may be under way to it at a time; nil: default_pool_size

	Origin Origin
}

// PeerPoolSize is how many cancel requests may be under way to a peer at a time.
func (c *Config) PeerPoolSize(p Peer) int { return first(c.DefaultPoolSize, p.PoolSize) }

// Address is where the peer listens, for net.Dial.
func (p Peer) Address() (network, address string) {
	if strings.HasPrefix(p.Host, "/") || strings.HasPrefix(p.Host, "@") {
		return "unix", fmt.Sprintf("%s/.s.PGSQL.%d", p.Host, p.Port)
	}
	if strings.Contains(p.Host, ":") {
		return "tcp", fmt.Sprintf("[%s]:%d", p.Host, p.Port)
	}
	return "tcp", fmt.Sprintf("%s:%d", p.Host, p.Port)
}

func (l *loader) peer(it item) {
	id, err := strconv.Atoi(it.key)
	if err != nil || id < 1 || id > maxPeerKey {
		l.fail(it.Origin, "[peers] "+it.key, "", &Error{Reason: "is not the number of a peer", Hint: fmt.Sprintf("write peer_id = host=... with a peer_id from 1 to %d", MaxPeerID)})
		return
	}
	pairs, broken := connString(it.value)
	if broken != nil {
		l.fail(it.Origin, "[peers] "+it.key, "", broken)
		return
	}
	p := Peer{ID: id, Port: 6432, Origin: it.Origin}
	for _, pair := range pairs {
		if err := p.param(pair); err != nil {
			l.fail(it.Origin, "[peers] "+it.key+": "+pair.key, pair.value, err)
		}
	}
	if p.Host == "" {
		l.fail(it.Origin, "[peers] "+it.key, "", &Error{Reason: "names no host", Hint: "add host= and, if it is not 6432, port="})
	}
	l.config.Peers[id] = p
}

func (p *Peer) param(pair pair) *Error {
	switch pair.key {
	case "host":
		p.Host = pair.value
		if strings.Contains(pair.value, ",") {
			return &Error{Reason: "a peer has one host", Hint: "give one address"}
		}
	case "port":
		return store(&p.Port, pair.value, parsePort)
	case "pool_size":
		return storeSet(&p.PoolSize, pair.value, parseSize(1))
	default:
		return &Error{Reason: "unknown connection parameter", Hint: didYouMean(pair.key, strings.Fields(peerParams))}
	}
	return nil
}
