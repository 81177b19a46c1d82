package webtest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
)

// Options say how the stand-in is set up.
type Options struct {
	Database string // connection string of PostgreSQL or of a pooler, for the role authenticator
	Pool     int    // connections at most, PostgREST's db-pool; 0 means 10
	Secret   string // PostgREST's jwt-secret; without one no token is accepted

	PreRequest bool // db-pre-request = "api.check_request"
	NoOverride bool // db-tx-end = "commit", as PostgREST ships: Prefer: tx=rollback is ignored
}

// Server is a running stand-in.
type Server struct {
	opts Options
	http *http.Server
	addr net.Addr
	pool chan *session // as many as Options.Pool; one that is not connected yet is empty
	work sync.WaitGroup
	err  error // of serving
}

// Start listens on a free port of 127.0.0.1. It connects to the database when the first requests come.
func Start(o Options) (*Server, error) {
	if o.Pool == 0 {
		o.Pool = 10
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Server{opts: o, addr: l.Addr(), pool: make(chan *session, o.Pool)}
	for range o.Pool {
		s.pool <- &session{database: o.Database}
	}
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve)}
	s.work.Go(func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.err = err
		}
	})
	return s, nil
}

// URL is where it answers.
func (s *Server) URL() string { return "http://" + s.addr.String() }

// Close ends it, with all its connections.
func (s *Server) Close(ctx context.Context) error {
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.http.Close())
	}
	s.work.Wait()
	for range s.opts.Pool {
		select {
		case one := <-s.pool:
			err = errors.Join(err, one.close(ctx))
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
	return errors.Join(err, s.err)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Server", "stand-in for PostgREST")
	role, err := s.role(r)
	if err != nil {
		refuse(w, &problem{status: http.StatusUnauthorized, Code: "PGRST301", Message: err.Error()})
		return
	}
	st, err := plan(r)
	if err != nil {
		refuse(w, &problem{status: http.StatusNotFound, Code: "PGRST125", Message: err.Error()})
		return
	}
	t := transaction{statement: *st, role: role, method: r.Method, path: r.URL.Path, preRequest: s.opts.PreRequest}
	t.rollback = !s.opts.NoOverride && r.Header.Get("Prefer") == "tx=rollback"
	var one *session
	select {
	case one = <-s.pool:
	case <-r.Context().Done():
		return
	}
	defer func() { s.pool <- one }()
	answer, err := one.transact(r.Context(), &t)
	if err != nil {
		refuse(w, explain(err, role))
		return
	}
	if t.rollback {
		w.Header().Set("Preference-Applied", "tx=rollback")
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if st.counted {
		w.Header().Set("Content-Range", "*/"+answer.total)
	}
	w.WriteHeader(st.status)
	if r.Method != http.MethodHead && st.status == http.StatusOK {
		_, _ = w.Write(answer.body)
	}
}
