package record_test

import (
	"encoding/json"
	"strings"
	"testing"

	"poolerd/wire"
	"poolerd/wire/record"
)

// Secrets, as PostgREST hands them on.
const (
	hushClaims  = `{"role":"web_anon","sub":"everardo-47114711","email":"everardo@hushhushhush.example"}`
	hushHeaders = `{"authorization":"Bearer eyJhushhushhush.x.y"}`
	hushCookies = `{"session":"hushcookie99"}`
)

// hushed are the parts of them that a search finds.
func hushed() []string {
	return []string{"everardo", "47114711", "hushhush", "eyJhush", "hushcookie", "hunter2", "swordfish"}
}

// TestSecretsNever: whatever the mode and whatever the way in which a secret is said.
func TestSecretsNever(t *testing.T) {
	for _, mode := range []record.Mode{record.Hashed, record.Kept} {
		t.Run(mode.String(), func(t *testing.T) {
			p := newTape(t, mode)
			query := func(sql string) { p.message(1, wire.ClientQuery, []byte(sql+"\x00")) }
			// PostgREST's way.
			p.message(1, wire.ClientParse, parse("1", "select set_config('search_path', $1, true), set_config($2, $3, true), set_config('role', $4, true), "+
				"set_config('request.jwt.claims', $5, true), set_config('request.headers', $6, true), set_config('request.cookies', $7, true), "+
				"set_config('request.path', $8, true), set_config($9, $10, true)", 705))
			p.message(1, wire.ClientBind, bind("", "1", 0, `"api", "public"`, "statement_timeout", "5s", "web_anon", hushClaims, hushHeaders, hushCookies, "/hushhush/everardo", "app.settings.jwt_secret", "swordfish"))
			p.message(1, wire.ClientBind, bind("", "1", 1, `"api", "public"`, "statement_timeout", "5s", "web_anon", hushClaims, hushHeaders, hushCookies, "/hushhush/everardo", "app.settings.jwt_secret", "swordfish"))
			// With casts, with expressions, without a statement that was seen, with a statement that was given another text.
			p.message(1, wire.ClientParse, parse("2", `SELECT pg_catalog.set_config ( 'request.jwt.claims'::text , $1::text, true), "set_config"('x', $2, false), set_config('a' || 'b', lower($3), true)`))
			p.message(1, wire.ClientBind, bind("", "2", 0, hushClaims, hushHeaders, "everardo hushhush 47114711"))
			p.message(1, wire.ClientBind, bind("", "nobody", 0, hushClaims, hushHeaders, "everardo hushhush 47114711"))
			p.message(1, wire.ClientParse, parse("2", "SELECT 1"))
			p.message(1, wire.ClientBind, bind("", "2", 0, "plain"))
			// A name that was not given to a new text, since the server refused that.
			p.message(1, wire.ClientParse, parse("1", "SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10"))
			p.message(1, wire.ClientSync, nil)
			if err := p.w.Ready(1, p.at(), wire.TxIdle, "42P05"); err != nil {
				t.Fatal(err)
			}
			p.message(1, wire.ClientBind, bind("", "1", 0, `"api", "public"`, "statement_timeout", "5s", "web_anon", hushClaims, hushHeaders, hushCookies, "/hushhush/everardo", "app.settings.jwt_secret", "swordfish"))
			// Statements that speak of secrets.
			p.message(1, wire.ClientParse, parse("3", "SELECT id FROM users WHERE name = $1 AND password = crypt($2, password)"))
			p.message(1, wire.ClientBind, bind("", "3", 0, "everardo", "hunter2"))
			p.message(1, wire.ClientParse, parse("4", "INSERT INTO t SELECT * FROM json_to_record($1) AS x(a text)"))
			p.message(1, wire.ClientBind, bind("", "4", 0, `{"password": "hunter2"}`))
			p.message(1, wire.ClientBind, bind("", "4", 0, `{"a": "eyJhbGciOiJIUzI1NiJ9.swordfish"}`))
			// Simple queries.
			query("ALTER ROLE joe PASSWORD 'hunter2'")
			query("create user joe with login encrypted password 'swordfish' valid until 'infinity'")
			query("SELECT 1; ALTER ROLE joe\nPASSWORD 'hunter2'")
			query("ALTER USER MAPPING FOR joe SERVER s OPTIONS (SET password 'hunter2')")
			query("DO $$ BEGIN ALTER ROLE joe PASSWORD 'hunter2'; END $$")
			query("DO $$ BEGIN EXECUTE format('ALTER ROLE %I PASSWORD %L', 'everardo', 'hunter2'); END $$")
			query("CREATE SUBSCRIPTION s CONNECTION 'host=x password=hunter2' PUBLICATION p")
			query("SELECT dblink_connect('host=hushhush password=swordfish')")
			query("SELECT * FROM dblink('postgres://joe:swordfish@hushhush/', 'SELECT 1')")
			query("SET request.jwt.claims = '" + hushClaims + "'")
			query(`SET LOCAL "request.jwt.claim.sub" TO 'everardo-47114711'; SELECT 1`)
			query("SET SESSION request.jwt.claim.sub TO hushhush")
			query("SELECT set_config('request.headers', '" + hushHeaders + "', true)")
			query("SELECT set_config('request.headers', E'{\"a\":\"hushhush\\n\"}', true), set_config('request.cookies', $x$" + hushCookies + "$x$, true)")
			query("SELECT /* token hushhush */ 1 -- everardo")
			query("SELECT login('everardo', secret => 'hunter2'")
			query("SELECT 'everardo' 'no end")
			query("SET ROLE web_anon; SELECT set_config('request.jwt.claims', '" + hushClaims + "', true)")
			p.message(1, wire.ClientFunctionCall, []byte("swordfish"))
			p.message(1, wire.ClientCopyData, []byte("everardo\thunter2\n"))
			p.message(1, wire.ClientCopyFail, []byte("hushhush\x00"))
			p.message(1, wire.ClientPassword, []byte("hunter2\x00"))
			all, raw := p.end()
			for _, word := range hushed() {
				if mode == record.Kept && word == "everardo" { // a name that no rule covers
					raw = strings.ReplaceAll(raw, "SELECT 'everardo' 'no end", "")
				}
				if i := strings.Index(strings.ToLower(raw), strings.ToLower(word)); i >= 0 {
					t.Errorf("%q is in the file: %q", word, raw[max(0, i-60):min(len(raw), i+40)])
				}
			}
			binds := 0
			for _, rec := range all {
				if rec.Message.Type != wire.ClientBind {
					continue
				}
				if binds++; binds > 2 {
					continue
				}
				for i, want := range []struct {
					value   string
					standIn bool
				}{{`"api", "public"`, false}, {"statement_timeout", false}, {"5s", false}, {"web_anon", false}} {
					if v := rec.Message.Params[i]; string(v.Value) != want.value || v.StandIn != want.standIn {
						t.Errorf("parameter %d is %q, %v", i+1, v.Value, v.StandIn)
					}
				}
				for i, secret := range map[int]string{4: hushClaims, 5: hushHeaders, 6: hushCookies, 7: "/hushhush/everardo", 8: "app.settings.jwt_secret", 9: "swordfish"} {
					v := rec.Message.Params[i]
					if len(v.Value) != len(secret) || i != 8 && !v.StandIn || i < 7 && !json.Valid(v.Value) {
						t.Errorf("parameter %d is %q, %v", i+1, v.Value, v.StandIn)
					}
				}
			}
			if binds != 9 {
				t.Errorf("%d Binds", binds)
			}
		})
	}
}

