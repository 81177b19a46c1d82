package replay

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"poolerd/bench/load"
	"poolerd/bench/proc"
)

// Options say how a recording is played.
type Options struct {
	Recording *Recording // needed
	Target    string     // needed: a connection URL or string; its user and its database are used unless Users says otherwise

	// Speed is how many times as fast as recorded: 1 is the recorded timing, 10 ten times as fast, 0 without any pause.
	Speed float64
	// MaxClients bounds the sessions that are played at a time; 0 is as many as there were at a time when it was recorded. Those beyond wait for one to end, which counts as lag.
	MaxClients int
	// Users gives, by the recorded user's name, the user to log in as. The password is the Target's, or PGPASSWORD, or of the password file.
	Users map[string]string
	// Patience is how long one answer may take, and one login; 0 is a minute. Then the transaction has failed with the code "timeout".
	Patience time.Duration
	// Progress, where set, is called about ten times a second with the part of the transactions that is over, 0 to 1.
	Progress func(part float64)
}

const (
	defaultPatience = time.Minute
	progressEvery   = 100 * time.Millisecond
)

// Run plays a recording, and returns when its last transaction has ended, or soon after ctx has: then with what there was until then, Cut set in the Result. It refuses a target that cannot be reached before it plays anything.
func Run(ctx context.Context, o Options) (*load.Result, *Comparison, error) {
	config, err := o.check()
	if err != nil {
		return nil, nil, err
	}
	if err := reach(ctx, config, o.Patience); err != nil {
		return nil, nil, err
	}
	r := &run{Options: o, config: config, score: newScore(o)}
	r.play(ctx)
	result, comparison := r.score.sum(ctx.Err() != nil)
	return result, comparison, nil
}

// check completes the options.
func (o *Options) check() (*pgconn.Config, error) {
	if o.Recording == nil {
		return nil, errors.New("replay: no recording is given")
	}
	if !(o.Speed >= 0 && o.Speed <= 1e6) {
		return nil, fmt.Errorf("replay: speed %v is none: give 1 for the recorded timing, 10 for ten times as fast, 0 for no pauses", o.Speed)
	}
	if o.MaxClients < 0 {
		return nil, fmt.Errorf("replay: %d clients at a time are none: give 0 for as many as recorded, or 1 and more", o.MaxClients)
	}
	if o.MaxClients == 0 {
		o.MaxClients = max(1, o.Recording.Peak)
	}
	if o.Patience <= 0 {
		o.Patience = defaultPatience
	}
	config, err := pgconn.ParseConfig(o.Target)
	if err != nil {
		return nil, fmt.Errorf("replay: target %s: %w", named(o.Target), err)
	}
	return config, nil
}

// named gives a target's name without its password.
func named(target string) string {
	if u, err := url.Parse(target); err == nil && u.Host != "" {
		return u.Redacted()
	}
	return "given"
}

// reach tries the target once.
func reach(ctx context.Context, config *pgconn.Config, patience time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c, err := dial(ctx, config, patience)
	if err != nil {
		return fmt.Errorf("replay: target cannot be used: %w", err)
	}
	return c.leave()
}

// run is a replay under way.
type run struct {
	Options
	config *pgconn.Config
	score  *score
	left   atomic.Int64 // transactions that have not ended
}

// play starts the sessions at their times and waits for them.
func (r *run) play(ctx context.Context) {
	r.left.Store(int64(r.Recording.Playable()))
	over, finish := context.WithCancel(context.Background()) // the last transaction has ended: nobody need stay any longer
	defer finish()
	defer r.report()()
	zero := time.Now()
	if cpu, err := proc.CPU(os.Getpid()); err == nil {
		r.score.cpu = cpu
	}
	r.score.started = zero
	places := make(chan struct{}, r.MaxClients)
	var all sync.WaitGroup
	for _, s := range r.Recording.Sessions {
		c := r.client(s, zero)
		if c.upcoming() == nil {
			continue
		}
		if sleepUntil(ctx, c.at(s.Opened)) != nil {
			r.score.unfinished(s)
			continue
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			r.score.unfinished(s)
			continue
		}
		all.Go(func() {
			defer func() { <-places }()
			r.session(ctx, over, finish, c)
		})
	}
	all.Wait()
	r.score.ended = time.Now()
	if cpu, err := proc.CPU(os.Getpid()); err == nil {
		r.score.cpu = cpu - r.score.cpu
	}
}

func (r *run) client(s *Session, zero time.Time) *client {
	config := r.config
	if user, ok := r.Users[s.User]; ok && user != config.User {
		config = config.Copy()
		config.User = user
	}
	return &client{session: s, messages: r.Recording.messages, config: config, speed: r.Speed, patience: r.Patience, zero: zero}
}

// session plays one session to its end.
func (r *run) session(ctx, over context.Context, finish context.CancelFunc, c *client) {
	defer func() { _ = c.Close() }()
	_ = c.open(ctx) // as the client logged in; what goes wrong shows in the first transaction, which tries again
	for c.upcoming() != nil {
		if ctx.Err() != nil {
			r.score.unfinished(&Session{Transactions: c.session.Transactions[c.next:]})
			return
		}
		done := c.Run(ctx)
		r.score.add(done, c.last)
		if r.left.Add(-1) == 0 {
			finish()
		}
	}
	if r.Speed > 0 { // the connection stays as long as it did
		until, cancel := context.WithDeadline(ctx, c.at(c.session.Closed))
		defer cancel()
		select {
		case <-until.Done():
		case <-over.Done():
		}
	}
}

// report calls Progress until the end, and once more then.
func (r *run) report() (stop func()) {
	if r.Progress == nil {
		return func() {}
	}
	all := math.Max(1, float64(r.left.Load()))
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(progressEvery)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				r.Progress(1 - float64(r.left.Load())/all)
			case <-done:
				r.Progress(1 - float64(r.left.Load())/all)
				return
			}
		}
	}()
	return func() {
		close(done)
		<-ended
	}
}
