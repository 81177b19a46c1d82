package admin

import "poolerd/wire"

func stateColumns() []column { return columnsOf(text, "key", "value") }

func (c *Console) showState() (result, *wire.Error) {
	paused, suspended := c.pooler.HoldState()
	word := func(on bool) string {
		if on {
			return "yes"
		}
		return "no"
	}
	return rows([][]any{{"active", word(!paused && !suspended)}, {"paused", word(paused)}, {"suspended", word(suspended)}})
}
