package admin

import (
	"poolerd/pool"
	"poolerd/wire"
)

func serverColumns() []column {
	return append(socketColumns(), columnsOf(numeric, "uses")...) // ours: how many times it was given to a client
}

func (c *Console) showServers() (result, *wire.Error) { return rows(serverRows(c.pooler.Servers())) }

func serverRows(servers []pool.ServerInfo) [][]any {
	var all [][]any
	for _, s := range servers {
		host, port := address(s.Addr)
		localHost, localPort := address(s.Local)
		all = append(all, []any{
			"S", s.User, s.Database, "none", s.State, host, port, localHost, localPort,
			when(s.Connected), when(s.Requested), 0, 0, 0,
			serverName(s.ID), clientName(s.ClientID), int64(s.PID), "", s.Application, 0, s.ID,
			s.Uses,
		})
	}
	return all
}