// TestHashed: constants and parameters are gone, and equal ones are equal.
func TestHashed(t *testing.T) {
	p := newTape(t, record.Hashed)
	p.message(1, wire.ClientParse, parse("1", "SELECT $1, $2, 'code'"))
	p.message(1, wire.ClientBind, bind("", "1", 0, "Alice Cooper", "123456"))
	p.message(1, wire.ClientBind, bind("", "1", 0, "Alice Cooper", "123457"))
	p.message(2, wire.ClientParse, parse("", "UPDATE t SET a = $1"))
	p.message(2, wire.ClientBind, bind("", "", 0, "Alice Cooper"))
	p.message(2, wire.ClientQuery, []byte("SELECT * FROM t WHERE name = 'Alice Cooper' AND id = 123456\x00"))
	p.message(2, wire.ClientParse, parse("", "SELECT * FROM t WHERE name = 'Alice Cooper'"))
	all, raw := p.end()
	for _, word := range []string{"Alice", "Cooper", "123456", "123457"} {
		if strings.Contains(raw, word) {
			t.Errorf("%q is in the file", word)
		}
	}
	if !strings.Contains(raw, "SELECT $1, $2, 'code'") {
		t.Error("the text of a statement with parameters has changed")
	}
	var params [][]record.Param
	var texts []string
	for _, rec := range all {
		if rec.Message.Type == wire.ClientBind {
			params = append(params, rec.Message.Params)
		}
		if rec.Kind == record.KindStatement {
			texts = append(texts, rec.Statement.Text)
		}
	}
	name := string(params[0][0].Value)
	if string(params[1][0].Value) != name || string(params[2][0].Value) != name {
		t.Errorf("equal values differ: %q", name)
	}
	if string(params[0][1].Value) == string(params[1][1].Value) {
		t.Errorf("different numbers are equal: %q", params[0][1].Value)
	}
	if want := "SELECT * FROM t WHERE name = '" + name + "' AND id = " + string(params[0][1].Value); texts[2] != want {
		// The constant's stand-in is the parameter's.
		t.Errorf("the text is %q, want %q", texts[2], want)
	}
	other := newTape(t, record.Hashed)
	other.message(1, wire.ClientBind, bind("", "1", 0, "Alice Cooper"))
	if again, _ := other.end(); string(again[0].Message.Params[0].Value) == name {
		t.Error("another file has the same stand-in")
	}
}
