package web

import (
	"math/rand/v2"
	"net/http"
)

// The sample at scale 1 (configs/fountain.sql). As in the workload "postgrest", reads keep to the first nine tenths of the scripts and writes to the
// scenes of the last tenth, with words that nobody searches: what is read does not grow while a run writes.
const (
	playwrights = 20
	readScripts = 54
	readScenes  = 432
	scenes      = 480
	linesAScene = 10
)

const (
	duplicates = 2       // of a hundred new lines, so many have a key that is taken
	firstNew   = 1000001 // line numbers of new lines, far from the sample's
	lastNew    = 2000000000
	counted    = 3    // scenes that one HEAD counts
	takes      = 1000 // so many different texts are written
)

// What is searched: words of which a scene's ten lines hold all, some or none, and words of some lines of the sample.
var (
	patterns = [...]string{"*e*", "*the*", "*any*", "*never*", "*mirror*", "*lantern*"}
	searches = [...]string{"mirror", "silver%20lantern", "carry", "golden", "harvest%20wreath", "messenger", "absent"}
)

const jsonBody = "Content-Type: application/json\r\n"

// sampleKinds are the mix of a PostgREST on the sample: names, shares and values are those of the workload "postgrest", whose transactions are what
// PostgREST makes of these requests.
func sampleKinds(scale int) []*kind {
	get := func(name string, share float64, build func(*building)) *kind {
		return &kind{name: name, share: share, method: http.MethodGet, build: build}
	}
	post := func(name string, share float64, header string, build func(*building)) *kind {
		return &kind{name: name, share: share, method: http.MethodPost, header: jsonBody + header, writes: true, build: build}
	}
	creating := post("post", 8, "", func(b *building) {
		if b.random.IntN(100) < duplicates {
			takenLine(b, scale)
			return
		}
		newLine(b, scale)
	})
	creating.expect = []int{http.StatusConflict}

	return []*kind{
		get("get-by-pk", 35, func(b *building) {
			b.path = number(append(b.path, "/playwright?id=eq."...), b.in(playwrights*scale))
		}),
		get("get-list", 25, func(b *building) {
			b.path = number(append(b.path, "/dialogue?select=line_no,character_id,line&scene_id=eq."...), b.in(readScenes*scale))
			b.path = append(append(b.path, "&line=ilike."...), patterns[b.random.IntN(len(patterns))]...)
			b.path = number(append(b.path, "&order=line_no&limit=5&offset="...), 5*b.random.IntN(2))
		}),
		get("get-embed", 15, func(b *building) {
			b.path = number(append(b.path, "/script?id=eq."...), b.in(readScripts*scale))
			b.path = append(b.path, "&select=*,playwright(name),scene(act,number,dialogue(line_no,line))"...)
		}),
		{name: "head-count", share: 5, method: http.MethodHead, header: "Prefer: count=exact\r\n", build: func(b *building) {
			b.path = append(b.path, "/dialogue?scene_id=in.("...)
			for i := range counted {
				if i > 0 {
					b.path = append(b.path, ',')
				}
				b.path = number(b.path, b.in(readScenes*scale))
			}
			b.path = append(b.path, ")&limit=10"...)
		}},
		creating,
		{name: "patch", share: 4, method: http.MethodPatch, header: jsonBody, writes: true, build: func(b *building) {
			b.path = number(append(b.path, "/dialogue?scene_id=eq."...), b.writeScene(scale))
			b.path = number(append(b.path, "&line_no=eq."...), b.in(linesAScene))
			b.body = append(b.body, '{')
			b.line("Patched")
		}},
		get("rpc", 5, func(b *building) {
			b.path = append(append(b.path, "/rpc/search_lines?q="...), searches[b.random.IntN(len(searches))]...)
		}),
		post("rpc", 2, "", func(b *building) {
			b.path = append(b.path, "/rpc/add_cue"...)
			b.body = number(append(b.body, `{"scene_id":`...), b.writeScene(scale))
			b.body = append(b.body, ',')
			b.line("Cued")
		}),
		post("prereq-rollback", 1, "Prefer: tx=rollback\r\n", func(b *building) { newLine(b, scale) }),
	}
}

// writeScene is one of those that are written to.
func (b *building) writeScene(scale int) int {
	return readScenes*scale + b.in((scenes-readScenes)*scale)
}

// line appends the member "line" and the end of the object.
func (b *building) line(how string) {
	b.body = append(append(append(b.body, `"line":"`...), how...), " by the bench, take "...)
	b.body = append(number(b.body, b.in(takes)), `."}`...)
}

// newLine is a POST of a line whose key is not taken. What has been written in other runs is still there, so the number does not follow from the seed.
func newLine(b *building, scale int) {
	postLine(b, b.writeScene(scale), firstNew+rand.IntN(lastNew-firstNew+1))
}

// takenLine is a POST that must fail: the sample has this line.
func takenLine(b *building, scale int) { postLine(b, b.writeScene(scale), b.in(linesAScene)) }

func postLine(b *building, scene, no int) {
	b.path = append(b.path, "/dialogue"...)
	b.body = number(append(b.body, `{"scene_id":`...), scene)
	b.body = number(append(b.body, `,"line_no":`...), no)
	b.body = append(b.body, `,"character_id":null,`...)
	b.line("Posted")
}
