package lex

import "bytes"

// What stands before and behind a word, whitespace and comments apart.

// mostComments is how many comments before a word are followed.
const mostComments = 500

// behind tells whether is holds of the word sql[from:to] that stands before at, which is empty behind a symbol and at the start. A comment between them is
// skipped; where it is in doubt whether it is one, both must not hold.
func (k *marker) behind(at int, is func(from, to int) bool) bool {
	if k.left < 0 || k.depth > mostComments {
		return true
	}
	k.depth++
	defer func() { k.depth-- }()
	to, lines := at, false
	for to > 0 && isSpace(k.sql[to-1]) {
		to--
		lines = lines || k.sql[to] == '\n' || k.sql[to] == '\r'
	}
	from := to
	for from > 0 && wordPart(k.sql[from-1]) {
		from--
	}
	k.left -= at - from
	escape := from > 0 && k.sql[from-1] == '\\' // in E'...'
	for from < to && digit(k.sql[from]) {
		from++ // 1INTO, up to PostgreSQL 14
	}
	if is(from, to) || escape {
		return true
	}
	if to >= 2 && k.sql[to-1] == '/' && k.sql[to-2] == '*' {
		return k.behindComment(to-2, is)
	}
	return lines && k.behindLine(to, is)
}

// behindComment is behind for a comment whose */ is at end.
func (k *marker) behindComment(end int, is func(from, to int) bool) bool {
	open := bytes.LastIndex(k.sql[:end], []byte("/*"))
	if open < 0 {
		k.left -= end
		return false // no comment
	}
	k.left -= end - open
	return bytes.Contains(k.sql[open:end], []byte("*/")) || k.behind(open, is) // nested comments are not followed
}

// behindLine is behind for a line that ends at to, and may end with a comment, which may begin at any of its dashes.
func (k *marker) behindLine(to int, is func(from, to int) bool) bool {
	line := bytes.LastIndexAny(k.sql[:to], "\r\n") + 1
	k.left -= to - line
	for at := line; ; {
		n := bytes.Index(k.sql[at:to], []byte("--"))
		if n < 0 {
			return false
		}
		if at += n; k.behind(at, is) {
			return true
		}
		for at < to && k.sql[at] == '-' {
			at++
		}
	}
}

// next gives where behind a word the next thing begins: behind whitespace, and behind the quote that ends a quoted name. comment tells that it is a comment.
func (k *marker) next(to int) (at int, comment bool) {
	at = to
	if at < len(k.sql) && k.sql[at] == '"' {
		at++
	}
	for at < len(k.sql) && isSpace(k.sql[at]) {
		at++
	}
	k.left -= at - to
	rest := k.sql[at:]
	return at, k.left < 0 || bytes.HasPrefix(rest, []byte("--")) || bytes.HasPrefix(rest, []byte("/*"))
}

// called tells whether the word that ends at to may be the name of a function that is called.
func (k *marker) called(to int) bool {
	at, comment := k.next(to)
	return comment || at < len(k.sql) && k.sql[at] == '('
}

// ahead tells whether the next word may be this one, quoted or not.
func (k *marker) ahead(to int, lower string) bool {
	at, comment := k.next(to)
	if comment {
		return true
	}
	if at < len(k.sql) && k.sql[at] == '"' {
		at++
	}
	end := at + len(lower)
	return end <= len(k.sql) && k.is(at, end, lower) && (end == len(k.sql) || !wordPart(k.sql[end]))
}

// quoteAhead tells whether a string constant may follow. In doubt it may: a comment can stand before it, and a backslash belong to E'...'.
func (k *marker) quoteAhead(to int) (may, doubt bool) {
	at, comment := k.next(to)
	s := scanner{b: k.sql, at: at}
	letter, after := s.peek(0)|0x20, s.peek(1)
	switch {
	case comment, s.peek(0) == '\\', letter == 'e' && after == '\\':
		return true, true
	case s.peek(0) == '\'', s.peek(0) == '$', letter == 'e' && after == '\'', letter == 'u' && after == '&':
		return true, false
	}
	return false, false
}

// twoPhase tells whether the PREPARE that ends at to is surely a PREPARE TRANSACTION.
func (k *marker) twoPhase(to int) bool {
	at, comment := k.next(to)
	end := at + len("transaction")
	if comment || end >= len(k.sql) || !k.is(at, end, "transaction") || wordPart(k.sql[end]) || k.sql[end] == '"' {
		return false
	}
	may, doubt := k.quoteAhead(end)
	return may && !doubt
}
