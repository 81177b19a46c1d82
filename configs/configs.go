// Package configs holds the files that an operator copies and edits, and
// gives the program those that it carries with it. It has no behaviour.
package configs

import _ "embed"

// FountainSQL is fountain.sql: the schema and the data of the Fountain Array
// sample. It is plain SQL, without psql's backslash commands, for an empty
// database and a superuser; the setting fountain.scale is its size (1 when
// unset).
//
//go:embed fountain.sql
var FountainSQL string
