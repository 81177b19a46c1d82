"""Carries out behaviours.txt, and a program's own behaviours, with one driver.

A program defines a Client (below) and functions, and calls main. It prints one
JSON object a behaviour and line:

    behaviour  its name, the same in every program
    ok         whether it held
    skip       the client cannot do it
    detail     why it did not hold
    allowed    how many errors occurred that the behaviour allows

Arguments: host, port, database, user, and a regular expression of the
behaviours wanted.
"""

import json
import pathlib
import re
import sys
import threading
import traceback

LIMIT = 30  # seconds that one behaviour may take


class Skip(Exception):
    """The client cannot do this."""


class Failed(Exception):
    """Something was not as it must be."""


class Target:
    """Where to connect to."""

    def __init__(self, host, port, database, user):
        self.host, self.port, self.database, self.user = host, int(port), database, user


def same(got, want, what=""):
    if got != want:
        raise Failed(f"{what}{': ' if what else ''}got {short(got)}, want {short(want)}")


def short(value):
    text = repr(value)
    return text if len(text) < 200 else text[:200] + "..."


def parse(path):
    """Returns [(name, steps)]; a step is (line, text) or (count, steps)."""
    behaviours, stack = [], []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        line = line.rstrip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("== "):
            stack = [[]]
            behaviours.append((line[3:], stack[0]))
        elif line.startswith("repeat "):
            inner = []
            stack[-1].append((int(line[7:]), inner))
            stack.append(inner)
        elif line == "end":
            stack.pop()
        else:
            stack[-1].append((f"line {number}", line))
    return behaviours


STEP = re.compile(r"(\w+)([:*~] | )(.*)")


class Script:
    """One behaviour of behaviours.txt.

    connect(settings) returns a connection with the methods
      run(sql, params, prepared) -> rows' first columns as text; params is a list or None
      script(sql), several statements in one simple query
      notification(timeout) -> (channel, payload) or None
      code(error) -> SQLSTATE or None
      close()
    """

    def __init__(self, connect, database):
        self.connect, self.database, self.conns, self.allowed = connect, database, {}, 0

    def play(self, steps, i=0):
        for first, second in steps:
            if isinstance(first, int):
                for i in range(1, first + 1):
                    self.play(second, i)
                continue
            try:
                self.step(second.replace("%i", str(i)).replace("%d", self.database))
            except Skip:
                raise
            except Exception as e:
                raise Failed(f"{first}: {second}" + (f" (turn {i})" if i else "") + f": {describe(e)}") from e

    def conn(self, name):
        if name not in self.conns:
            self.conns[name] = self.connect({})
        return self.conns[name]

    def step(self, text):
        name, kind, rest = STEP.fullmatch(text).groups()
        if kind == " ":
            verb, _, rest = rest.partition(" ")
            getattr(self, verb)(name, rest)
            return
        sql, codes = cut(rest, " !!")
        sql, want = cut(sql, " =>")
        sql, params = cut(sql, " <-")
        if params is not None:
            params = params.split(" | ")
        conn = self.conn(name)
        try:
            got = conn.script(sql) if kind == "~ " else conn.run(sql, params, kind == "* ")
        except Exception as e:
            if codes is None or conn.code(e) not in codes.split("|"):
                raise
            if want is not None:
                self.allowed += 1
            return
        if want is not None:
            same(",".join(got), want)
        elif codes is not None:
            raise Failed(f"no error, but {short(got)}")

    def open(self, name, rest):
        self.conns[name] = self.connect(dict(part.split("=", 1) for part in rest.split()))

    def close(self, name, _):
        self.conns.pop(name).close()

    def silent(self, name, _):
        got = self.conn(name).notification(0)
        if got is not None:
            raise Failed(f"heard {short(got)}")

    def heard(self, name, rest):
        self.hears(name, rest, 0)

    def hears(self, name, rest, timeout=5):
        channel, _, want = rest.partition(" ")
        got = self.conn(name).notification(timeout)
        if got is None:
            raise Failed("heard nothing")
        if want.startswith("length "):
            got = (got[0], f"length {len(got[1])}")
        same(got, (channel, want))


def cut(text, mark):
    """Splits "x MARK y" at the last mark; y is None where there is none."""
    before, found, after = text.rpartition(mark)
    return (before, after.strip()) if found else (text, None)


def describe(error):
    if isinstance(error, Failed):
        return str(error)
    code = getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)
    text = " ".join(str(error).split())[:300]
    return f"{type(error).__name__}{' ' + code if code else ''}: {text}"


def main(client, own):
    """Shows all.

    client(target) has connect(settings), as Script says; abandon(), which cuts its
    connections off from another thread; and perhaps cannot, reasons by behaviour.
    own are functions of a client; the first line of each one's documentation is its
    behaviour.
    """
    target, wanted = Target(*sys.argv[1:5]), re.compile(sys.argv[5] if len(sys.argv) > 5 else "")
    todo = [(name, lambda c, name=name, steps=steps: play(c, name, steps)) for name, steps in parse(pathlib.Path(__file__).with_name("behaviours.txt"))]
    todo += [(f.__doc__.splitlines()[0], f) for f in own]
    for name, function in todo:
        if wanted.search(name):
            print(json.dumps(dict(behaviour=name, **attempt(client(target), function))), flush=True)


def play(client, name, steps):
    if reason := getattr(client, "cannot", {}).get(name):
        raise Skip(reason)
    script = Script(client.connect, client.target.database)
    try:
        script.play(steps)
    finally:
        client.allowed = script.allowed


def attempt(client, function):
    """Runs one behaviour in a thread; its connections end with it, whatever state they are in."""
    result = dict(ok=False, detail=f"no end after {LIMIT} s")

    def run():
        try:
            outcome = dict(ok=True)
            function(client)
        except Skip as e:
            outcome = dict(ok=True, skip=True, detail=str(e))
        except Exception as e:
            outcome = dict(ok=False, detail=describe(e), where=traceback.format_exc()[-1500:])
        outcome["allowed"] = getattr(client, "allowed", 0)
        outcome.setdefault("detail", "")
        result.update(outcome)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(LIMIT)
    done = dict(result)
    if thread.is_alive():
        done["detail"] = f"no end after {LIMIT} s"
        frame = sys._current_frames().get(thread.ident)
        done["where"] = "".join(traceback.format_stack(frame))[-1500:] if frame else ""
    client.abandon()
    return done
