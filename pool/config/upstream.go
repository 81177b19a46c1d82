package config

import (
	"cmp"
	"net/url"
	"strings"
)

// ApplyUpstream makes a connection URL, postgres://user:password@host:port/database?name=value, the fallback database "*": clients name their own database, and the one
// in the URL is kept for messages only. Its user and password become a known user, for client logins and for that user's server connections; no other client is forced to
// use them. Several hosts have commas between them, and the first that answers is taken, as in libpq. host and port as parameters win over those in front, as in libpq:
// host=/run/postgresql names a Unix socket's directory. The error never shows the URL, which may hold a password.
func ApplyUpstream(c *Config, text string, from Origin) error {
	fail := func(value, reason, hint string) error {
		return &Error{Origin: from, Key: "upstream", Value: value, Reason: reason, Hint: hint}
	}
	const form = "write postgres://user:password@host:port/database"
	scheme, rest, _ := strings.Cut(text, "://")
	if scheme != "postgres" && scheme != "postgresql" || rest == "" {
		return fail(hideCredentials(text), "is not a PostgreSQL URL", form)
	}
	if host, _, _ := strings.Cut(rest[strings.LastIndex(rest, "@")+1:], "/"); strings.Contains(host, ",") && strings.Contains(host[:strings.LastIndexByte(host, ',')], ":") {
		return fail(hideCredentials(text), "several hosts have one port", "write host,host:port")
	}
	u, err := url.Parse(text)
	if err != nil || u.Fragment != "" || strings.Contains(u.RawQuery, "@") { // the latter two cut a password into parts of the URL that messages show
		return fail(hideCredentials(text), "is not a URL that can be read", form+", with %40 for an @ in a password, %23 for a #, %2F for a /, %3F for a ?")
	}
	up := upstreamURL{db: Database{Name: "*", Host: u.Hostname(), Port: 5432, Origin: from}}
	up.about.Database = strings.TrimPrefix(u.Path, "/")
	if u.User != nil {
		up.about.User = u.User.Username()
		password, _ := u.User.Password()
		up.about.Password = NewSecret(password)
	}
	if port := u.Port(); port != "" {
		if err := store(&up.db.Port, port, parsePort); err != nil {
			return fail(hideCredentials(text), "the port is "+err.Reason, err.Hint)
		}
	}
	params, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return fail(hideCredentials(text), "its parameters cannot be read", "write name=value pairs with & between them")
	}
	for name, values := range params {
		if err := up.param(name, values[len(values)-1]); err != nil {
			err.Origin, err.Key, err.Value = from, "upstream", hideCredentials(text)
			return err
		}
	}
	return up.apply(c, from)
}

// upstreamURL is what is known of a connection URL so far.
type upstreamURL struct {
	db    Database
	about Upstream
	keys  [][2]string // keys of [pgbouncer] with their values
}

// upstreamKeys are the parameters that set a key of [pgbouncer].
var upstreamKeys = [...][2]string{
	{"connect_timeout", "server_connect_timeout"},
	{"sslmode", "server_tls_sslmode"},
	{"sslrootcert", "server_tls_ca_file"},
	{"sslcert", "server_tls_cert_file"},
	{"sslkey", "server_tls_key_file"},
}

func (up *upstreamURL) param(name, value string) *Error {
	switch name {
	case "host":
		up.db.Host = value
	case "port":
		if err := store(&up.db.Port, value, parsePort); err != nil {
			return &Error{Reason: "port=" + value + " is " + err.Reason, Hint: err.Hint}
		}
	case "user":
		up.about.User = value
	case "password":
		up.about.Password = NewSecret(value)
	case "dbname":
		up.about.Database = value
	case "client_encoding", "datestyle", "timezone", "application_name":
		if up.db.Params == nil {
			up.db.Params = map[string]string{}
		}
		up.db.Params[name] = value
	default:
		for _, k := range upstreamKeys {
			if k[0] == name {
				up.keys = append(up.keys, [2]string{k[1], value})
				return nil
			}
		}
		return &Error{Reason: "its parameter " + name + " is not supported", Hint: "leave it out"}
	}
	return nil
}

func (up *upstreamURL) apply(c *Config, from Origin) error {
	if err := checkHost(up.db.Host); up.db.Host != "" && err != nil {
		err.Origin, err.Key, err.Value = from, "upstream: host", up.db.Host
		return err
	}
	for _, k := range up.keys {
		if err := c.Set(k[0], k[1], from); err != nil {
			return err
		}
	}
	up.db.Host = cmp.Or(up.db.Host, "localhost")
	c.Databases["*"] = up.db
	c.Upstream = up.about
	return nil
}

// ApplyEnvironment does as ApplyUpstream with DATABASE_URL, else with PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE, PGSSLMODE and their like when PGHOST is set. found is false
// when neither is, and nothing is changed. getenv is os.Getenv.
func ApplyEnvironment(c *Config, getenv func(string) string) (found bool, _ error) {
	if u := getenv("DATABASE_URL"); u != "" {
		return true, ApplyUpstream(c, u, Origin{Flag: "DATABASE_URL"})
	}
	host := getenv("PGHOST")
	if host == "" {
		return false, nil
	}
	up := upstreamURL{db: Database{Name: "*", Host: host, Port: 5432, Origin: Origin{Flag: "PGHOST"}}}
	up.about = Upstream{User: getenv("PGUSER"), Password: NewSecret(getenv("PGPASSWORD")), Database: getenv("PGDATABASE")}
	if port := getenv("PGPORT"); port != "" {
		if err := store(&up.db.Port, port, parsePort); err != nil {
			err.Origin, err.Key, err.Value = Origin{Flag: "PGPORT"}, "upstream", port
			return true, err
		}
	}
	for _, k := range upstreamKeys {
		name := "PG" + strings.ToUpper(k[0])
		value := getenv(name)
		if value == "" {
			continue
		}
		if err := c.Set(k[1], value, Origin{Flag: name}); err != nil {
			return true, err
		}
	}
	return true, up.apply(c, Origin{Flag: "PGHOST"})
}

// hideCredentials gives a URL with what stands before its last @ masked, and its parameters cut off: one may be a password. What is not surely free of one is
// hidden whole.
func hideCredentials(text string) string {
	body, query, cut := strings.Cut(text, "?")
	scheme, rest, isURL := strings.Cut(body, "://")
	if strings.Contains(query, "@") || !isURL && strings.ContainsAny(text, "=@") {
		return "(hidden)"
	}
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		body = scheme + "://(hidden)" + rest[i:]
	}
	if cut {
		body += "?..."
	}
	return body
}
