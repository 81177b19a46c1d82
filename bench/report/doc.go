// Package report holds what `poolerd bench` found and says it: results in, files and words out. NewWriter and Read are results.jsonl, Table is the
// terminal, CSV a spreadsheet, HTML one page that opens offline, Compare two benches side by side.
//
// It measures nothing, recommends nothing and fits nothing: every number in a report comes from Results or is a median, a ratio or an interval of numbers
// that stand there. A figure that was not measured is a dash, never a zero.
//
// # Rounds, noise and differences
//
// A Cell is what each round measures once: a target under one load. Rounds are merged by their median. The noise shown beside a throughput (±) is half the
// distance between its lowest and highest round, or, with one round, twice the standard error of the run's intervals. Runs that ended early (Cut) count
// only where a cell has no other.
//
// Two sides differ when the interval of their ratio leaves 1 out. Ratios are taken as logarithms, so that twice and half are equally far from 1. How much a
// figure varies between rounds is estimated in each cell and drawn towards what all cells together show, as far as they agree ("moderated t", Smyth 2004:
// two or three rounds a cell say little about its noise, twenty such cells say much). Intervals are simultaneous (Bonferroni): the chance that ANY of a
// comparison's intervals leaves 1 out although nothing has changed is about 1% when two benches are compared (TestFalseAlarms), and 5% a figure between two
// targets of one bench. With one round there is no noise between rounds to be seen, and a stated one is assumed. See the types Options and Ratio.
package report
