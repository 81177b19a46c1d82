package admin

import (
	"strings"
	"time"

	"poolerd/pool"
	"poolerd/wire"
)

func dnsHostColumns() []column {
	return []column{{name: "hostname", kind: text}, {name: "ttl", kind: int8}, {name: "addrs", kind: text}}
}

func (c *Console) showDNSHosts() (result, *wire.Error) { return rows(nameRows(c.pooler.Names())) }

func nameRows(names []pool.NameInfo) [][]any {
	var all [][]any
	for _, n := range names {
		var addrs []string
		for _, a := range n.Addrs {
			addrs = append(addrs, a.String())
		}
		all = append(all, []any{n.Host, int64(n.TTL / time.Second), strings.Join(addrs, ",")})
	}
	return all
}

func dnsZoneColumns() []column {
	return []column{{name: "zonename", kind: text}, {name: "serial", kind: int8}, {name: "count", kind: int4}}
}

// showDNSZones: PgBouncer knows zones with c-ares only, and here are none.
func (c *Console) showDNSZones() (result, *wire.Error) { return rows(nil) }
