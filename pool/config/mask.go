package config

import (
	"regexp"
	"strings"
)

// passwords finds the values of parameters such as ldapbindpasswd in a text; a quote that is not closed goes to its end.
var passwords = regexp.MustCompile(`(?i)(passw\w*\s*=\s*)('(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|\S+)`)

// hidden stands for a secret in what people see.
const hidden = "(hidden)"

// maskPasswords gives a text with its passwords masked.
func maskPasswords(text string) string { return passwords.ReplaceAllString(text, "${1}"+hidden) }

// shownValue is a key's value as a message may show it.
func shownValue(key, value string) string {
	if value != "" && strings.Contains(strings.ToLower(key), "passw") {
		return hidden
	}
	return maskPasswords(value)
}
