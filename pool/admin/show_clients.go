package admin

import (
	"cmp"
	"slices"
	"time"

	"poolerd/pool"
	"poolerd/wire"
)

func clientColumns() []column {
	return append(socketColumns(), own(columnsOf(text, "pinned"))...) // why the client keeps its server between transactions
}

// clients gives every client, the console's own sessions among them, oldest first.
func (c *Console) clients() []pool.ClientInfo {
	all := append(c.pooler.Clients(), c.pooler.Consoles()...)
	slices.SortFunc(all, func(a, b pool.ClientInfo) int { return cmp.Compare(a.ID, b.ID) })
	return all
}

func (c *Console) showClients() (result, *wire.Error) {
	return rows(clientRows(c.clients(), time.Now()))
}

func clientRows(clients []pool.ClientInfo, now time.Time) [][]any {
	var all [][]any
	for _, c := range clients {
		all = append(all, append(clientRow(c, clientState(c), now), orNull(c.Pinned)))
	}
	return all
}

func clientRow(c pool.ClientInfo, state string, now time.Time) []any {
	host, port := address(c.Addr)
	localHost, localPort := address(c.Local)
	var s, us int64
	if c.State == pool.StateWaiting || c.State == pool.StateActive { // PgBouncer goes on counting while the query runs
		s, us = seconds(now.Sub(c.Since))
	}
	return []any{
		"C", c.User, c.Database, cmp.Or(c.Replication, "none"), state, host, port, localHost, localPort,
		when(c.Connected), when(c.Since), s, us, 0,
		objectName(c.ID), objectName(c.ServerID), int64(c.PID), c.TLS, c.Application, c.Statements, c.ID,
	}
}

// clientState is PgBouncer's word for it: a client that has a server is active, whether or not a statement runs; one that logs in waits to hear what a server says.
func clientState(c pool.ClientInfo) string {
	switch {
	case c.State == pool.StateWaiting, c.State == pool.StateLogin:
		return "waiting"
	case c.ServerID != 0, c.Replication != "":
		return "active"
	}
	return "idle"
}
