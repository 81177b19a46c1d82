package pool

import (
	"sync"

	"poolerd/pool/config"
	"poolerd/wire/secure"
)

// outgoingTLS holds what server_tls_* of the settings at hand come to. The zero value is ready.
type outgoingTLS struct {
	mu     sync.Mutex
	conf   *config.Config // of which client was made
	client *secure.Client
	err    error
}

// serverTLS gives the TLS towards servers. It is made anew, from the files as they are then, after each reload.
func (p *Pooler) serverTLS() (*secure.Client, error) {
	t, conf := &p.outgoing, p.config()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.conf != conf {
		t.conf = conf
		t.client, t.err = secure.NewClient(conf.ServerTLS)
	}
	return t.client, t.err
}
