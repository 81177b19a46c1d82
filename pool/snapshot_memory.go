package pool

import (
	"runtime/metrics"
	"unsafe"

	"poolerd/pool/stmt"
)

// MemoryInfo is one kind of thing that takes memory: how large one is, how many are in use, and how many are kept for later use.
type MemoryInfo struct {
	Name string
	Size uint64 // bytes of one
	Used uint64
	Free uint64
}

// Memory tells what takes memory. Go frees what is not used by itself, so that only the runtime's own figures, in bytes, have anything free.
func (p *Pooler) Memory() []MemoryInfo {
	servers, pools := 0, p.allPools()
	for _, pool := range pools {
		pool.mu.Lock()
		servers += len(pool.servers)
		pool.mu.Unlock()
	}
	all := []MemoryInfo{
		{"pool_cache", uint64(unsafe.Sizeof(Pool{})), uint64(len(pools)), 0},
		{"server_cache", uint64(unsafe.Sizeof(Server{})), uint64(servers), 0},
		{"client_cache", uint64(unsafe.Sizeof(Client{})), uint64(len(p.allClients())), 0},
		{"prepared_statement_cache", uint64(unsafe.Sizeof(stmt.Statement{})), uint64(p.statements.Len()), 0},
	}
	return append(append(all, p.authCache.memory()), runtimeMemory()...)
}

// runtimeMemory reads what Go's runtime counts, which stops nobody.
func runtimeMemory() []MemoryInfo {
	const (
		objects = "/memory/classes/heap/objects:bytes"
		unused  = "/memory/classes/heap/unused:bytes"
		free    = "/memory/classes/heap/free:bytes"
		stacks  = "/memory/classes/heap/stacks:bytes"
		total   = "/memory/classes/total:bytes"
		given   = "/memory/classes/heap/released:bytes"
	)
	read := map[string]uint64{}
	samples := []metrics.Sample{{Name: objects}, {Name: unused}, {Name: free}, {Name: stacks}, {Name: total}, {Name: given}}
	metrics.Read(samples)
	for _, s := range samples {
		if s.Value.Kind() == metrics.KindUint64 {
			read[s.Name] = s.Value.Uint64()
		}
	}
	rest := read[total] - read[given] - read[objects] - read[unused] - read[free] - read[stacks]
	return []MemoryInfo{
		{"go_heap", 1, read[objects], read[unused] + read[free]},
		{"go_stacks", 1, read[stacks], 0},
		{"go_runtime", 1, rest, 0},
	}
}
