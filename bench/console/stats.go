package console

import (
	"context"
	"time"
)

// Totals are sums since the pooler's start over all its databases, the console's own left out.
type Totals struct {
	Transactions    int64
	Queries         int64
	Received, Sent  int64         // bytes, from the clients' view: received from them, sent to them
	TransactionTime time.Duration // that transactions took on a server
	QueryTime       time.Duration // of it, that queries ran
	Wait            time.Duration // that clients waited for a server
}

// Waits asks for the totals (SHOW STATS). A wait counts once it has ended.
func (c *Console) Waits(ctx context.Context) (Totals, error) {
	t, err := c.show(ctx, "STATS")
	if err != nil {
		return Totals{}, err
	}
	return totals(t)
}

func totals(t *table) (Totals, error) {
	var sum Totals
	if _, err := t.column("total_xact_count"); err != nil {
		return sum, err
	}
	for i := range t.rows {
		name, err := t.text(i, "database")
		if err != nil {
			return sum, err
		}
		if name == database {
			continue
		}
		var transaction, query, wait int64
		var one Totals
		if err := t.numbers(i, map[string]*int64{
			"total_xact_count": &one.Transactions, "total_query_count": &one.Queries, "total_received": &one.Received, "total_sent": &one.Sent,
			"total_xact_time": &transaction, "total_query_time": &query, "total_wait_time": &wait,
		}); err != nil {
			return sum, err
		}
		sum.Transactions += one.Transactions
		sum.Queries += one.Queries
		sum.Received += one.Received
		sum.Sent += one.Sent
		sum.TransactionTime += time.Duration(transaction) * time.Microsecond
		sum.QueryTime += time.Duration(query) * time.Microsecond
		sum.Wait += time.Duration(wait) * time.Microsecond
	}
	return sum, nil
}

// Since is how long a transaction waited for a server on the average, after earlier; 0 also where that cannot be told: see MeanWait.
func (t Totals) Since(earlier Totals) time.Duration {
	wait, _ := t.Minus(earlier).MeanWait()
	return wait
}

// Minus is what has come to the totals after earlier.
func (t Totals) Minus(earlier Totals) Totals {
	return Totals{
		Transactions:    t.Transactions - earlier.Transactions,
		Queries:         t.Queries - earlier.Queries,
		Received:        t.Received - earlier.Received,
		Sent:            t.Sent - earlier.Sent,
		TransactionTime: t.TransactionTime - earlier.TransactionTime,
		QueryTime:       t.QueryTime - earlier.QueryTime,
		Wait:            t.Wait - earlier.Wait,
	}
}

// MeanWait is how long a transaction waited for a server on the average. False means that it cannot be told: there was no transaction, or the
// pooler was started anew between the two ends of the difference.
func (t Totals) MeanWait() (time.Duration, bool) {
	if t.Transactions <= 0 || t.Wait < 0 {
		return 0, false
	}
	return t.Wait / time.Duration(t.Transactions), true
}
