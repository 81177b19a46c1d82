package admin

import "poolerd/wire"

func configColumns() []column { return columnsOf(text, "key", "value", "default", "changeable") }

// showConfig gives every key that has an effect. None of them holds a secret: config.Config.Entries sees to it.
func (c *Console) showConfig() (result, *wire.Error) {
	var all [][]any
	for _, e := range c.pooler.Config().Entries() {
		changeable := "no"
		if e.Changeable {
			changeable = "yes"
		}
		all = append(all, []any{e.Key, e.Value, e.Default, changeable})
	}
	return rows(all)
}
