package pool

import (
	"container/list"
	"net/netip"
	"sync"
	"time"
	"unsafe"

	"poolerd/pool/config"
)

// auth_query_cache: what auth_query has said of a user is kept for a time, for logins that follow. Three rules make that harmless.
//
// Only an answer is kept by which a login has proved its password, and only for the address that the login came from. So whoever guesses, or tries names, puts nothing in and pushes nothing
// out; and since his logins are asked for each time, known user or not, their time tells him nothing. What remains: who shares an address with a client can tell by the time, and while the
// database is out of reach by the error, that the client's user has logged in from there lately.
//
// A proof that does not fit a kept answer is not refused by it: the database is asked, and says whether the answer still holds (login.judgeAfresh).
//
// Each answer of the database that says otherwise, to whomever it was given, ends the kept one, and so does each command that may change whom or what is asked: RELOAD, SET, RECONNECT, KILL
// and DISABLE, of whatever database.
//
// Secrets are strings, which cannot be overwritten in Go. A kept one is not copied: it is the one that the pool's servers log in with.

const (
	// mostKeptAnswers bounds the pairs of user and address that answers are kept for. A kept secret takes less than a kilobyte with all that belongs to it, so that all take less than 10 MB;
	// a user of its own for each of some thousand tenants, on a few hosts, fits in.
	mostKeptAnswers = 10_000
	// longestKept bounds a secret that is kept, in bytes. PostgreSQL's own are 133 long.
	longestKept = 512
)

// authCache holds the answers that are kept. The zero value is ready, and safe for concurrent use.
type authCache struct {
	mu      sync.Mutex
	answers map[authQuestion]*keptAnswer
	byAge   list.List // of *keptAnswer, the one asked longest ago first
	pairs   int       // of an answer and an address
	forgot  time.Time // what was asked up to then is not kept
}

// keptAnswer is one answer.
type keptAnswer struct {
	question authQuestion
	secret   config.Secret
	asked    time.Time // before the database said it
	sources  map[netip.Prefix]struct{}
	place    *list.Element
}

// find gives the secret that is kept for logins from source, if it was asked for since then.
func (c *authCache) find(question authQuestion, source netip.Prefix, since time.Time) (config.Secret, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.answers[question]
	if k == nil || !k.asked.After(since) {
		return config.Secret{}, false
	}
	_, ok := k.sources[source]
	return k.secret, ok
}

// keep keeps the secret by which a login from source has proved its password.
func (c *authCache) keep(question authQuestion, source netip.Prefix, secret config.Secret, asked time.Time) {
	if secret.Kind() == config.NoSecret || len(secret.Reveal()) > longestKept {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !asked.After(c.forgot) {
		return
	}
	k := c.answers[question]
	switch {
	case k == nil:
	case k.secret.Equal(secret):
		c.renew(k, asked)
	case asked.After(k.asked):
		c.drop(k)
		k = nil
	default: // a newer one is there
		return
	}
	if k == nil {
		k = &keptAnswer{question: question, secret: secret, asked: asked, sources: map[netip.Prefix]struct{}{}}
		k.place = c.byAge.PushBack(k)
		if c.answers == nil {
			c.answers = map[authQuestion]*keptAnswer{}
		}
		c.answers[question] = k
	}
	if _, ok := k.sources[source]; !ok {
		k.sources[source] = struct{}{}
		c.pairs++
	}
	for c.pairs > mostKeptAnswers {
		c.drop(c.byAge.Front().Value.(*keptAnswer))
	}
}

// heard takes note of what the database says now.
func (c *authCache) heard(question authQuestion, answer authAnswer, asked time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch k := c.answers[question]; {
	case k == nil:
	case answer.found && k.secret.Equal(answer.secret):
		c.renew(k, asked)
	default:
		c.drop(k)
	}
}

// renew notes that an answer held still when it was asked for. The lock is held.
func (c *authCache) renew(k *keptAnswer, asked time.Time) {
	if asked.After(k.asked) {
		k.asked = asked
		c.byAge.MoveToBack(k.place)
	}
}

// drop forgets an answer. The lock is held.
func (c *authCache) drop(k *keptAnswer) {
	delete(c.answers, k.question)
	c.byAge.Remove(k.place)
	c.pairs -= len(k.sources)
}

// expire forgets what was asked for up to then.
func (c *authCache) expire(then time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.byAge.Front(); e != nil && !e.Value.(*keptAnswer).asked.After(then); e = c.byAge.Front() {
		c.drop(e.Value.(*keptAnswer))
	}
}

// forget forgets everything, and what is being asked too.
func (c *authCache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answers, c.pairs, c.forgot = nil, 0, time.Now()
	c.byAge.Init()
}

// memory tells how much of it there is.
func (c *authCache) memory() MemoryInfo {
	c.mu.Lock()
	defer c.mu.Unlock()
	return MemoryInfo{"auth_query_cache", uint64(unsafe.Sizeof(keptAnswer{})), uint64(len(c.answers)), 0}
}
