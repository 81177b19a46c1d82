package lex

// The grammar of BEGIN, COMMIT and ROLLBACK (PostgreSQL's documentation, "SQL Commands"), read to the end of the text.

// ReadOnly tells whether a text that Classify calls Begin says READ ONLY. Without allocating.
func ReadOnly(sql []byte) bool {
	readOnly := false
	s := scanner{b: sql}
	for t := s.next(); t.kind != end && t.kind != broken; t = s.next() {
		switch {
		case t.is("only"):
			readOnly = true
		case t.is("write"):
			readOnly = false // a mode given twice: the last one counts
		}
	}
	return readOnly
}

// BeginTag gives the tag of CommandComplete with which PostgreSQL answers a text that Classify calls Begin. Without allocating.
func BeginTag(sql []byte) string {
	s := scanner{b: sql}
	first := s.next()
	for first.is(";") {
		first = s.next()
	}
	if first.is("start") {
		return "START TRANSACTION"
	}
	return "BEGIN"
}

// begin reads what follows BEGIN.
func begin(s *scanner) bool {
	at := *s
	if t := s.next(); !t.is("work") && !t.is("transaction") {
		*s = at
	}
	return modes(s)
}

// modes reads transaction modes to the end of the text. Commas between them are optional, and a mode may be given twice.
func modes(s *scanner) bool {
	some, comma := false, false
	for {
		t := s.next()
		switch {
		case t.kind == end, t.is(";"):
			return !comma && s.onlyEnd(t)
		case t.is(","):
			if comma || !some {
				return false
			}
			comma = true
			continue
		case t.is("isolation"):
			if !s.next().is("level") || !isolationLevel(s) {
				return false
			}
		case t.is("read"):
			if m := s.next(); !m.is("only") && !m.is("write") {
				return false
			}
		case t.is("not"):
			if !s.next().is("deferrable") {
				return false
			}
		case t.is("deferrable"):
		default:
			return false
		}
		some, comma = true, false
	}
}

func isolationLevel(s *scanner) bool {
	switch t := s.next(); {
	case t.is("serializable"):
		return true
	case t.is("repeatable"):
		return s.next().is("read")
	case t.is("read"):
		t = s.next()
		return t.is("committed") || t.is("uncommitted")
	}
	return false
}

// completion reads what may follow a plain COMMIT or ROLLBACK: nothing, WORK or TRANSACTION.
func completion(s *scanner) bool {
	t := s.next()
	if t.is("work") || t.is("transaction") {
		t = s.next()
	}
	return s.onlyEnd(t)
}

func rollback(s *scanner) Kind {
	at := *s
	if completion(&at) {
		return Rollback
	}
	t := s.next()
	if t.is("work") || t.is("transaction") {
		t = s.next()
	}
	if t.is("to") {
		return RollbackTo
	}
	return Other
}
