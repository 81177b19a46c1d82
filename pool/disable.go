package pool

import "poolerd/wire"

// Disable makes a database refuse new clients. Those that it has stay.
func (p *Pooler) Disable(database string) *wire.Error { return p.setDisabled(database, true) }

// Enable ends Disable.
func (p *Pooler) Enable(database string) *wire.Error { return p.setDisabled(database, false) }

func (p *Pooler) setDisabled(database string, to bool) *wire.Error {
	if database == "" {
		return errCommand("a database is required")
	}
	if err := p.named(database, "disable"); err != nil {
		return err
	}
	p.authCache.forget()
	p.mu.Lock()
	defer p.mu.Unlock()
	if to {
		p.gates.disabled[database] = true
	} else {
		delete(p.gates.disabled, database)
	}
	return nil
}
