package pool

import (
	"strconv"

	"pgregory.net/rapid"

	"poolerd/wire"
)

// What the clients of TestNothingLeaks do that does not show in the words of their texts, and what a second client could get hold of between two messages of the first.

// leakFunctions do to a session what package watch has to find in their bodies.
const leakFunctions = `CREATE FUNCTION public.leak_tune(v text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN set_config('work_mem', v, false); END $$;
	CREATE FUNCTION public.leak_own(v text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('my.own', v, false); END $$;
	CREATE FUNCTION public.leak_own_too(v text) RETURNS void LANGUAGE sql AS $$ SELECT public.leak_own(v) $$;
	CREATE FUNCTION public.leak_try(k bigint) RETURNS boolean LANGUAGE sql AS $$ SELECT pg_try_advisory_lock(k) $$;
	CREATE FUNCTION public.leak_temp(name text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE format('CREATE TEMP TABLE %I (n int)', name); END $$;
	CREATE FUNCTION public.leak_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('work_mem', NEW.v, false); RETURN NULL; END $$;
	CREATE TABLE public.leak_tunes (v text); GRANT INSERT ON public.leak_tunes TO PUBLIC;
	CREATE TRIGGER t BEFORE INSERT ON public.leak_tunes FOR EACH ROW EXECUTE FUNCTION public.leak_trigger()`

// setByFunction sets a session parameter where no word of the text says so.
func (w *leakWorld) setByFunction(t *rapid.T, c *leakClient) {
	name := rapid.SampledFrom([]string{"work_mem", "my.own"}).Draw(t, "parameter")
	value := rapid.SampledFrom([]string{"5MB", "6MB", "7MB"}).Draw(t, "value")
	texts := map[string][]string{
		"work_mem": {"SELECT public.leak_tune('" + value + "')", "INSERT INTO public.leak_tunes VALUES ('" + value + "')"},
		"my.own":   {"SELECT public.leak_own('" + value + "')", "SELECT public.leak_own_too('" + value + "')"},
	}
	if _, ok := c.do(t, rapid.SampledFrom(texts[name]).Draw(t, "text")); ok {
		c.model.set(name, value)
	}
}

// other finds a client that may do something between two messages of c; nil where there is none.
func (w *leakWorld) other(t *rapid.T, c *leakClient) *leakClient {
	o := w.clients[rapid.IntRange(0, w.size-1).Draw(t, "other")]
	if o == c || !w.mayAct(o) {
		return nil
	}
	return o
}

// unnamed: the unnamed statement is the client's until it is replaced, whoever else had the server meanwhile.
func (w *leakWorld) unnamed(t *rapid.T, c *leakClient) {
	w.serial++
	mine := "unnamed " + strconv.Itoa(w.serial)
	if !c.judge(t, "Parse of the unnamed statement", c.flight(t, parse("", "SELECT "+quoted(mine)), 1)) {
		return
	}
	for range 2 {
		if o := w.other(t, c); o != nil {
			o.judge(t, "a statement in between", o.flight(t, unprepared("SELECT 'a stranger''s'"), 1))
		}
	}
	if !w.mayAct(c) {
		t.Skip("no server would be free")
	}
	r := c.flight(t, prepared(""), 1)
	if c.judge(t, "the unnamed statement", r) && r.rows[0] != mine {
		t.Fatalf("%s: its unnamed statement answers %q, want %q", c.name, r.rows, mine)
	}
}

// portal: a portal is there until Sync, and until then the server is the client's.
func (w *leakWorld) portal(t *rapid.T, c *leakClient) {
	if c.model.failed {
		t.Skip("in a failed transaction")
	}
	one := []byte{wire.ClientExecute, 0, 0, 0, 9, 0, 0, 0, 0, 1} // one row of the unnamed portal
	b := wire.AppendParse(nil, "", wire.ParseTail("SELECT n FROM generate_series(1, 3) n"))
	b = append(wire.AppendBind(b, "", ""), one...)
	c.send(t, wire.AppendEmpty(b, wire.ClientFlush))
	var r leakReply
	for typ := byte(0); typ != wire.ServerPortalSuspended; {
		if typ, _ = c.message(t, &r); typ == wire.ServerErrorResponse {
			t.Fatalf("%s: a portal: %s %s", c.name, r.code, r.message)
		}
	}
	if o := w.other(t, c); o != nil {
		o.judge(t, "a statement in between", o.flight(t, unprepared("SELECT 'a stranger''s'"), 1))
	}
	r = c.flight(t, wire.AppendEmpty(one, wire.ClientSync), 1)
	if c.judge(t, "the second row of a portal", r) && (len(r.rows) != 1 || r.rows[0] != "2") {
		t.Fatalf("%s: its portal gives %q, want the row 2", c.name, r.rows)
	}
}

// sequence takes the next value of a sequence, or asks for the last one that was taken; or one client does the former, and another the latter at once.
func (w *leakWorld) sequence(t *rapid.T, c *leakClient) {
	switch rapid.IntRange(0, 2).Draw(t, "what") {
	case 0:
		w.nextValue(t, c)
	case 1:
		w.lastValue(t, c)
	default:
		w.nextValue(t, c)
		if o := w.other(t, c); o != nil {
			w.lastValue(t, o)
		}
	}
}

func (w *leakWorld) nextValue(t *rapid.T, c *leakClient) {
	if r, ok := c.do(t, "SELECT nextval('public.leak_seats')"); ok {
		c.model.last = r.rows[0]
	}
}

// lastValue: where the client's own value is gone PostgreSQL's error for a new session is allowed, another client's value never.
func (w *leakWorld) lastValue(t *rapid.T, c *leakClient) {
	r, ok := c.do(t, "SELECT currval('public.leak_seats')", "55000")
	if ok && r.rows[0] != c.model.last {
		t.Fatalf("%s: currval gives %s, its own last value is %q", c.name, r.rows[0], c.model.last)
	}
}
