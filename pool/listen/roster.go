package listen

import (
	"slices"
	"sync/atomic"
)

// roster knows who listens to what, and what the server has been told of it. It does no I/O and has no lock: the Hub's guards it.
type roster struct {
	channels  map[string]*channel
	unwanted  []*channel // each may have to be told UNLISTEN; those that are wanted again by then stay in
	listeners int        // those with a channel
}

// channel is one that somebody listens to or asks for, or of which the server has not been told UNLISTEN.
type channel struct {
	name      string
	listeners []*listener
	asking    int  // how many Listens are under way
	told      bool // the last that the server was sent, or will be with the batch in the making, is LISTEN
	listed    bool // it is in unwanted
}

// listener is a Member's part.
type listener struct {
	member *Member
	places map[*channel]int // where it stands in each channel's listeners
	count  atomic.Int32     // len(places), for those who only look
}

func newRoster() roster { return roster{channels: map[string]*channel{}} }

func (c *channel) wanted() bool { return len(c.listeners) > 0 || c.asking > 0 }

// ask counts one Listen that is under way; answered ends it.
func (r *roster) ask(name string) *channel {
	c := r.channels[name]
	if c == nil {
		c = &channel{name: name}
		r.channels[name] = c
	}
	c.asking++
	return c
}

func (r *roster) answered(c *channel) {
	c.asking--
	r.settle(c)
}

// add lets l hear c.
func (r *roster) add(l *listener, c *channel) {
	if _, ok := l.places[c]; ok {
		return
	}
	if l.places == nil {
		l.places = make(map[*channel]int, 1)
	}
	l.places[c] = len(c.listeners)
	c.listeners = append(c.listeners, l)
	if l.count.Add(1) == 1 {
		r.listeners++
	}
}

// hears tells whether l listens to a channel.
func (r *roster) hears(l *listener, name string) bool {
	_, ok := l.places[r.channels[name]]
	return ok
}

// remove lets l hear a channel no more. It reports false if l did not.
func (r *roster) remove(l *listener, name string) bool {
	c := r.channels[name]
	if _, ok := l.places[c]; !ok {
		return false
	}
	r.drop(l, c)
	return true
}

// removeAll lets l hear nothing more.
func (r *roster) removeAll(l *listener) {
	for c := range l.places {
		r.drop(l, c)
	}
	l.places = nil
}

// drop moves the last of c's listeners into l's place.
func (r *roster) drop(l *listener, c *channel) {
	at, last := l.places[c], len(c.listeners)-1
	moved := c.listeners[last]
	c.listeners[at] = moved
	moved.places[c] = at
	c.listeners[last] = nil
	c.listeners = c.listeners[:last]
	delete(l.places, c)
	if l.count.Add(-1) == 0 {
		r.listeners--
	}
	r.settle(c)
}

// settle looks after a channel that may not be wanted any longer.
func (r *roster) settle(c *channel) {
	switch {
	case c.wanted() || c.listed:
	case c.told:
		c.listed = true
		r.unwanted = append(r.unwanted, c)
	case r.channels[c.name] == c:
		delete(r.channels, c.name)
	}
}

// refused notes that the server did not carry out the LISTEN that c was told.
func (r *roster) refused(c *channel) {
	c.told = false
	r.settle(c)
}

// unlistens gives up to limit channels of which the server is to be told UNLISTEN, and forgets them.
func (r *roster) unlistens(limit int) (names []string) {
	for len(r.unwanted) > 0 && len(names) < limit {
		c := r.unwanted[0]
		r.unwanted[0] = nil
		r.unwanted = r.unwanted[1:]
		c.listed = false
		if c.told && !c.wanted() {
			c.told = false
			names = append(names, c.name)
		}
		r.settle(c)
	}
	return names
}

// reset forgets what the server was told, and gives everybody who listened; they do not any longer.
func (r *roster) reset() (all []*listener) {
	for _, c := range r.channels {
		for _, l := range c.listeners {
			if l.places != nil {
				all = append(all, l)
				l.places = nil
				l.count.Store(0)
			}
		}
		c.listeners, c.told = nil, false
	}
	for _, c := range r.unwanted {
		c.listed = false
	}
	r.unwanted, r.listeners = nil, 0
	for _, c := range r.channels {
		r.settle(c)
	}
	return all
}

// names gives l's channels, sorted.
func (l *listener) names() []string {
	names := make([]string, 0, len(l.places))
	for c := range l.places {
		names = append(names, c.name)
	}
	slices.Sort(names)
	return names
}
