package advice

import (
	"fmt"
	"strconv"
)

// unseenSpill is the part of a statement's time that its spilling is taken for where it spilled in the run but not for its plan: a guess.
const unseenSpill = 0.2

// spills finds sorts and hashes that did not fit into work_mem.
func spills(c *run) []*finding {
	f := &finding{title: "sorts and hashes spill to disk"}
	var largest float64 // kB
	for _, w := range c.works {
		pages := 0.0
		if w.statement != nil && w.statement.Calls > 0 {
			pages = float64(w.statement.TempWritten) / float64(w.statement.Calls)
		}
		part, where, need := 0.0, "", 0.0
		for _, p := range w.plans {
			if !p.ran {
				continue
			}
			p.Root.walk(func(n *node, _ []*node) {
				if kb := n.spilled(); kb > 0 {
					part += n.self() / max(p.Execution, 1e-9) / float64(len(w.plans))
					need = max(need, kb)
					where = n.Type
				}
			})
		}
		if where == "" && pages == 0 {
			continue
		}
		if where == "" {
			part = unseenSpill
		}
		f.cost += w.share * min(1, part)
		largest = max(largest, need, pages*8)
		if len(f.evidence) < 3 {
			line := fmt.Sprintf("%s (%s of the time%s)", w.name, percent(w.share), w.calling())
			if where != "" {
				line += fmt.Sprintf(": its %s wrote %s to disk", where, bytes(need*1024))
			} else {
				line += fmt.Sprintf(": %s of temporary files a call", bytes(pages*8192))
			}
			f.evidence = append(f.evidence, line)
		}
	}
	if f.severity = severe(f.cost); f.severity == nothing {
		return nil
	}
	if kb, err := strconv.ParseFloat(c.server.settings["work_mem"], 64); err == nil {
		f.prove("work_mem is %s", bytes(kb*1024))
	}
	// What lies on disk takes two to three times as much in memory.
	f.remedy = fmt.Sprintf("-- for the role that runs them, not for all\nALTER ROLE ... SET work_mem = '%dMB';", int(largest*3/1024)+1)
	f.pool = "each server may take work_mem several times over: the smaller the pool, the more each may have. The pool's size times work_mem must fit into memory beside shared_buffers."
	return []*finding{f}
}

// spilled is how many kB a node wrote to disk because they did not fit; 0 where they did.
func (n *node) spilled() float64 {
	switch {
	case n.SortType == "Disk":
		return n.SortSpace
	case n.HashBatches > 1:
		return n.PeakMemory * float64(n.HashBatches-1)
	case n.AggBatches > 1:
		return n.DiskUsage
	}
	return 0
}
