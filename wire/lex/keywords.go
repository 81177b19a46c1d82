package lex

// PostgreSQL's documentation, "SQL Key Words": of all versions up to 18.

// reserved: neither a name nor a value, unless quoted.
func reserved(lower string) bool {
	switch lower {
	case "all", "analyse", "analyze", "and", "any", "array", "as", "asc", "asymmetric", "both", "case", "cast", "check", "collate", "column",
		"constraint", "create", "current_catalog", "current_date", "current_role", "current_time", "current_timestamp", "current_user", "default",
		"deferrable", "desc", "distinct", "do", "else", "end", "except", "false", "fetch", "for", "foreign", "from", "grant", "group", "having",
		"in", "initially", "intersect", "into", "lateral", "leading", "limit", "localtime", "localtimestamp", "not", "null", "offset", "on", "only",
		"or", "order", "placing", "primary", "references", "returning", "select", "session_user", "some", "symmetric", "system_user", "table",
		"then", "to", "trailing", "true", "union", "unique", "user", "using", "variadic", "when", "where", "window", "with":
		return true
	}
	return false
}

// functionName: reserved, but may name a function or a type, and be a value.
func functionName(lower string) bool {
	switch lower {
	case "authorization", "binary", "collation", "concurrently", "cross", "current_schema", "freeze", "full", "ilike", "inner", "is", "isnull", "join",
		"left", "like", "natural", "notnull", "outer", "overlaps", "right", "similar", "tablesample", "verbose":
		return true
	}
	return false
}
