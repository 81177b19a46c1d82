package admin

import "poolerd/pool"

// dialect is the version of PgBouncer whose console this one is like. Drivers and psql see it as server_version: what they derive from that number is
// what the console can do, and it does not depend on how poolerd was built.
const dialect = "1.25.2"

// Console answers the commands of an operator. It is safe for concurrent use.
type Console struct {
	pooler  *pool.Pooler
	control control
	version string
	reload  func() error
	shows   map[string]command // by the word behind SHOW
	verbs   map[string]verb    // by their word
}

var _ pool.Console = (*Console)(nil)

// New makes the console of p. version is poolerd's own, for SHOW VERSION. reload reads the settings again, all or none; RELOAD calls it, one call at a
// time, and shows its error to the administrator that asked, so that it must hold no secret.
func New(p *pool.Pooler, version string, reload func() error) *Console {
	return newConsoleOf(p, p, version, reload)
}

func newConsoleOf(p *pool.Pooler, of control, version string, reload func() error) *Console {
	c := &Console{pooler: p, control: of, version: version, reload: reload, shows: shows(), verbs: map[string]verb{}}
	for _, v := range verbs() {
		c.verbs[v.word] = v
	}
	return c
}

// Serve runs the session of a user that has proved who it is, from AuthenticationOk on. The connection has no deadline; a read deadline that passes means that the
// pooler drains. It returns nil when the client left, when its connection broke or when the pooler drains, and a *wire.Error, not yet sent, when the
// client broke the protocol. It does not close the connection.
func (c *Console) Serve(of *pool.ConsoleSession) error {
	s := newSession(c, of)
	defer s.stop()
	if err := s.welcome(); err != nil {
		return ended(err)
	}
	return ended(s.serve())
}

// Version is the text of SHOW VERSION in the database pgbouncer, and the first line of "poolerd --version", which PgBouncer's scripts compare with it.
const Version = "PgBouncer " + dialect

// Describe makes the text of SHOW VERSION in the database poolerd. Tools take the first version that they find in it for PgBouncer's, and choose by it the columns and commands that they
// use: so the one whose console this is stands first.
func Describe(version string) string {
	return Version + " (poolerd " + version + ")"
}
