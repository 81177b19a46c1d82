package pool

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"poolerd/pool/config"
	"poolerd/pool/listen"
	"poolerd/pool/stmt"
	"poolerd/wire/auth"
)

// Pooler is the whole: it accepts clients, keeps the pools, and tends them by the clock.
type Pooler struct {
	log         zerolog.Logger
	auth        *auth.Authenticator
	statements  *stmt.Table
	keys        keys
	peers       peers
	shares      shares
	seats       seats
	resolver    resolver
	ids         atomic.Uint64
	began       time.Time
	console     Console
	consoles    consoles
	stats       period
	authQueries authQueries
	authCache   authCache
	slowdown    *slowdown
	lobby       lobby
	effort      effort        // of logins
	recorder    *recorder     // nil when nothing is recorded
	released    func(*Server) // sees every server that is about to be free; nil but in tests

	settings atomic.Pointer[config.Config]
	access   atomic.Pointer[access]

	stage      atomic.Int32 // of the end
	stageBegan atomic.Int64 // nanoseconds since 1970
	changed    bell         // rung when servers and clients have gone, and by the clock

	life      context.Context // ends when everything must
	kill      context.CancelFunc
	logins    context.Context // ends when no login is waited for any more
	endLogins context.CancelFunc
	tasks     sync.WaitGroup // goroutines that serve no connection
	accepted  sync.WaitGroup // goroutines that serve one
	reloading sync.Mutex
	ending    sync.Mutex // held while something is ended from outside; guards over
	over      bool       // Serve waits for the tasks: none may start from outside any more

	mu        sync.Mutex
	gates     gates
	pools     map[Key]*Pool
	watches   map[string]*watched    // by database
	hubs      map[hubKey]*listen.Hub // by database
	clients   map[*Client]struct{}
	conns     map[net.Conn]struct{} // logins and consoles
	listeners []net.Listener
}

