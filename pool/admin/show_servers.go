package admin

import (
	"poolerd/pool"
	"poolerd/wire"
)

func serverColumns() []column {
	return append(socketColumns(), own(columnsOf(numeric, "uses"))...) // how many times it was given to a client
}

func (c *Console) showServers() (result, *wire.Error) { return rows(serverRows(c.pooler.Servers())) }

func serverRows(servers []pool.ServerInfo) [][]any {
	var all [][]any
	for _, s := range servers {
		all = append(all, append(serverRow(s, string(s.State)), s.Uses))
	}
	return all
}

func serverRow(s pool.ServerInfo, state string) []any {
	host, port := address(s.Addr)
	localHost, localPort := address(s.Local)
	return []any{
		"S", s.User, s.Database, "none", state, host, port, localHost, localPort,
		when(s.Connected), when(s.Requested), 0, 0, number(s.CloseNeeded),
		objectName(s.ID), objectName(s.ClientID), int64(s.PID), s.TLS, s.Application, s.Statements, s.ID,
	}
}
