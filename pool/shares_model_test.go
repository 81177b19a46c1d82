package pool

import (
	"testing"

	"pgregory.net/rapid"

	"poolerd/pool/config"
)

// sharesModel does with shares what pools do: each has clients that want servers, opens and closes them, and may be told to close one for another's sake. It knows what the counts must be.
type sharesModel struct {
	shares   shares
	conf     config.Pool
	pools    []*Pool
	servers  map[*Pool]int
	evicting []*Pool // whose server is being closed for another pool
}

// TestSharesModel: the counts are right and within the limits whatever happens, and no pool is for ever taken for one that a place is being made for.
func TestSharesModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &sharesModel{shares: newShares(), servers: map[*Pool]int{}}
		m.conf.MaxDBConnections, m.conf.MaxUserConnections = rapid.IntRange(0, 4).Draw(t, "database"), rapid.IntRange(0, 4).Draw(t, "user")
		for _, database := range []string{"a", "b"} {
			for _, user := range []string{"x", "y"} {
				m.pools = append(m.pools, &Pool{key: Key{database, user}})
			}
		}
		pick := func() *Pool { return rapid.SampledFrom(m.pools).Draw(t, "pool") }
		t.Repeat(map[string]func(*rapid.T){
			"take": func(t *rapid.T) {
				p := pick()
				if m.shares.take(p, m.conf, rapid.Bool().Draw(t, "wait")) == noLimit {
					m.servers[p]++
				}
			},
			"close":  func(*rapid.T) { m.close(pick()) },
			"sated":  func(*rapid.T) { m.shares.sated(pick()) },
			"starve": func(*rapid.T) { m.makeRoom(pick()) },
			"release": func(*rapid.T) {
				if p := pick(); m.servers[p] > m.leaving(p) && m.shares.claimed(p) {
					m.evicting = append(m.evicting, p)
				}
			},
			"evicted": func(*rapid.T) { m.evicted() },
			"":        m.check,
		})
		for len(m.evicting) > 0 {
			m.evicted()
		}
		for _, h := range m.shares.waiting {
			if h.fed {
				t.Fatalf("%v waits for the end of a server, and none is being closed", h.pool.key)
			}
		}
		for _, p := range m.pools {
			for m.servers[p] > 0 {
				m.close(p)
			}
			m.shares.sated(p)
		}
		m.check(t)
		if n := m.shares.hungry.Load(); n != 0 || len(m.shares.database)+len(m.shares.user) != 0 {
			t.Fatalf("in the end %d pools wait, and %v and %v are left", n, m.shares.database, m.shares.user)
		}
	})
}

// TestHungerForAnother: while a server is closed for a pool that waits because of one limit, that pool reaches another one. The end of that server must not be waited for
// any longer: it is none of those that would help.
func TestHungerForAnother(t *testing.T) {
	s := newShares()
	conf := config.Pool{MaxDBConnections: 2, MaxUserConnections: 2}
	hungry, colleague, namesake := &Pool{key: Key{"a", "x"}}, &Pool{key: Key{"a", "y"}}, &Pool{key: Key{"b", "x"}}
	open := func(p *Pool, want limit) {
		t.Helper()
		if got := s.take(p, conf, true); got != want {
			t.Fatalf("%v: limit %v, want %v", p.key, got, want)
		}
	}
	open(namesake, noLimit)
	open(namesake, noLimit)
	open(hungry, userLimit)
	if _, ok := s.feed(hungry); !ok { // one of namesake's is being closed
		t.Fatal("no place is made")
	}
	open(colleague, noLimit)
	open(colleague, noLimit)
	open(hungry, databaseLimit)
	s.give(namesake.key)
	if why, ok := s.feed(hungry); !ok || why != databaseLimit {
		t.Errorf("no place is made under the other limit: %v, %v", why, ok)
	}
}

// leaving counts the servers of a pool that are being closed.
func (m *sharesModel) leaving(p *Pool) (n int) {
	for _, other := range m.evicting {
		if other == p {
			n++
		}
	}
	return n
}

func (m *sharesModel) close(p *Pool) {
	if m.servers[p] > m.leaving(p) {
		m.servers[p]--
		m.shares.give(p.key)
	}
}

// makeRoom is Pool.makeRoom.
func (m *sharesModel) makeRoom(p *Pool) {
	limit, ok := m.shares.feed(p)
	if !ok {
		return
	}
	for _, other := range m.pools {
		if other != p && limit.frees(p.key, other.key) && m.servers[other] > m.leaving(other) {
			m.evicting = append(m.evicting, other)
			return
		}
	}
	m.shares.unfeed(p)
}

// evicted ends a server that is being closed for another pool.
func (m *sharesModel) evicted() {
	if len(m.evicting) == 0 {
		return
	}
	p := m.evicting[0]
	m.evicting = m.evicting[1:]
	m.servers[p]--
	if _, promised := m.shares.give(p.key); promised != nil && m.shares.take(promised, m.conf, false) == noLimit {
		m.servers[promised]++
	}
}

func (m *sharesModel) check(t *rapid.T) {
	database, user := map[string]int{}, map[string]int{}
	for p, n := range m.servers {
		database[p.key.Database] += n
		user[p.key.User] += n
	}
	for _, p := range m.pools {
		k := p.key
		ofDatabase, ofUser := m.shares.of(k.Database, k.User)
		if ofDatabase != database[k.Database] || ofUser != user[k.User] {
			t.Fatalf("%v: counted %d and %d, there are %d and %d", k, ofDatabase, ofUser, database[k.Database], user[k.User])
		}
		if most := m.conf.MaxDBConnections; most > 0 && ofDatabase > most {
			t.Fatalf("%d servers of database %s, at most %d may be", ofDatabase, k.Database, most)
		}
		if most := m.conf.MaxUserConnections; most > 0 && ofUser > most {
			t.Fatalf("%d servers of user %s, at most %d may be", ofUser, k.User, most)
		}
	}
	seen := map[*Pool]bool{}
	for _, h := range m.shares.waiting {
		if seen[h.pool] {
			t.Fatalf("%v waits twice", h.pool.key)
		}
		seen[h.pool] = true
	}
	if n := int(m.shares.hungry.Load()); n != len(m.shares.waiting) {
		t.Fatalf("%d pools wait, counted are %d", len(m.shares.waiting), n)
	}
}
