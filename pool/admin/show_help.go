package admin

import (
	"strings"

	"poolerd/wire"
)

// help lists the commands in a notice, as PgBouncer does.
func (c *Console) help() (result, *wire.Error) {
	var shown, rest []string
	for _, name := range c.names {
		if what, ok := strings.CutPrefix(name, "show "); ok {
			shown = append(shown, what)
			continue
		}
		rest = append(rest, name)
	}
	lines := append([]string{"", "show " + strings.Join(shown, "|")}, rest...)
	return result{notices: []*wire.Error{{
		Severity: "NOTICE", Code: "00000", Message: "Commands of the console", Detail: strings.ToUpper(strings.Join(lines, "\n\t")),
	}}}, nil
}
