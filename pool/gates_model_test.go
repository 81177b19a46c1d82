package pool

import (
	"testing"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"poolerd/pool/config"
	"poolerd/wire"
)

// gatesModel is what PgBouncer's manual says of PAUSE, SUSPEND, KILL, DISABLE and what ends them.
type gatesModel struct {
	all              hold
	paused, disabled map[string]bool
}

// TestGatesModel gives commands in any order, with databases that come and go, and looks at what they have made of every pool.
func TestGatesModel(t *testing.T) {
	names := []string{"a", "b", "c"}
	conf := config.Defaults()
	conf.WatchFunctions = 0
	for _, name := range names {
		conf.Databases[name] = config.Database{Name: name, Host: "127.0.0.1", Port: 1, DBName: name}
	}
	rapid.Check(t, func(t *rapid.T) {
		p, err := New(conf, zerolog.Nop())
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			for _, pool := range p.allPools() {
				pool.closeAll(errShutdown())
				pool.pg.Close()
			}
			p.kill()
			p.tasks.Wait()
		}()
		m := gatesModel{paused: map[string]bool{}, disabled: map[string]bool{}}
		there := map[string]bool{"a": true, "b": true, "c": true}
		pick := func() string { return rapid.SampledFrom(names).Draw(t, "database") }
		expect := func(err *wire.Error, works bool) {
			if (err == nil) != works {
				t.Fatalf("%v, want it to work: %v", err, works)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"client": func(t *rapid.T) {
				name := pick()
				pool, err := p.pool(name, rapid.SampledFrom([]string{"x", "y"}).Draw(t, "user"))
				expect(err, there[name])
				if err == nil {
					pool.part()
				}
			},
			"pause all": func(t *rapid.T) {
				works := m.all == holdNothing
				expect(p.Pause(t.Context(), ""), works)
				if works {
					m.all = holdPaused
				}
			},
			"pause": func(t *rapid.T) {
				name := pick()
				works := there[name] && m.all == holdNothing
				expect(p.Pause(t.Context(), name), works)
				m.paused[name] = m.paused[name] || works
			},
			"kill": func(*rapid.T) {
				name := pick()
				works := there[name] && m.all == holdNothing
				expect(p.Kill(name), works)
				m.paused[name] = m.paused[name] || works
			},
			"suspend": func(t *rapid.T) {
				works := m.all == holdNothing && !m.anyPaused()
				expect(p.Suspend(t.Context()), works)
				if works {
					m.all = holdSuspended
				}
			},
			"resume": func(*rapid.T) {
				name := pick()
				expect(p.Resume(name), there[name] && m.paused[name])
				m.paused[name] = false
			},
			"resume all": func(*rapid.T) {
				expect(p.Resume(""), m.all != holdNothing || m.anyPaused())
				if m.all == holdNothing {
					clear(m.paused)
				}
				m.all = holdNothing
			},
			"the last administrator leaves": func(*rapid.T) {
				p.leaveConsole(&ConsoleSession{})
				if m.all == holdSuspended {
					m.all = holdNothing
				}
			},
			"disable": func(*rapid.T) {
				name := pick()
				expect(p.Disable(name), there[name])
				m.disabled[name] = m.disabled[name] || there[name]
			},
			"enable": func(*rapid.T) {
				name := pick()
				expect(p.Enable(name), there[name])
				m.disabled[name] = false
			},
			"reload": func(*rapid.T) {
				name := pick()
				there[name] = !there[name]
				if err := p.Reload(altered(p, func(c *config.Config) {
					delete(c.Databases, name)
					if there[name] {
						c.Databases[name] = conf.Databases[name]
					}
				})); err != nil {
					t.Fatal(err)
				}
				if !there[name] {
					m.paused[name], m.disabled[name] = false, false
				}
			},
			"": func(t *rapid.T) { m.check(t, p) },
		})
	})
}

func (m *gatesModel) anyPaused() bool {
	for _, paused := range m.paused {
		if paused {
			return true
		}
	}
	return false
}

func (m *gatesModel) check(t *rapid.T, p *Pooler) {
	paused, suspended := p.HoldState()
	if paused != (m.all == holdPaused) || suspended != (m.all == holdSuspended) {
		t.Fatalf("all paused %v, suspended %v, want %v", paused, suspended, m.all)
	}
	for _, name := range []string{"a", "b", "c"} {
		if paused, disabled := p.DatabaseState(name); paused != m.paused[name] || disabled != m.disabled[name] {
			t.Fatalf("%s is paused %v, disabled %v, want %v and %v", name, paused, disabled, m.paused[name], m.disabled[name])
		}
	}
	for _, pool := range p.allPools() {
		want := m.all
		if m.paused[pool.key.Database] {
			want = holdPaused
		}
		pool.mu.Lock()
		got := pool.hold
		pool.mu.Unlock()
		if got != want || pool.suspended.Load() != (want == holdSuspended) {
			t.Fatalf("pool %v: hold %v, want %v", pool.key, got, want)
		}
	}
}
