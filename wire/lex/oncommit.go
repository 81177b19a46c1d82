package lex

// DropsOnCommit tells whether a text is one statement whose temporary table goes with its transaction: CREATE TEMP TABLE ... ON COMMIT DROP. It finds the words in their
// order, outside constants and comments, and is not certain of more: what such a transaction leaves is to be asked all the same.
func DropsOnCommit(sql []byte) bool {
	words := [...]string{"on", "commit", "drop"}
	s := scanner{b: sql}
	found, at := false, 0
	for {
		t := s.next()
		switch {
		case t.kind == broken:
			return false
		case t.kind == end:
			return found
		case t.is(";"):
			return found && s.next().kind == end
		case t.is(words[at]):
			at++
		case t.is(words[0]):
			at = 1
		default:
			at = 0
		}
		if at == len(words) {
			found, at = true, 0
		}
	}
}
