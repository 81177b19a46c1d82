package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// Prepare asks the server what can be known before a run, and returns what a reader of the figures must know besides: which PostgREST it is, which
// requests are left out, which are not answered as they should be. The error tells in words what keeps the run from being of use: nobody
// there, another API than the sample's, a token that the server refuses. Of the user's own requests it sends none.
func Prepare(ctx context.Context, o Options) (notes []string, err error) {
	c, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if o.Requests != "" {
		return nil, nil
	}
	last := playwrights * max(o.Scale, 1)
	r, err := c.ask(ctx, &kind{method: http.MethodGet, build: func(b *building) {
		b.path = number(append(b.path, "/playwright?id=eq."...), last)
	}})
	var rows []json.RawMessage
	switch {
	case err != nil:
		return nil, err
	case r.status != http.StatusOK || json.Unmarshal(r.text, &rows) != nil:
		return nil, fmt.Errorf("%s does not serve the sample: GET /playwright answers %s; load configs/fountain.sql behind it, or give requests of your own", c.server.address, r.words())
	case len(rows) == 0:
		return nil, fmt.Errorf("%s serves a sample without playwright %d: it is smaller than scale %d", c.server.address, last, max(o.Scale, 1))
	}
	notes = append(notes, "HTTP server: "+or(r.server, "it does not tell its name"))
	if o.Token == "" && o.Secret == "" {
		return append(notes, "no token for the role "+DefaultRole+": requests that write ("+strings.Join(leftOut(), ", ")+") are left out of the mix"), nil
	}
	return c.tryToken(ctx, o, notes)
}

// leftOut are the names of the kinds that write, and what they are called where others have the same.
func leftOut() []string {
	reads := map[string]bool{}
	for _, k := range sampleKinds(1) {
		if !k.writes {
			reads[k.name] = true
		}
	}
	var names []string
	for _, k := range sampleKinds(1) {
		switch {
		case k.writes && reads[k.name]:
			names = append(names, k.name+" by "+k.method)
		case k.writes:
			names = append(names, k.name)
		}
	}
	return names
}

// tryToken writes a line that is to be rolled back.
func (c *client) tryToken(ctx context.Context, o Options, notes []string) ([]string, error) {
	r, err := c.ask(ctx, &kind{method: http.MethodPost, header: jsonBody + "Prefer: tx=rollback\r\n", build: func(b *building) { newLine(b, max(o.Scale, 1)) }})
	switch {
	case err != nil:
		return nil, err
	case r.status == http.StatusUnauthorized || r.status == http.StatusForbidden:
		return nil, fmt.Errorf("%s refuses the token: %s; it must be signed with the server's jwt-secret and name the role %s", c.server.address, r.words(), DefaultRole)
	case r.status != http.StatusCreated:
		return nil, fmt.Errorf("%s does not take a new line: POST /dialogue answers %s", c.server.address, r.words())
	case !strings.Contains(r.applied, "tx=rollback"):
		notes = append(notes, `the HTTP server does not honour Prefer: tx=rollback (PostgREST's db-tx-end = "commit-allow-override"), so prereq-rollback commits`)
	}
	return notes, nil
}

// ask runs one request that is not of the mix.
func (c *client) ask(ctx context.Context, k *kind) (response, error) {
	k.complete(c.server, c.authorization)
	c.out = k.append(c.out[:0], &c.making)
	r, done := c.exchange(ctx, k)
	if done.Code != "" {
		return r, fmt.Errorf("%s: %s (%s)", c.server.address, done.Text, done.Code)
	}
	return r, nil
}