// New makes a Pooler from a checked configuration. It serves when it is given listeners.
func New(conf *config.Config, log zerolog.Logger) (*Pooler, error) {
	access, err := newAccess(conf, nil)
	if err != nil {
		return nil, err
	}
	life, kill := context.WithCancel(context.Background())
	p := &Pooler{
		log: log, auth: auth.New(), statements: stmt.NewTable(), shares: newShares(), seats: newSeats(), gates: newGates(), began: time.Now(),
		slowdown: newSlowdown(), effort: newEffort(runtime.GOMAXPROCS(0)),
		life: life, kill: kill,
		pools: map[Key]*Pool{}, hubs: map[hubKey]*listen.Hub{}, watches: map[string]*watched{}, clients: map[*Client]struct{}{}, conns: map[net.Conn]struct{}{},
	}
	p.logins, p.endLogins = context.WithCancel(life)
	p.settings.Store(conf)
	p.access.Store(access)
	p.stats.start(p.began)
	p.resolver.moved = p.hostMoved
	if conf.Record != "" {
		if p.recorder, err = newRecorder(conf.Record, conf.RecordParameters, log); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// SetConsole gives the sessions on the console's database to c. Call it before Serve.
func (p *Pooler) SetConsole(c Console) { p.console = c }

func (p *Pooler) config() *config.Config    { return p.settings.Load() }
func (p *Pooler) secrets() *config.Userlist { return p.access.Load().users }

// Serve accepts clients from the listeners until Close, or one of the drains, and returns when all that it started has ended. It closes the listeners.
func (p *Pooler) Serve(listeners ...net.Listener) error {
	p.mu.Lock()
	p.listeners = append(p.listeners, listeners...)
	p.mu.Unlock()
	switch p.stage.Load() { // the end may have come before the beginning
	case stageServing:
	case stageClosing:
		for _, l := range listeners {
			_ = l.Close()
		}
	default:
		p.stopListening()
	}
	p.tasks.Go(p.tendAll)
	p.tasks.Go(func() { p.access.Load().prepare(p.auth) })
	if p.recorder != nil {
		go p.recorder.run() // until stop, which waits for it
	}
	errs := make(chan error, len(listeners))
	for _, l := range listeners {
		p.accepted.Go(func() { errs <- p.listen(l) })
	}
	var failed error
	for range listeners {
		if err := <-errs; err != nil {
			failed = errors.Join(failed, err)
			p.Close()
		}
	}
	p.accepted.Wait()
	p.Close()
	p.ending.Lock()
	p.over = true
	p.ending.Unlock()
	for _, pool := range p.allPools() {
		pool.closeAll(errShutdown())
	}
	p.closeHubs("") // nobody makes one any more
	p.kill()        // connections that are being opened end too
	for _, pool := range p.allPools() {
		pool.pg.Close()
	}
	p.tasks.Wait()
	p.recorder.stop()
	return failed
}

// listen accepts from one listener, as fast as those who have not logged in yet leave room. Running out of descriptors is no reason to stop.
func (p *Pooler) listen(l net.Listener) error {
	pause := time.Duration(0)
	for {
		nc, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			if pause = min(max(2*pause, 5*time.Millisecond), time.Second); p.life.Err() == nil {
				p.log.Error().Err(err).Dur("pause", pause).Msg("accept failed")
				time.Sleep(pause)
				continue
			}
			return fmt.Errorf("accept on %v: %w", l.Addr(), err)
		}
		pause = 0
		p.prepare(nc)
		depart := p.lobby.await(nc, p.config().MaxClientConn)
		p.accepted.Go(func() {
			defer depart()
			stop := p.track(nc)
			defer stop()
			defer p.survive(nc)
			p.accept(nc, depart)
		})
	}
}

// prepare gives a client's socket the settings of the moment.
func (p *Pooler) prepare(nc net.Conn) {
	t, ok := nc.(*net.TCPConn)
	if !ok {
		return
	}
	conf := p.config()
	_ = t.SetKeepAliveConfig(keepAlive(conf))
	if conf.TCPUserTimeout > 0 || conf.TCPSocketBuffer > 0 {
		if raw, err := t.SyscallConn(); err == nil {
			_ = tune(raw, conf)
		}
	}
}

// survive keeps one client's broken invariant from taking everyone down.
func (p *Pooler) survive(nc net.Conn) {
	if r := recover(); r != nil {
		p.log.Error().Str("client_addr", nc.RemoteAddr().String()).Str("panic", fmt.Sprint(r)).Bytes("stack", debug.Stack()).Msg(reasonPanic)
		_ = nc.Close()
	}
}

// track notes a connection, so that Close can end it; stop forgets it.
func (p *Pooler) track(nc net.Conn) (stop func()) {
	p.mu.Lock()
	p.conns[nc] = struct{}{}
	p.mu.Unlock()
	return func() {
		p.mu.Lock()
		delete(p.conns, nc)
		p.mu.Unlock()
	}
}

// password is what server connections log in with: the database's own, else the user's.
func (p *Pooler) password(conf config.Pool) config.Secret {
	if conf.Database.Password.Kind() != config.NoSecret {
		return conf.Database.Password
	}
	s, _ := p.secrets().Secret(conf.User)
	return s
}

const (
	// tick is how often limits are looked at: the coarseness of every timeout.
	tick = 200 * time.Millisecond
	// askServers is how many ticks pass until free servers are asked again whether they live.
	askServers = 5
)

// tendAll looks after everything by the clock until the end. No limit costs the data path a timer.
func (p *Pooler) tendAll() {
	t := time.NewTicker(tick)
	defer t.Stop()
	var (
		limits  limits
		clients []*Client
	)
	for n := 0; ; n++ {
		select {
		case <-p.life.Done():
			return
		case now := <-t.C:
			conf := p.config()
			for _, pool := range p.allPools() {
				pool.tend(now, n%askServers == 0)
				pool.tendWatched(now)
			}
			p.authCache.expire(now.Add(-conf.AuthQueryCache))
			p.roll(now, conf)
			p.tendPools(now, conf)
			p.tendStage(now)
			p.changed.ring()
			limits.follow(conf)
			clients = p.appendClients(clients[:0])
			for _, c := range clients {
				c.tend(now, &limits, n%16 == int(c.id%16))
			}
			clear(clients) // those who have gone are not kept
		}
	}
}

func (p *Pooler) allPools() []*Pool {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]*Pool, 0, len(p.pools))
	for _, pool := range p.pools {
		all = append(all, pool)
	}
	return all
}

func (p *Pooler) allClients() []*Client { return p.appendClients(nil) }

func (p *Pooler) appendClients(all []*Client) []*Client {
	p.mu.Lock()
	defer p.mu.Unlock()
	all = slices.Grow(all, len(p.clients))
	for c := range p.clients {
		all = append(all, c)
	}
	return all
}

// after calls f later, unless everything ends before.
func (p *Pooler) after(d time.Duration, f func()) {
	p.tasks.Go(func() {
		t := time.NewTimer(d)
		defer t.Stop()
		select {
		case <-t.C:
			f()
		case <-p.life.Done():
		}
	})
}
