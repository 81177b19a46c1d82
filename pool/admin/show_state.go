package admin

import "poolerd/wire"

func stateColumns() []column { return columnsOf(text, "key", "value") }

// showState tells what is known of a session that can ask: the pooler serves. Nothing can pause or suspend it.
func (c *Console) showState() (result, *wire.Error) {
	return rows([][]any{{"active", "yes"}, {"paused", "no"}, {"suspended", "no"}})
}
