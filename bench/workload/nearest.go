package workload

import "github.com/xrash/smetrics"

// nearest is what an error about an unknown name adds: the known name that is most like it, when one is like it.
func nearest(name string, known []string) string {
	best, distance := "", len(name)/3+2
	for _, k := range known {
		if d := smetrics.WagnerFischer(name, k, 1, 1, 1); d < distance {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return `: did you mean "` + best + `"?`
}
