package admin

import (
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

func TestExtended(t *testing.T) {
	type messages = []pgproto3.FrontendMessage
	parse := func(name, sql string) *pgproto3.Parse { return &pgproto3.Parse{Name: name, Query: sql} }
	bind := func(portal, statement string, formats ...int16) *pgproto3.Bind {
		return &pgproto3.Bind{DestinationPortal: portal, PreparedStatement: statement, ResultFormatCodes: formats}
	}
	run := func(portal string, rows uint32) *pgproto3.Execute {
		return &pgproto3.Execute{Portal: portal, MaxRows: rows}
	}
	describe := func(kind byte, name string) *pgproto3.Describe {
		return &pgproto3.Describe{ObjectType: kind, Name: name}
	}
	sync := &pgproto3.Sync{}
	for _, test := range []struct {
		name                string
		ask                 messages
		types, code, reason string
	}{
		{"whole", messages{parse("", "SHOW STATE"), describe('S', ""), bind("", ""), describe('P', ""), run("", 0), sync}, "1tT2TDDDCZ", "", ""},
		{"empty", messages{parse("", "-- ping"), describe('S', ""), bind("", ""), run("", 0), sync}, "1tn2IZ", "", ""},
		{"no rows", messages{parse("", "RELOAD"), describe('S', ""), bind("", ""), describe('P', ""), run("", 0), sync}, "1tn2nCZ", "", ""},
		{"in parts", messages{parse("", "SHOW STATE"), bind("p", ""), run("p", 2), run("p", 2), run("p", 2), sync}, "12DDsDCCZ", "", ""},
		{"as many as wanted", messages{parse("", "SHOW STATE"), bind("p", ""), run("p", 3), sync}, "12DDDCZ", "", ""},
		{"run again", messages{parse("", "RELOAD"), bind("", ""), run("", 0), run("", 0), sync}, "12CEZ", "55000", "again"},
		{"unknown command", messages{parse("", "FROB"), bind("", ""), run("", 0), sync}, "EZ", "08P01", "FROB"},
		{"two commands", messages{parse("", "SHOW STATE; SHOW POOLS"), sync}, "EZ", "42601", "one command"},
		{"unended", messages{parse("", "SHOW '"), sync}, "EZ", "42601", "no end"},
		{"parameter types", messages{&pgproto3.Parse{Query: "SHOW STATE", ParameterOIDs: []uint32{23}}, sync}, "EZ", "0A000", "parameters"},
		{"parameters", messages{parse("", "SHOW STATE"), &pgproto3.Bind{Parameters: [][]byte{nil}}, sync}, "1EZ", "08P01", "parameters"},
		{"formats", messages{parse("", "SHOW STATE"), bind("", "", 0, 0, 0), sync}, "1EZ", "08P01", "3 result formats for 2 columns"},
		{"format", messages{parse("", "SHOW STATE"), bind("", "", 2), sync}, "1EZ", "22023", "format 2"},
		{"duplicate", messages{parse("a", "SHOW STATE"), parse("a", "SHOW STATE"), sync}, "1EZ", "42P05", `"a"`},
		{"closed", messages{parse("a", "SHOW STATE"), &pgproto3.Close{ObjectType: 'S', Name: "a"}, parse("a", "SHOW STATE"), sync}, "131Z", "", ""},
		{"duplicate portal", messages{parse("", "SHOW STATE"), bind("p", ""), bind("p", ""), sync}, "12EZ", "42P03", `"p"`},
		{"closed portal", messages{parse("", "SHOW STATE"), bind("p", ""), &pgproto3.Close{ObjectType: 'P', Name: "p"}, run("p", 0), sync}, "123EZ", "34000", `"p"`},
		{"no statement", messages{bind("", "a"), sync}, "EZ", "26000", `"a"`},
		{"no statement to describe", messages{describe('S', "a"), sync}, "EZ", "26000", `"a"`},
		{"no portal to describe", messages{describe('P', "a"), sync}, "EZ", "34000", `"a"`},
		{"portals end with Sync", messages{parse("", "SHOW STATE"), bind("p", ""), sync}, "12Z", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			x := connect(t, newConsole(t), "root")
			check(t, x.ask(test.ask...), test.types, "", test.code, test.reason)
			check(t, x.ask(run("p", 0), sync), "EZ", "", "34000", "portal")
			if got := x.query("SHOW VERSION").types; got != "TDCZ" {
				t.Errorf("afterwards SHOW VERSION gives %s", got)
			}
			check(t, x.ask(bind("", ""), sync), "EZ", "", "26000", "does not exist")
		})
	}
}

func TestStatementOutlivesSync(t *testing.T) {
	x := connect(t, newConsole(t), "root")
	check(t, x.ask(&pgproto3.Parse{Name: "a", Query: "show state"}, &pgproto3.Sync{}), "1Z", "", "", "")
	check(t, x.ask(&pgproto3.Bind{PreparedStatement: "a"}, &pgproto3.Execute{}, &pgproto3.Sync{}), "2DDDCZ", "SHOW", "", "")
}

func TestStatementsAreBounded(t *testing.T) {
	x := connect(t, newConsole(t), "root")
	for i := range mostPrepared {
		x.Send(&pgproto3.Parse{Name: fmt.Sprint(i), Query: "SHOW STATE"})
	}
	if a := x.ask(&pgproto3.Sync{}); a.err != nil {
		t.Fatal(a.err)
	}
	check(t, x.ask(&pgproto3.Parse{Name: "x", Query: "SHOW STATE"}, &pgproto3.Sync{}), "EZ", "", "54000", "1000")
}

// TestFlush: replies come at a Flush without a ReadyForQuery.
func TestFlush(t *testing.T) {
	x := connect(t, newConsole(t), "root")
	x.Send(&pgproto3.Parse{Query: "SHOW STATE"})
	x.Send(&pgproto3.Flush{})
	if err := x.Flush(); err != nil {
		t.Fatal(err)
	}
	if m, ok := x.next().(*pgproto3.ParseComplete); !ok {
		t.Errorf("got %T", m)
	}
}
