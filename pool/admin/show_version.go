package admin

import "poolerd/wire"

func versionColumns() []column { return columnsOf(text, "version") }

func (c *Console) showVersion() (result, *wire.Error) { return rows([][]any{{c.describe()}}) }
