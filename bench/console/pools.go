package console

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// Pool is one line of SHOW POOLS: how a database's connections of one user are used at this moment.
type Pool struct {
	Database, User string
	Active         int64         // clients with a server (cl_active; PgBouncer counts idle clients as well)
	Waiting        int64         // clients that wait for one
	ServersActive  int64         // servers that a client has
	ServersIdle    int64         // servers that are ready for one
	LongestWait    time.Duration // of the client that has waited longest
}

// Pools asks for the pools, the console's own left out.
func (c *Console) Pools(ctx context.Context) ([]Pool, error) {
	t, err := c.show(ctx, "POOLS")
	if err != nil {
		return nil, err
	}
	return pools(t)
}

func pools(t *table) ([]Pool, error) {
	var all []Pool
	for i := range t.rows {
		name, err := t.text(i, "database")
		if err != nil {
			return nil, err
		}
		if name == database {
			continue
		}
		p := Pool{Database: name}
		if p.User, err = t.text(i, "user"); err != nil {
			return nil, err
		}
		var seconds, micros int64
		columns := map[string]*int64{
			"cl_active": &p.Active, "cl_waiting": &p.Waiting, "sv_active": &p.ServersActive, "sv_idle": &p.ServersIdle, "maxwait": &seconds,
		}
		if t.has("maxwait_us") { // since PgBouncer 1.8: the part below a second
			columns["maxwait_us"] = &micros
		}
		if err := t.numbers(i, columns); err != nil {
			return nil, err
		}
		p.LongestWait = time.Duration(seconds)*time.Second + time.Duration(micros)*time.Microsecond
		all = append(all, p)
	}
	return all, nil
}

// PoolSize asks how many servers a pool of a database may have: SHOW DATABASES, else the setting default_pool_size. A size that is set for one user
// only is not seen.
func (c *Console) PoolSize(ctx context.Context, name string) (int, error) {
	t, err := c.show(ctx, "DATABASES")
	if err != nil {
		return 0, err
	}
	if n, err := poolSize(t, name); n > 0 || err != nil {
		return n, err
	}
	if t, err = c.show(ctx, "CONFIG"); err != nil {
		return 0, err
	}
	return defaultPoolSize(t)
}

// poolSize is 0 where the database is not listed.
func poolSize(t *table, name string) (int, error) {
	for i := range t.rows {
		listed, err := t.text(i, "name")
		if err != nil {
			return 0, err
		}
		if listed != name {
			continue
		}
		n, err := t.number(i, "pool_size")
		return int(n), err
	}
	return 0, nil
}

func defaultPoolSize(t *table) (int, error) {
	for i := range t.rows {
		key, err := t.text(i, "key")
		if err != nil {
			return 0, err
		}
		if key != "default_pool_size" {
			continue
		}
		value, err := t.text(i, "value")
		if err != nil {
			return 0, err
		}
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return 0, fmt.Errorf("%s: default_pool_size %q is not a pool's size", t.what, value)
		}
		return n, nil
	}
	return 0, fmt.Errorf("%s: there is no default_pool_size", t.what)
}
