package lex

// Query tells whether a text is one of the statements that are planned: SELECT, INSERT, UPDATE, DELETE, MERGE, VALUES, TABLE and WITH. The columns of
// others (FETCH, EXECUTE, SHOW, CALL) depend on what a session has.
func Query(sql []byte) bool {
	s := scanner{b: sql}
	t := s.next()
	for t.is("(") || t.is(";") {
		t = s.next()
	}
	return t.is("select") || t.is("insert") || t.is("update") || t.is("delete") || t.is("merge") || t.is("values") || t.is("table") || t.is("with")
}

// Sessional tells whether a text is FETCH, MOVE, EXECUTE or EXPLAIN, whose columns depend on the cursors and prepared statements of the session.
func Sessional(sql []byte) bool {
	s := scanner{b: sql}
	t := s.next()
	for t.is(";") {
		t = s.next()
	}
	return t.is("fetch") || t.is("move") || t.is("execute") || t.is("explain")
}
