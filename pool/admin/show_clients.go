package admin

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"poolerd/pool"
	"poolerd/wire"
)

// socketColumns is what SHOW CLIENTS and SHOW SERVERS share.
func socketColumns() []column {
	return slices.Concat(
		columnsOf(text, "type", "user", "database", "replication", "state", "addr"), columnsOf(int4, "port"),
		columnsOf(text, "local_addr"), columnsOf(int4, "local_port"),
		columnsOf(text, "connect_time", "request_time"), columnsOf(int4, "wait", "wait_us", "close_needed"),
		columnsOf(text, "ptr", "link"), columnsOf(int4, "remote_pid"),
		columnsOf(text, "tls", "application_name"), columnsOf(int4, "prepared_statements", "id"),
	)
}

func clientColumns() []column {
	return append(socketColumns(), columnsOf(text, "pinned")...) // ours: why the client keeps its server between transactions
}

func (c *Console) showClients() (result, *wire.Error) {
	return rows(clientRows(c.pooler.Clients(), time.Now()))
}

func clientRows(clients []pool.ClientInfo, now time.Time) [][]any {
	var all [][]any
	for _, c := range clients {
		host, port := address(c.Addr)
		localHost, localPort := address(c.Local)
		var s, us int64
		if c.State == pool.StateWaiting {
			s, us = seconds(now.Sub(c.Since))
		}
		all = append(all, []any{
			"C", c.User, c.Database, cmp.Or(c.Replication, "none"), clientState(c), host, port, localHost, localPort,
			when(c.Connected), when(c.Since), s, us, 0,
			clientName(c.ID), serverName(c.ServerID), 0, "", c.Application, 0, c.ID,
			orNull(c.Pinned),
		})
	}
	return all
}

// clientState is PgBouncer's word for it: a client that has a server is active, whether or not a statement runs.
func clientState(c pool.ClientInfo) string {
	switch {
	case c.State == pool.StateLogin, c.State == pool.StateWaiting, c.State == pool.StateClosing:
		return c.State.String()
	case c.ServerID != 0, c.Replication != "":
		return "active"
	}
	return "idle"
}

// clientName and serverName stand where PgBouncer shows the addresses of its objects: they pair a client with its server.
func clientName(id uint64) string { return objectName("c", id) }

func serverName(id uint64) string { return objectName("s", id) }

func objectName(kind string, id uint64) string {
	if id == 0 {
		return ""
	}
	return kind + strconv.FormatUint(id, 10)
}
