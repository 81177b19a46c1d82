package config

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Reserved tells whether a database name is the console's.
func Reserved(name string) bool { return name == "pgbouncer" || name == "poolerd" }

// Parameters of a line of [databases] and of [users], for "did you mean".
const (
	databaseParams = "dbname host port user password pool_size min_pool_size reserve_pool_size reserve_pool pool_mode pin_policy max_pinned_servers max_db_connections " +
		"max_db_client_connections server_lifetime load_balance_hosts auth_user auth_query auth_dbname connect_query client_encoding datestyle timezone application_name"
	userParams = "pool_size reserve_pool_size pool_mode pin_policy max_user_connections max_user_client_connections query_timeout idle_transaction_timeout transaction_timeout client_idle_timeout"
)

func (l *loader) database(it item) {
	if Reserved(it.key) {
		l.fail(it.Origin, it.key, "", &Error{Reason: "this database name is the console's", Hint: "choose another name, with dbname=" + it.key + " if the server's is so called"})
		return
	}
	pairs, err := connString(it.value)
	if err != nil {
		l.fail(it.Origin, it.key, "", err)
		return
	}
	db := Database{Name: it.key, Port: 5432, DBName: it.key, LoadBalance: true, Origin: it.Origin}
	if it.key == "*" {
		db.DBName = ""
	}
	for _, p := range pairs {
		if err := databaseParam(&db, p); err != nil {
			if !slices.Contains(strings.Fields(databaseParams), p.key) {
				p.value = "" // the name may be a misspelt password
			}
			l.fail(it.Origin, it.key+": "+p.key, p.value, err)
		}
	}
	l.config.Databases[it.key] = db
}

func databaseParam(db *Database, p pair) *Error {
	switch p.key {
	case "dbname":
		db.DBName = p.value
	case "host":
		db.Host = p.value
		return checkHost(p.value)
	case "port":
		return store(&db.Port, p.value, parsePort)
	case "user":
		db.User = p.value
	case "password":
		db.Password = NewSecret(p.value)
	case "pool_size":
		return storePoolSize(&db.PoolSize, p.value)
	case "min_pool_size":
		return storeAbove(&db.MinPoolSize, p.value, -1)
	case "reserve_pool_size", "reserve_pool":
		return storeAbove(&db.ReservePoolSize, p.value, -1)
	case "max_db_connections":
		return storeAbove(&db.MaxDBConnections, p.value, 0)
	case "pool_mode":
		return storeSet(&db.PoolMode, p.value, parseMode)
	case "pin_policy":
		return storeSet(&db.PinPolicy, p.value, parsePinPolicy)
	case "max_pinned_servers":
		return storeSet(&db.MaxPinnedServers, p.value, parseSize(0))
	case "server_lifetime":
		return storeTimeout(&db.ServerLifetime, p.value)
	case "connect_query":
		db.ConnectQuery = p.value
	case "client_encoding", "datestyle", "timezone", "application_name":
		if db.Params == nil {
			db.Params = map[string]string{}
		}
		db.Params[p.key] = p.value
	case "load_balance_hosts":
		return store(&db.LoadBalance, p.value, parseLoadBalance)
	case "auth_user":
		db.AuthUser = &p.value
	case "auth_query":
		db.AuthQuery = &p.value
	case "auth_dbname":
		db.AuthDBName = &p.value // the console's name is told when somebody logs in, as in PgBouncer
	case "max_db_client_connections":
		return storeAbove(&db.MaxDBClientConnections, p.value, 0)
	default:
		return &Error{Reason: "unknown connection parameter", Hint: didYouMean(p.key, strings.Fields(databaseParams))}
	}
	return nil
}

func (l *loader) user(it item) {
	pairs, err := connString(it.value)
	if err != nil {
		l.fail(it.Origin, it.key, "", err)
		return
	}
	u := UserSettings{Name: it.key, Origin: it.Origin}
	for _, p := range pairs {
		if err := userParam(&u, p); err != nil {
			if !slices.Contains(strings.Fields(userParams), p.key) {
				p.value = ""
			}
			l.fail(it.Origin, it.key+": "+p.key, p.value, err)
		}
	}
	l.config.Users[it.key] = u
}

func userParam(u *UserSettings, p pair) *Error {
	switch p.key {
	case "pool_size":
		return storePoolSize(&u.PoolSize, p.value)
	case "reserve_pool_size":
		return storeAbove(&u.ReservePoolSize, p.value, -1)
	case "pool_mode":
		return storeSet(&u.PoolMode, p.value, parseMode)
	case "pin_policy":
		return storeSet(&u.PinPolicy, p.value, parsePinPolicy)
	case "max_user_connections":
		return storeAbove(&u.MaxUserConnections, p.value, 0)
	case "query_timeout":
		return storeTimeout(&u.QueryTimeout, p.value)
	case "idle_transaction_timeout":
		return storeTimeout(&u.IdleTransactionTimeout, p.value)
	case "transaction_timeout":
		return storeTimeout(&u.TransactionTimeout, p.value)
	case "client_idle_timeout":
		return storeTimeout(&u.ClientIdleTimeout, p.value)
	case "max_user_client_connections":
		return storeAbove(&u.MaxUserClientConnections, p.value, 0)
	case "password":
		return &Error{Reason: "no password can be set here", Hint: "put it in auth_file"}
	}
	return &Error{Reason: "unknown user parameter", Hint: didYouMean(p.key, strings.Fields(userParams))}
}

// storeSet is store for a setting that may be unset.
func storeSet[T any](field **T, s string, parse func(string) (T, *Error)) *Error {
	v, err := parse(s)
	if err != nil {
		return err
	}
	*field = &v
	return nil
}

// storeAbove sets a size or limit. Up to none it counts as not set, as in PgBouncer: the other settings decide.
func storeAbove(field **int, s string, none int) *Error {
	n, err := strconv.Atoi(s)
	if err != nil || n > math.MaxInt32 {
		return badInt(0, math.MaxInt32)
	}
	if *field = &n; n <= none {
		*field = nil
	}
	return nil
}

// storePoolSize is storeAbove for a size with which a pool without servers would be asked for.
func storePoolSize(field **int, s string) *Error {
	if s == "0" {
		return badInt(1, math.MaxInt32)
	}
	return storeAbove(field, s, -1)
}

// storeTimeout sets a time. 0 counts as not set, as in PgBouncer: the global setting decides.
func storeTimeout(field **time.Duration, s string) *Error {
	d, err := parseDuration(s)
	if err != nil {
		return err
	}
	if *field = &d; d == 0 {
		*field = nil
	}
	return nil
}

func parseSize(low int) func(string) (int, *Error) {
	return func(s string) (int, *Error) { return parseInt(s, low, math.MaxInt32) }
}

func parsePort(s string) (int, *Error) { return parseInt(s, 1, 65535) }

func parseLoadBalance(s string) (bool, *Error) {
	switch strings.ToLower(s) {
	case "round-robin":
		return true, nil
	case "disable":
		return false, nil
	}
	return false, &Error{Reason: "unknown way to share load", Hint: "give round-robin, or disable to take the first host that answers"}
}

// checkHost refuses what no TCP address, Unix socket directory or list of them is.
func checkHost(host string) *Error {
	for _, h := range strings.Split(host, ",") {
		if strings.TrimSpace(h) == "" {
			return &Error{Reason: "one of the hosts is empty", Hint: "write hosts with one comma between them"}
		}
	}
	return nil
}
