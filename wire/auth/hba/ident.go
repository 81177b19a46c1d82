package hba

import (
	"fmt"
	"regexp"
	"strings"
)

// Idents is a file of user name maps. It does not change, and is safe for concurrent use. A nil Idents has no map.
type Idents struct {
	maps map[string][]mapping
}

// mapping is a line: a system's user may log in as a database's.
type mapping struct {
	system  string
	pattern *regexp.Regexp // in place of system
	user    name
}

// ParseIdents reads a file; see Parse.
func ParseIdents(file string, text []byte, include Include) (*Idents, error) {
	s := &source{include: include}
	i := &Idents{maps: map[string][]mapping{}}
	s.lines(file, text, 0, func(l line) {
		before := len(s.problems)
		if mapName, m := s.mapping(l); len(s.problems) == before {
			i.maps[mapName] = append(i.maps[mapName], m)
		}
	})
	if err := s.err(); err != nil {
		return nil, err
	}
	return i, nil
}

// mapping reads a line: the map's name, the system's user, the database's.
func (s *source) mapping(l line) (mapName string, m mapping) {
	switch len(l.fields) {
	case 3:
	case 1, 2:
		s.complain(l, "missing entry at end of line")
		return "", m
	default:
		s.complain(l, "more than a map, a system user and a database user")
		return "", m
	}
	for i, f := range l.fields {
		if len(f) > 1 {
			s.complain(l, "multiple values in ident field %d", i+1)
			return "", m
		}
	}
	system, user := l.fields[1][0], l.fields[2][0]
	m.system = system.text
	if expression, ok := strings.CutPrefix(system.text, "/"); ok {
		pattern, err := compile(expression)
		if err != nil {
			s.complain(l, `invalid regular expression "%s": %s`, expression, err)
			return "", m
		}
		m.pattern = pattern
	}
	m.user, _ = s.name(l, user, false)
	if m.pattern != nil && m.user.kind == nameLiteral && strings.Contains(m.user.text, `\1`) && m.pattern.NumSubexp() == 0 {
		s.complain(l, `regular expression "%s" has no subexpressions as requested by backreference in "%s"`, system.text[1:], user.text)
	}
	return l.fields[0][0].text, m
}

// Allows tells whether a map lets a system's user, of a peer or a certificate, log in as a database's. With no map, "", the two must be equal. A map that does not exist lets nobody in.
func (i *Idents) Allows(mapName, systemUser, databaseUser string) bool {
	switch {
	case systemUser == "":
		return false
	case mapName == "":
		return systemUser == databaseUser
	case i == nil:
		return false
	}
	for _, m := range i.maps[mapName] {
		if m.allows(systemUser, databaseUser) {
			return true
		}
	}
	return false
}

func (m mapping) allows(systemUser, databaseUser string) bool {
	user := m.user
	if m.pattern == nil {
		if m.system != systemUser {
			return false
		}
		return user.match(databaseUser, "")
	}
	found := m.pattern.FindStringSubmatch(systemUser)
	if found == nil {
		return false
	}
	if user.kind == nameLiteral && len(found) > 1 {
		user.text = strings.Replace(user.text, `\1`, found[1], 1)
	}
	return user.match(databaseUser, "")
}

// Has tells whether there is a map of a name.
func (i *Idents) Has(mapName string) bool { return i != nil && len(i.maps[mapName]) > 0 }

// CheckMaps names the rules whose map does not exist, since they let nobody in. The error is Problems.
func (r *Rules) CheckMaps(i *Idents) error {
	var problems Problems
	for _, rule := range r.List() {
		if rule.Map != "" && !i.Has(rule.Map) {
			problems = append(problems, Problem{File: rule.File, Line: rule.Line, Text: fmt.Sprintf(`ident map "%s" is not found in the ident file`, rule.Map)})
		}
	}
	if problems == nil {
		return nil
	}
	return problems
}
