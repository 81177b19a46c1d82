package record

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"fmt"
	"slices"

	"poolerd/wire/lex"
)

// veil decides what of a text or a value is written down, and makes the stand-ins.
type veil struct {
	mode   Mode
	salt   [32]byte     // of this file; never written
	block  cipher.Block // permutes numbers
	tokens []lex.Token  // used again
	again  []lex.Token  // so is this
}

func newVeil(mode Mode) (*veil, error) {
	if mode > Kept {
		return nil, fmt.Errorf("record: unknown mode %v, give %v or %v", mode, Hashed, Kept)
	}
	v := &veil{mode: mode}
	var key [16]byte
	if _, err := rand.Read(key[:]); err != nil {
		return nil, err
	}
	if _, err := rand.Read(v.salt[:]); err != nil {
		return nil, err
	}
	var err error
	v.block, err = aes.NewCipher(key[:])
	return v, err
}

// use is what a statement's parameters are for.
type use struct {
	secret bool         // the statement speaks of secrets: all of them are stand-ins
	rules  map[int]rule // by the parameter's number, from 1; those that are not there are plain parameters
}

// rule says what becomes of one parameter of a statement, in either mode.
type rule struct {
	kind ruleKind
	name int // byName: the number of the parameter that has the name
}

type ruleKind uint8

const (
	keep   ruleKind = iota + 1 // the value of one of PostgreSQL's own parameters, or the name of one
	byName                     // the value of whatever parameter another one names
	hide                       // the value of a parameter of the application's
)

// text gives what is shown of a text, and what its parameters are for. simple says that it is a Query's.
func (v *veil) text(sql []byte, simple bool) (shown []byte, u *use, withheld bool) {
	lower := bytes.ToLower(sql)
	secret := speaksOfSecrets(lower)
	tokens, ok := lex.Tokens(v.tokens[:0], sql)
	v.tokens = tokens
	if !ok {
		if secret = secret || bytes.Contains(lower, []byte("set_config")); v.mode == Hashed || secret {
			return nil, &use{secret: true}, true
		}
		return sql, &use{}, false
	}
	t := phrase{sql, tokens}
	if t.setsPassword() {
		return nil, &use{secret: true}, true
	}
	rules, parameters, dotted := t.parameters()
	u = &use{secret: secret, rules: rules}
	if !secret && !dotted && (v.mode == Kept || !simple && parameters) {
		return sql, u, false
	}
	shown, ok = v.hideConstants(t, 0)
	if !ok || !v.splitsAs(tokens, shown) {
		return nil, u, true
	}
	return shown, u, false
}

// splitsAs tells whether a text has tokens in the same places. A stand-in's last letter may have made another constant of the one behind it, as E does.
func (v *veil) splitsAs(tokens []lex.Token, shown []byte) bool {
	again, ok := lex.Tokens(v.again[:0], shown)
	v.again = again
	return ok && slices.EqualFunc(tokens, again, func(a, b lex.Token) bool { return a.From == b.From && a.To == b.To })
}

// param gives what is shown of parameter i of a Bind of st, which is nil when nothing is known of it.
func (v *veil) param(st *statement, b *bound, i int) (shown []byte, standIn bool) {
	value := b.values[i]
	if st == nil || st.use == nil {
		return v.value(value, 0, b.format(i)), true
	}
	switch r := st.use.rules[i+1]; r.kind {
	case keep:
		return value, false
	case byName:
		if r.name >= 1 && r.name <= len(b.values) && ownParameter(b.values[r.name-1]) {
			return value, false
		}
		return v.setting(value), true
	case hide:
		return v.setting(value), true
	}
	if v.mode == Kept && !st.use.secret && !looksSecret(value) {
		return value, false
	}
	oid := uint32(0)
	if i < len(st.types) {
		oid = st.types[i]
	}
	if st.use.secret && (b.format(i) == 0 || printable(value)) {
		return v.setting(value), true
	}
	return v.value(value, oid, b.format(i)), true
}

// setting gives a stand-in for the value of a parameter of the application's, or of a statement that speaks of secrets: of a JSON object or array it shows nothing but the length, of other
// texts not even the signs.
func (v *veil) setting(value []byte) []byte {
	if trimmed := bytes.TrimSpace(value); len(trimmed) >= 2 {
		for _, pair := range []string{"{}", "[]"} {
			if trimmed[0] == pair[0] && trimmed[len(trimmed)-1] == pair[1] {
				shown := bytes.Repeat([]byte{' '}, len(value))
				shown[0], shown[len(shown)-1] = pair[0], pair[1]
				return shown
			}
		}
	}
	switch _, number := v.number(value); {
	case len(value) == 0, truth(value), number, clockLike(value), uuidLike(value):
		return v.plain(value)
	}
	return v.letters(value, value)
}
