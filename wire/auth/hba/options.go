package hba

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Option is name=value at the end of a line.
type Option struct{ Name, Value string }

// String hides the value of ldapbindpasswd.
func (o Option) String() string {
	if o.Name == "ldapbindpasswd" {
		return o.Name + "=***"
	}
	return o.Name + "=" + quote(o.Value)
}

// Options is a list of options. Printed, it hides passwords; Text does not.
type Options []Option

// Text writes the options so that ParseOptions reads them again.
func (o Options) Text() string {
	words := make([]string, len(o))
	for i, option := range o {
		words[i] = quote(option.Name) + "=" + quote(option.Value)
	}
	return strings.Join(words, " ")
}

// ParseOptions reads options as they stand in a line, or in PgBouncer's auth_ldap_options: name=value, with blanks or commas between them, and quotes around what has blanks or commas.
// The error does not show values.
func ParseOptions(text string) (Options, error) {
	fields, _, problem := split(strings.TrimLeft(text, blanks+","))
	if problem != "" {
		return nil, errors.New(problem)
	}
	return parseOptions(fields)
}

func parseOptions(fields []field) (list Options, _ error) {
	for i, t := range slices.Concat(fields...) {
		name, value, ok := strings.Cut(t.text, "=")
		if !ok {
			return nil, fmt.Errorf("authentication option %d is not in name=value format", i+1)
		}
		list = append(list, Option{Name: name, Value: value})
	}
	return list, nil
}
