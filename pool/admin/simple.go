package admin

import (
	"poolerd/wire"
)

// query answers a simple Query, which may hold several commands; the first one that fails ends it.
func (s *session) query(body []byte) error {
	sql, _, ok := wire.CString(body)
	if !ok {
		return wire.Fatalf(wire.CodeProtocolViolation, "a Query message has no end")
	}
	s.extended.forget()
	commands, refused := split(string(sql))
	if refused != nil {
		s.fail(refused)
		return s.ready()
	}
	if len(commands) == 0 {
		s.out = wire.AppendEmpty(s.out, wire.ServerEmptyQueryResponse)
	}
	for _, one := range commands {
		cmd, refused := s.find(one)
		var r result
		if refused == nil {
			r, refused = s.execute(cmd)
		}
		if refused != nil {
			s.fail(refused)
			break
		}
		if len(cmd.columns) > 0 {
			s.out = appendDescription(s.out, cmd.columns, nil)
		}
		if err := s.reply(cmd, nil, r); err != nil {
			return err
		}
	}
	return s.ready()
}

// reply sends the whole of a result, without its description.
func (s *session) reply(cmd command, formats []int16, r result) error {
	for _, n := range r.notices {
		s.out = n.AppendNotice(s.out)
	}
	for _, row := range r.rows {
		s.out = appendRow(s.out, cmd.columns, formats, row)
		if err := s.spill(); err != nil {
			return err
		}
	}
	return s.complete(cmd, r)
}

// complete ends a command's result.
func (s *session) complete(cmd command, r result) error {
	s.out = wire.AppendCommandComplete(s.out, cmd.tag)
	if r.ends == nil {
		return nil
	}
	err := s.flush()
	s.asked = true
	r.ends()
	return err
}
