package admin

import (
	"poolerd/pool"
	"poolerd/wire"
)

func memColumns() []column {
	return append(columnsOf(text, "name"), columnsOf(int4, "size", "used", "free", "memtotal")...)
}

// showMem gives the larger kinds of things by PgBouncer's names, and the memory of Go's runtime in bytes.
func (c *Console) showMem() (result, *wire.Error) { return rows(memRows(c.pooler.Memory())) }

func memRows(kinds []pool.MemoryInfo) [][]any {
	var all [][]any
	for _, k := range kinds {
		all = append(all, []any{k.Name, k.Size, k.Used, k.Free, k.Size * (k.Used + k.Free)})
	}
	return all
}
