package listen

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestRoster plays Members, requests and a server against a model: plain sets of names.
func TestRoster(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRoster()
		const people, names = 6, 4
		listeners := make([]*listener, people)
		model := make([]map[string]bool, people)
		for i := range listeners {
			listeners[i], model[i] = &listener{}, map[string]bool{}
		}
		type asked struct {
			who     int
			channel *channel
		}
		var asking []asked
		server := map[string]bool{} // what it listens to
		who := rapid.IntRange(0, people-1)
		name := rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("c%d", rapid.IntRange(0, names-1).Draw(t, "name")) })

		check := func(t *rapid.T) {
			listening, wanted := 0, map[string]bool{}
			for i, l := range listeners {
				if want := slices.Sorted(maps.Keys(model[i])); !slices.Equal(l.names(), want) {
					t.Fatalf("%d listens to %v, want %v", i, l.names(), want)
				}
				if int(l.count.Load()) != len(model[i]) {
					t.Fatalf("%d counts %d, want %d", i, l.count.Load(), len(model[i]))
				}
				if len(model[i]) > 0 {
					listening++
				}
				for n := range model[i] {
					wanted[n] = true
					c := r.channels[n]
					if c.listeners[l.places[c]] != l {
						t.Fatalf("%d is not in its place on %s", i, n)
					}
					if !server[n] {
						t.Fatalf("%d listens to %s, the server does not", i, n)
					}
				}
			}
			if r.listeners != listening {
				t.Fatalf("%d listeners, want %d", r.listeners, listening)
			}
			for _, a := range asking {
				wanted[a.channel.name] = true
				if r.channels[a.channel.name] != a.channel {
					t.Fatalf("the roster has forgotten %s, which somebody waits for", a.channel.name)
				}
			}
			for n, c := range r.channels {
				if !wanted[n] && !c.listed {
					t.Fatalf("%s is kept for nobody", n)
				}
			}
			for n := range server {
				if r.channels[n] == nil {
					t.Fatalf("the server listens to %s, and nobody will tell it otherwise", n)
				}
			}
		}
		answer := func(t *rapid.T, accepted bool) {
			if len(asking) == 0 {
				return
			}
			i := rapid.IntRange(0, len(asking)-1).Draw(t, "request")
			c := asking[i].channel
			fresh := !c.told
			if fresh {
				c.told = true
			}
			if accepted || !fresh {
				server[c.name] = true
				r.add(listeners[asking[i].who], c)
				model[asking[i].who][c.name] = true
			}
			asking = slices.Delete(asking, i, i+1)
			r.answered(c)
			if fresh && !accepted {
				r.refused(c)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"": check,
			"ask": func(t *rapid.T) {
				asking = append(asking, asked{who.Draw(t, "who"), r.ask(name.Draw(t, "channel"))})
			},
			"accept": func(t *rapid.T) { answer(t, true) },
			"refuse": func(t *rapid.T) { answer(t, false) },
			"give up": func(t *rapid.T) {
				if len(asking) > 0 {
					r.answered(asking[0].channel)
					asking = asking[1:]
				}
			},
			"unlisten": func(t *rapid.T) {
				i, n := who.Draw(t, "who"), name.Draw(t, "channel")
				if r.remove(listeners[i], n) != model[i][n] {
					t.Fatalf("%d, %s: the model says %v", i, n, model[i][n])
				}
				delete(model[i], n)
			},
			"leave": func(t *rapid.T) {
				i := who.Draw(t, "who")
				r.removeAll(listeners[i])
				clear(model[i])
			},
			"tell": func(t *rapid.T) {
				for _, n := range r.unlistens(rapid.IntRange(0, 2).Draw(t, "limit")) {
					if !server[n] {
						t.Fatalf("UNLISTEN of %s, which the server does not listen to", n)
					}
					delete(server, n)
				}
			},
			"lose": func(*rapid.T) {
				want := 0
				for i := range model {
					if len(model[i]) > 0 {
						want++
						clear(model[i])
					}
				}
				if got := r.reset(); len(got) != want {
					t.Fatalf("%d were lost, want %d", len(got), want)
				}
				clear(server)
			},
		})
	})
}
