package record

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strconv"
	"unicode/utf8"
)

// The stand-ins of values that are text. Each has its value's length and, as far as that can be seen, its type; equal values have equal ones.

// The tags of streams.
const (
	tagText   = 't'
	tagLetter = 'l'
	tagBinary = 'b'
)

// plain gives a stand-in for a value in the text format, whose type is seen from the value itself.
func (v *veil) plain(value []byte) []byte {
	if len(value) == 0 || truth(value) {
		return value
	}
	if shown, ok := v.number(value); ok {
		return shown
	}
	switch {
	case clockLike(value):
		return v.clock(value)
	case intervalLike(value):
		return v.runs(value, false)
	case uuidLike(value):
		return v.uuid(value)
	case addressLike(value):
		return v.address(value)
	case jsonLike(value):
		return v.json(value)
	case len(value) > 2 && value[0] == '\\' && value[1] == 'x':
		return append([]byte(`\x`), v.alphabet(value[2:], "0123456789abcdef")...)
	}
	return v.runs(value, true)
}

// truth tells whether the value says no more than yes or no.
func truth(value []byte) bool {
	switch string(value) {
	case "t", "f", "true", "false", "TRUE", "FALSE", "y", "n", "yes", "no", "on", "off", "null", "NULL":
		return true
	}
	return false
}

// number gives the stand-in of a decimal number; ok is false when value is none.
func (v *veil) number(value []byte) (shown []byte, ok bool) {
	at := 0
	if len(value) == 0 {
		return nil, false
	}
	if value[0] == '-' || value[0] == '+' {
		at = 1
	}
	whole := digits(value[at:])
	if whole == 0 {
		return nil, false
	}
	rest := value[at+whole:]
	fraction, exponent := 0, 0
	if len(rest) > 0 && rest[0] == '.' {
		fraction = 1 + digits(rest[1:])
	}
	if tail := rest[fraction:]; len(tail) > 1 && tail[0]|0x20 == 'e' {
		exponent = 1
		if tail[1] == '-' || tail[1] == '+' {
			exponent = 2
		}
		n := digits(tail[exponent:])
		if n == 0 {
			return nil, false
		}
		exponent += n
	}
	if len(rest) != fraction+exponent {
		return nil, false
	}
	shown = bytes.Clone(value)
	v.digits(shown[at:at+whole], shown[at:at+whole])
	if fraction > 1 {
		v.someDigits(v.stream(tagText, value), shown[at+whole+1:at+whole+fraction], true)
	}
	return shown, true
}

// digits counts the decimal digits at the start of b.
func digits(b []byte) int {
	n := 0
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		n++
	}
	return n
}

// digits writes the stand-in of a run of decimal digits to dst, which has its length.
func (v *veil) digits(dst, run []byte) {
	if n, err := strconv.ParseUint(string(run), 10, 64); err == nil && run[0] != '0' && n <= math.MaxInt64 {
		copy(dst, strconv.AppendUint(nil, v.integer(n), 10))
		return
	}
	if len(run) == 1 {
		return // zero
	}
	v.someDigits(v.stream(tagText, bytes.Clone(run)), dst, run[0] == '0')
}

// someDigits fills b with digits, the first of which may be zero only if so is said.
func (v *veil) someDigits(r *rand.ChaCha8, b []byte, zero bool) {
	for i := range b {
		if i == 0 && !zero {
			b[i] = '1' + byte(below(r, 9))
			continue
		}
		b[i] = '0' + byte(below(r, 10))
	}
}

// runs replaces each run of digits by another one, and, if so is said, each letter and most signs by letters.
func (v *veil) runs(value []byte, letters bool) []byte {
	shown := bytes.Clone(value)
	r := v.stream(tagText, value)
	if letters && !wordy(value) && len(value) > 2 {
		return v.letters(value, value)
	}
	for i := 0; i < len(value); {
		n := digits(value[i:])
		if span := clockAt(value[i:]); n > 0 && span > 0 {
			copy(shown[i:], v.clock(value[i:i+span]))
			i += span
			continue
		}
		if n > 0 {
			v.digits(shown[i:i+n], value[i:i+n])
			i += n
			continue
		}
		if !letters {
			i++
			continue
		}
		i += sign(r, shown[i:])
	}
	return shown
}

// wordy tells whether there is a letter, a digit or nothing but blanks in it.
func wordy(value []byte) bool {
	blanks := true
	for _, c := range value {
		if c >= 0x80 || 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9' {
			return true
		}
		blanks = blanks && (c == ' ' || c == '\n' || c == '\t' || c == '\r')
	}
	return blanks
}

// sign replaces the character at the start of b by another one of its kind and length, and gives its length. Signs that make the shape of values stay: separators, brackets, what LIKE
// knows.
func sign(r *rand.ChaCha8, b []byte) int {
	c := b[0]
	switch {
	case 'a' <= c && c <= 'z':
		b[0] = 'a' + byte(below(r, 26))
	case 'A' <= c && c <= 'Z':
		b[0] = 'A' + byte(below(r, 26))
	case c >= utf8.RuneSelf:
		_, n := utf8.DecodeRune(b)
		switch n {
		case 2:
			utf8.EncodeRune(b, 0xe0+rune(below(r, 0x16)))
		case 3:
			utf8.EncodeRune(b, 0x4e00+rune(below(r, 0x5000)))
		case 4:
			utf8.EncodeRune(b, 0x1f600+rune(below(r, 0x40)))
		default:
			b[0] = 'a' + byte(below(r, 26))
		}
		return n
	case bytes.IndexByte([]byte(" \t\r\n,.:-_/%{}()[]@*\"'&|!<>=+;?#$~^"), c) >= 0:
	default:
		b[0] = 'a' + byte(below(r, 26))
	}
	return 1
}

// letters gives as many small letters as b has bytes, blanks excepted; value is what they depend on.
func (v *veil) letters(b, value []byte) []byte {
	shown := bytes.Clone(b)
	r := v.stream(tagLetter, value)
	for i, c := range shown {
		if c != ' ' && c != '\n' && c != '\t' && c != '\r' {
			shown[i] = 'a' + byte(below(r, 26))
		}
	}
	return shown
}

// alphabet gives as many characters of an alphabet as b has bytes.
func (v *veil) alphabet(b []byte, of string) []byte {
	shown := bytes.Clone(b)
	r := v.stream(tagLetter, b)
	for i := range shown {
		shown[i] = of[below(r, uint64(len(of)))]
	}
	return shown
}
