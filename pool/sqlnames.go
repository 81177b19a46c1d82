package pool

import (
	"bytes"
	"maps"
	"strings"

	"poolerd/pool/stmt"
	"poolerd/wire"
	"poolerd/wire/lex"
)

// The names of prepared statements in SQL: PREPARE, EXECUTE and DEALLOCATE know those that a client has given by Parse.

// exchangeNames writes the server's names into SQL's EXECUTE and DEALLOCATE of statements to which the client has given their names by Parse, and makes sure that the server has
// them. ok is false when there is nothing to write.
func (c *Client) exchangeNames(sql []byte) (other string, ok bool) {
	if c.names.Len() == 0 {
		return "", false
	}
	tokens, _ := lex.Tokens(nil, sql)
	var b strings.Builder
	done := 0
	for i := 0; i+1 < len(tokens); i++ {
		word := string(sql[tokens[i].From:tokens[i].To])
		if tokens[i].Kind != lex.Word || !strings.EqualFold(word, "execute") && !strings.EqualFold(word, "deallocate") {
			continue
		}
		name := tokens[i+1]
		if strings.EqualFold(string(sql[name.From:name.To]), "prepare") && i+2 < len(tokens) && tokens[i+2].Kind != lex.Symbol && len(word) > len("execute") {
			name = tokens[i+2] // DEALLOCATE PREPARE name
		}
		folded := fold(sql[name.From:name.To], name.Kind)
		if _, known := c.names.Get(folded); !known {
			continue
		}
		st, _ := c.needs(folded)
		b.Write(sql[done:name.From])
		b.WriteString(st.Name)
		done = name.To
	}
	if done == 0 {
		return "", false
	}
	b.Write(sql[done:])
	return b.String(), true
}

// retail puts another text before the parameter types of a Parse.
func retail(tail []byte, sql string) []byte { return append([]byte(sql), tail[len(text(tail)):]...) }

// fold gives the name that a token is.
func fold(token []byte, kind lex.TokenKind) []byte {
	if kind == lex.Quoted && len(token) > 1 {
		return bytes.ReplaceAll(token[1:len(token)-1], []byte(`""`), []byte(`"`))
	}
	return bytes.ToLower(token)
}

// taken is PostgreSQL's error about SQL's PREPARE of a name that the client has given to a statement by Parse; nil when it is free.
func (c *Client) taken(sql []byte) *wire.Error {
	list, _ := lex.Effects(sql)
	for _, e := range list {
		if _, known := c.names.Get([]byte(e.Name)); known && e.Kind == lex.Prepare {
			return wire.Errorf(wire.CodeDuplicatePreparedStatement, `prepared statement "%s" already exists`, e.Name)
		}
	}
	return nil
}

// say keeps what the client's Parse said where names were exchanged in it: its effect is on the client's names.
func (c *Client) say(st *stmt.Statement, tail []byte) {
	if c.said == nil {
		c.said = map[*stmt.Statement][]byte{}
	}
	maps.DeleteFunc(c.said, func(st *stmt.Statement, _ []byte) bool { return !c.names.Holds(st) })
	c.said[st] = bytes.Clone(tail)
}

// has tells whether the client has given name to a statement, by Parse or by SQL.
func (c *Client) has(name []byte) bool {
	if _, ok := c.names.Get(name); ok {
		return true
	}
	_, ok := c.prepared[string(name)]
	return ok
}
