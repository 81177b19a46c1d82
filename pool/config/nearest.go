package config

import "github.com/xrash/smetrics"

// didYouMean gives the way out of an unknown name: the nearest of those that are known, when one is near.
func didYouMean(name string, known []string) string {
	best, distance := "", len(name)/3+1
	if len(name) > 64 {
		return "" // no name is near, and the search takes length times length
	}
	for _, k := range known {
		if d := smetrics.WagnerFischer(name, k, 1, 1, 1); d < distance || d == distance && best == "" {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "did you mean " + best + "?"
}
