package secure

import (
	"crypto/rand"
	"crypto/tls"
	"sync"
	"time"
)

const (
	// ticketKeyLife is how long a key makes new tickets; ticketKeys is how many keys are taken: tickets live for up to a week, as crypto/tls has it.
	ticketKeyLife = 24 * time.Hour
	ticketKeys    = 7
)

// tickets are the keys of session tickets, by which a client resumes a session. They outlive the Server that made them (Server.Inherit), unlike those that crypto/tls makes.
type tickets struct {
	mu   sync.Mutex
	keys [][32]byte // newest first
	made time.Time  // of the newest
}

// ticketUser is what one Server's configuration has of the keys.
type ticketUser struct {
	tickets *tickets
	made    time.Time // of the newest key that the configuration has
}

func (t *tickets) renew(now time.Time) (made time.Time, keys [][32]byte) {
	if t.made.IsZero() || now.Sub(t.made) >= ticketKeyLife {
		var key [32]byte
		_, _ = rand.Read(key[:]) // never fails
		t.keys = append([][32]byte{key}, t.keys[:min(len(t.keys), ticketKeys-1)]...)
		t.made = now
	}
	return t.made, t.keys
}

// renew brings the configuration's keys up to date: it is called before each handshake.
func (u *ticketUser) renew(c *tls.Config, now time.Time) {
	t := u.tickets
	t.mu.Lock()
	defer t.mu.Unlock()
	if made, keys := t.renew(now); !made.Equal(u.made) {
		u.made = made
		c.SetSessionTicketKeys(keys)
	}
}
