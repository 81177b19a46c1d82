package lex

// TokenKind says what a token is.
type TokenKind uint8

// The kinds of tokens.
const (
	Word     TokenKind = iota // an identifier or keyword, not quoted
	Quoted                    // a quoted identifier, with its quotes
	Constant                  // a string constant of any form, with its quotes and the letter before them
	Number
	Symbol // one character
)

// Token is one token of a text: sql[From:To]. Between two tokens stand whitespace and comments.
type Token struct {
	Kind     TokenKind
	From, To int
}

// Tokens appends the tokens of a text to list. ok is false when the text cannot be split for certain: list then holds what stands before the doubt.
func Tokens(list []Token, sql []byte) (tokens []Token, ok bool) {
	s := scanner{b: sql}
	for {
		t := s.next()
		var kind TokenKind
		switch t.kind {
		case end:
			return list, true
		case broken:
			return list, false
		case word:
			kind = Word
		case quoted:
			kind = Quoted
		case text:
			kind = Constant
		case number:
			kind = Number
		case symbol:
			kind = Symbol
		}
		list = append(list, Token{kind, t.at, s.at})
	}
}
