package postgres

import (
	"context"
	"fmt"
	"strconv"
)

// maxScale keeps the sample's identifiers, and a mistyped scale, in bounds:
// at 10,000 there are 48 million lines of dialogue.
const maxScale = 10000

// loadSample makes the database and loads the Fountain Array into it, or what
// Options.Without leaves of it.
func (c *Cluster) loadSample(ctx context.Context) error {
	if _, err := c.Psql(ctx, superuser, "CREATE DATABASE "+sampleDatabase); err != nil {
		return fmt.Errorf("making the database %s: %w", sampleDatabase, err)
	}
	script, err := c.opts.sampleScript()
	if err != nil {
		return err
	}
	script = "SET fountain.scale = " + strconv.Itoa(c.opts.Scale) + ";\n" + script
	if _, err := c.Psql(ctx, sampleDatabase, script); err != nil {
		return fmt.Errorf("loading the Fountain Array sample: %w", err)
	}
	return c.leaveOut(ctx)
}
