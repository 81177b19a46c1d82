package admin

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"poolerd/pool"
	"poolerd/wire"
)

// socketColumns is what SHOW CLIENTS, SHOW SERVERS and SHOW SOCKETS share.
func socketColumns() []column {
	return slices.Concat(
		columnsOf(text, "type", "user", "database", "replication", "state", "addr"), columnsOf(int4, "port"),
		columnsOf(text, "local_addr"), columnsOf(int4, "local_port"),
		columnsOf(text, "connect_time", "request_time"), columnsOf(int4, "wait", "wait_us", "close_needed"),
		columnsOf(text, "ptr", "link"), columnsOf(int4, "remote_pid"),
		columnsOf(text, "tls", "application_name"), columnsOf(int4, "prepared_statements", "id"),
	)
}

// bufferColumns is what SHOW SOCKETS has beside: positions in buffers, which belong to whoever reads, and are shown as 0.
func bufferColumns() []column {
	return append(socketColumns(), columnsOf(int4, "recv_pos", "pkt_pos", "pkt_remain", "send_pos", "send_remain", "pkt_avail", "send_avail")...)
}

func (c *Console) showSockets() (result, *wire.Error) {
	return rows(socketRows(c.clients(), c.pooler.Servers(), time.Now()))
}

// showActiveSockets gives the connections with a request under way, that of the session that asks among them.
func showActiveSockets(_ context.Context, c *Console, asks *pool.ConsoleSession) (result, *wire.Error) {
	busy := map[uint64]bool{asks.ID(): true}
	clients := c.clients()
	for _, client := range clients {
		busy[client.ID] = busy[client.ID] || client.State == pool.StateActive || client.State == pool.StateWaiting
	}
	clients = slices.DeleteFunc(clients, func(i pool.ClientInfo) bool { return !busy[i.ID] })
	servers := slices.DeleteFunc(c.pooler.Servers(), func(i pool.ServerInfo) bool { return !busy[i.ClientID] })
	return rows(socketRows(clients, servers, time.Now()))
}

// socketRows gives clients and servers by database, as PgBouncer orders its pools, clients first.
func socketRows(clients []pool.ClientInfo, servers []pool.ServerInfo, now time.Time) [][]any {
	type socket struct {
		database string
		row      []any
	}
	var all []socket
	for _, c := range clients {
		state := "cl_active"
		if c.State == pool.StateWaiting || c.State == pool.StateLogin {
			state = "cl_" + c.State.String()
		}
		all = append(all, socket{c.Database, clientRow(c, state, now)})
	}
	for _, s := range servers {
		all = append(all, socket{s.Database, serverRow(s, "sv_"+string(s.State))})
	}
	slices.SortStableFunc(all, func(a, b socket) int { return cmp.Compare(a.database, b.database) })
	var rows [][]any
	for _, s := range all {
		rows = append(rows, append(s.row, 0, 0, 0, 0, 0, 0, 0))
	}
	return rows
}

// objectName stands where PgBouncer shows the address of an object: it pairs a client with its server. Ids are of one count, so that no two objects share one.
func objectName(id uint64) string {
	if id == 0 {
		return ""
	}
	return fmt.Sprintf("%#x", id)
}
