package wire

import "strings"

// ParseOptions reads the startup parameter "options", which looks like a command line: -c name=value, -cname=value and --name=value, separated by
// whitespace; a backslash makes the next character part of a word. Dashes in names become underscores. Every other switch is refused with an *Error:
// it means nothing to a server that is started already, or has a name as a parameter.
func ParseOptions(s string) ([]Param, error) {
	var list []Param
	words := splitOptions(s)
	for i := 0; i < len(words); i++ {
		var setting string
		switch word := words[i]; {
		case word == "-c":
			i++
			if i == len(words) {
				return nil, Fatalf(CodeSyntaxError, `startup parameter "options": -c needs name=value behind it`)
			}
			setting = words[i]
		case strings.HasPrefix(word, "-c"):
			setting = word[len("-c"):]
		case strings.HasPrefix(word, "--") && word != "--":
			setting = word[len("--"):]
		default:
			return nil, Fatalf(CodeSyntaxError, `startup parameter "options": %q is not supported, only -c name=value and --name=value`, word)
		}
		name, value, ok := strings.Cut(setting, "=")
		if !ok || name == "" {
			return nil, Fatalf(CodeSyntaxError, `startup parameter "options": %q is not name=value`, setting)
		}
		list = append(list, Param{strings.ReplaceAll(name, "-", "_"), value})
	}
	return list, nil
}

// splitOptions splits at whitespace. A backslash at the end stands for nothing.
func splitOptions(s string) []string {
	var words []string
	var word strings.Builder
	inside := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == ' ' || '\t' <= c && c <= '\r':
			if inside {
				words = append(words, word.String())
			}
			inside = false
			word.Reset()
			continue
		case c == '\\':
			if i++; i < len(s) {
				word.WriteByte(s[i])
			}
		default:
			word.WriteByte(c)
		}
		inside = true
	}
	if inside {
		words = append(words, word.String())
	}
	return words
}
