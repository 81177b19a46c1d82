package pool

import (
	"os"
	"path/filepath"
	"strconv"

	"github.com/jackc/pgpassfile"

	"poolerd/pool/config"
)

// credentials gives what a login to a server of conf at e may use. The first that is there counts: the password in the database's settings; what is known of the user, from auth_file,
// auth_query or the client's own login; the password file of the pooler's account.
func (p *Pool) credentials(conf config.Pool, e endpoint) Credentials {
	if conf.Database.Password.Kind() != config.NoSecret {
		return Credentials{Secret: conf.Database.Password}
	}
	known := p.known()
	if known.Secret.Kind() != config.NoSecret || known.Keys != nil {
		return known
	}
	return Credentials{Secret: passfileSecret(conf, e)}
}

// passfileSecret finds the password in ~/.pgpass, or in the file that PGPASSFILE names (PostgreSQL's documentation, "The Password File"). As libpq does, it ignores a file that others may read. It is
// read at each use: changes count at once, and the passwords of others do not stay in memory.
func passfileSecret(conf config.Pool, e endpoint) config.Secret {
	path := os.Getenv("PGPASSFILE")
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return config.Secret{}
		}
		path = filepath.Join(home, ".pgpass")
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o077 != 0 {
		return config.Secret{}
	}
	file, err := pgpassfile.ReadPassfile(path)
	if err != nil {
		return config.Secret{}
	}
	hosts := []string{e.host}
	if e.network == "unix" {
		hosts = append(hosts, "localhost") // which stands for the default socket
	}
	for _, host := range hosts {
		if password := file.FindPassword(host, strconv.Itoa(conf.Database.Port), conf.Database.DBName, conf.User); password != "" {
			return config.NewSecret(password)
		}
	}
	return config.Secret{}
}
