package admin

import "poolerd/wire"

// runReload reads the settings again. Nothing has changed when it fails.
func (c *Console) runReload() (result, *wire.Error) {
	c.reloading.Lock()
	defer c.reloading.Unlock()
	if err := c.reload(); err != nil {
		refused := wire.Errorf(codeConfigFileError, "RELOAD failed: the settings stay as they were")
		refused.Detail = err.Error()
		return result{}, refused
	}
	return result{}, nil
}

// runShutdown lets transactions end and closes everyone else, this session too; the process ends with the last of them.
func (c *Console) runShutdown() (result, *wire.Error) {
	return result{ends: c.pooler.Drain}, nil
}
