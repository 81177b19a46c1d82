package record

import (
	"bytes"
	"encoding/json"
	"strings"
)

// The values whose parts have limits or meanings: dates, times, intervals, UUIDs, JSON.

// clockLike tells whether the value is made as a date, a time or both are.
func clockLike(value []byte) bool {
	switch {
	case len(value) < 5 || len(value) > 40:
		return false
	case digits(value) == 4 && len(value) >= 10 && value[4] == '-' && digits(value[5:]) == 2 && value[7] == '-' && digits(value[8:]) == 2:
	case digits(value) == 2 && value[2] == ':' && digits(value[3:]) == 2:
	default:
		return false
	}
	for _, c := range value {
		if !('0' <= c && c <= '9') && bytes.IndexByte([]byte(" -:.+TZ"), c) < 0 {
			return false
		}
	}
	return true
}

// clock gives a date or time of the same form. Every part of it is one that is valid wherever it stands.
func (v *veil) clock(value []byte) []byte {
	shown := bytes.Clone(value)
	r := v.stream(tagText, value)
	for i := 0; i < len(shown); i++ {
		n := digits(shown[i:])
		if n == 0 {
			continue
		}
		run := shown[i : i+n]
		switch {
		case n == 4 && i == 0: // a year
			copy(run, "20")
			run[2], run[3] = '0'+byte(below(r, 3)), '0'+byte(below(r, 10))
		case n == 2: // a month, a day, an hour, a minute, a second, a part of a time zone
			run[0], run[1] = '0', '1'+byte(below(r, 9))
		default:
			v.someDigits(r, run, true)
		}
		i += n - 1
	}
	return shown
}

// clockAt gives the length of the date or time at the start of b; 0 when there is none.
func clockAt(b []byte) int {
	n := 0
	for n < len(b) && n < 40 && ('0' <= b[n] && b[n] <= '9' || bytes.IndexByte([]byte(" -:.+TZ"), b[n]) >= 0) {
		n++
	}
	if span := bytes.TrimRight(b[:n], " "); clockLike(span) {
		return len(span)
	}
	return 0
}

// addressLike tells whether the value is an IP address of either kind, or one of a network card.
func addressLike(value []byte) bool {
	dots, colons := bytes.Count(value, []byte{'.'}), bytes.Count(value, []byte{':'})
	if len(value) > 43 || dots != 3 && colons < 2 {
		return false
	}
	run := 0
	for _, c := range value {
		switch {
		case '0' <= c && c <= '9':
			run++
		case colons >= 2 && 'a' <= c|0x20 && c|0x20 <= 'f':
		case c == '.' || c == ':' || c == '/':
			run = 0
		default:
			return false
		}
		if run > 3 && colons == 0 {
			return false
		}
	}
	return true
}

// address gives an address of the same form; the length of a network's prefix stays.
func (v *veil) address(value []byte) []byte {
	shown := bytes.Clone(value)
	r := v.stream(tagText, value)
	host, _, _ := bytes.Cut(shown, []byte{'/'})
	if bytes.IndexByte(host, ':') >= 0 && bytes.IndexByte(host, '.') < 0 {
		for i, c := range host {
			if c != ':' {
				host[i] = "0123456789abcdef"[below(r, 16)]
			}
		}
		return shown
	}
	for i := 0; i < len(host); i++ {
		n := digits(host[i:])
		if n == 0 {
			continue
		}
		v.someDigits(r, host[i:i+n], n == 1)
		if n == 3 {
			host[i] = '1'
		}
		i += n - 1
	}
	return shown
}

// intervalLike tells whether the value is an interval or the name of a part of time: its words say nothing.
func intervalLike(value []byte) bool {
	words := 0
	for i := 0; i < len(value); {
		c := value[i]
		if 'a' <= c|0x20 && c|0x20 <= 'z' {
			n := 0
			for i+n < len(value) && 'a' <= value[i+n]|0x20 && value[i+n]|0x20 <= 'z' {
				n++
			}
			if !unitOfTime(value[i : i+n]) {
				return false
			}
			words++
			i += n
			continue
		}
		if !('0' <= c && c <= '9') && bytes.IndexByte([]byte(" -:.+"), c) < 0 {
			return false
		}
		i++
	}
	return words > 0
}

func unitOfTime(word []byte) bool {
	switch strings.TrimSuffix(strings.ToLower(string(word)), "s") {
	case "microsecond", "millisecond", "second", "sec", "minute", "min", "hour", "hr", "day", "week", "month", "mon", "quarter", "year", "decade", "century", "millennium",
		"epoch", "dow", "doy", "isodow", "isoyear", "ago", "m", "h":
		return true
	}
	return false
}

func uuidLike(value []byte) bool {
	if len(value) != 36 {
		return false
	}
	for i, c := range value {
		switch i {
		case 8, 13, 18, 23:
			if c != '-' {
				return false
			}
		default:
			if !('0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f') {
				return false
			}
		}
	}
	return true
}

func (v *veil) uuid(value []byte) []byte {
	shown := v.alphabet(bytes.ToLower(value), "0123456789abcdef")
	for _, i := range []int{8, 13, 18, 23} {
		shown[i] = '-'
	}
	return shown
}

// jsonLike tells whether the value is an object, a list or a string of JSON. Its other values are like any others.
func jsonLike(value []byte) bool {
	text := bytes.TrimLeft(value, " \t\r\n")
	return len(text) > 0 && bytes.IndexByte([]byte(`{["`), text[0]) >= 0 && json.Valid(value)
}

// json gives JSON of the same structure for valid JSON: its keys stay where they look like names, its strings and numbers are stand-ins.
func (v *veil) json(value []byte) []byte {
	shown := bytes.Clone(value)
	for i := 0; i < len(shown); {
		switch c := shown[i]; {
		case c == '"':
			end := i + 1
			for shown[end] != '"' {
				if shown[end] == '\\' {
					end++
				}
				end++
			}
			v.jsonString(shown[i+1:end], isKey(shown[end+1:]))
			i = end + 1
		case c == '-' || '0' <= c && c <= '9':
			end := i + 1
			for end < len(shown) && bytes.IndexByte([]byte("0123456789.eE+-"), shown[end]) >= 0 {
				end++
			}
			if n, ok := v.number(shown[i:end]); ok {
				copy(shown[i:end], n)
			}
			i = end
		default:
			i++
		}
	}
	return shown
}

// isKey tells whether what stands before b is the key of an object.
func isKey(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == ':'
}

// jsonString replaces the inside of a string.
func (v *veil) jsonString(s []byte, key bool) {
	switch {
	case key && parameterName(s) && s[0] > '9':
	case bytes.IndexByte(s, '\\') >= 0:
		copy(s, v.letters(s, s))
	default:
		shown := v.plain(s)
		if bytes.IndexByte(shown, '\\') >= 0 {
			shown = v.letters(s, s)
		}
		copy(s, shown)
	}
}
