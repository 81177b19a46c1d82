// Package advice looks at a workload from the database's side: which missing index or unpruned partition costs most, what statements wait for, what the
// server's settings do to them; and beside each, what a pool can and cannot do about it.
//
//	w, err := advice.Begin(ctx, advice.Options{URL: url, Examples: examples})
//	... the run ...
//	findings, err := w.Finish(ctx)
//
// Begin notes where the server's counters stand and starts to look at pg_stat_activity about ten times a second. Finish takes the differences, has the slowest
// statements explained, and judges. Costs are shares of the time that statements ran in the database, or of the time that sessions were in transactions.
//
//	watcher     Begin and Finish                     server      what the server is, and what may be read of it
//	statements  pg_stat_statements                   counters    pg_stat_user_tables, _indexes, _database, the checkpointer
//	activity    pg_stat_activity                     schema      tables, columns, indexes, partitions, foreign keys
//	explain     EXPLAIN of examples                  fill        parameters for statements without an example
//	plan        the plan's tree                      condition   which columns a condition asks for
//	work        statements with their share of the time and their plans
//	index, partition, keys, lookup                   findings in plans and in the schema; trial measures their remedies
//	waits, tables, settings, spill                   findings in waits and counters
//	finding     cost, order, words                   mask        statements without what they hold
//
// # What it refuses to do
//
// It leaves nothing changed: plans of real statements are taken in transactions that are rolled back, read only unless the server is Private, with a time
// limit. It resets no counter and installs no extension, except pg_stat_statements on a Private server. auto_explain is not used.
//
// No literal of a statement or a plan is shown (see Mask): other sessions' texts may hold secrets. It knows nothing of the pooler, and reads of the server
// what any PostgreSQL from 12 on tells.
package advice
