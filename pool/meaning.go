package pool

import (
	"bytes"
	"strconv"

	"poolerd/pool/stmt"
	"poolerd/wire/lex"
)

// What a text means where it is parsed: the same text is another statement under another search_path or role.

// translate makes name stand for the same text where its names mean something else: the search_path or the role has changed since it was prepared, and PostgreSQL
// would look its names up again.
func (c *Client) translate(name []byte, st *stmt.Statement, meaning string) *stmt.Statement {
	other := c.pooler.statements.Intern(st.Tail, meaning)
	c.names.Replace(string(name), other)
	return other
}

// meaning is what the names in a text depend on where it is sent now.
func (c *Client) meaning() string {
	m := c.vars.Meaning()
	switch {
	case c.inDoubt: // nobody else's statement, nor used again
		c.doubts++
		return "?" + strconv.FormatUint(c.id, 36) + "." + strconv.FormatUint(c.doubts, 36)
	case c.within != nil:
		m = c.within.Meaning()
	}
	if c.path == "" || m == "" {
		return m + c.path
	}
	return m + "\x00" + c.path
}

// meaningOf is meaning, and for a text that depends on what the session has (FETCH of a cursor, EXECUTE) a meaning of the client's own: PostgreSQL finds its columns when it is parsed.
func (c *Client) meaningOf(sql []byte) string {
	if !lex.Sessional(sql) {
		return c.meaning()
	}
	c.doubts++
	return "!" + strconv.FormatUint(c.id, 36) + "." + strconv.FormatUint(c.doubts, 36)
}

func private(meaning string) bool { return meaning != "" && meaning[0] == '!' }

// setPath is told of a text that sets the search_path or the role by a function for the transaction. What it sets them to stands in the text, or in parameters: then the statements of
// such transactions are kept apart from others, as if they shared a connection among themselves.
func (c *Client) setPath(sql []byte) {
	c.path = "~"
	if bytes.IndexByte(sql, '$') < 0 {
		c.path += string(sql)
	}
}
