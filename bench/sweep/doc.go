// Package sweep runs a bench: it brings up what is measured, puts the loads on it in turn, reads the meters, and asks the model what follows. Everything it
// learns is a record of package report.
//
// What is measured are subjects: `poolerd serve` children at each pool size before a private PostgreSQL (or one that the user names), the targets of the user's
// own, or an HTTP server. What is done to them are cells: a subject under a load. All cells of a round are run in shuffled order before the next round begins,
// so that a machine that gets slower meanwhile hurts all alike.
//
//	options   what was asked for, and whether it can be
//	stage     subjects: bringing up, and taking down
//	child     a poolerd of our own           target   a subject of the user's own
//	cells     which loads on which subjects, in which order
//	measure   one cell, once                 meter    processor time, memory, queue wait over the window
//	search    the largest rate that keeps the SLO
//	judge     from the runs to the model and the recommendation
//	run       the order of all that
//
// It refuses to know how poolerd works: it starts a program and speaks to it over the wire, so that whatever it says of poolerd it can say of any other pooler.
// A cell that cannot be measured is a run with its error in it; an interrupted bench keeps the runs that it has.
package sweep
