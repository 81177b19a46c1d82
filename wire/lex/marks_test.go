package lex_test

import (
	"strings"
	"testing"

	"poolerd/wire/lex"
)

func TestMark(t *testing.T) {
	long := strings.Repeat(" ", 5000)
	for _, c := range []struct{ sql, want string }{
		{"", "none"},
		{"x", "none"},
		{"DO", "opaque"},
		{"SELECT abalance FROM pgbench_accounts WHERE aid = $1", "none"},
		{"BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY", "none"},
		{"SELECT 1\x00CREATE TEMP TABLE t ()", "none"},

		{"CREATE TEMP TABLE t ()", "temp|ddl"},
		{"create temporary table t ()", "temp|ddl"},
		{"CREATE LOCAL TEMP TABLE t ()", "temp|ddl"},
		{"CREATE GLOBAL TEMPORARY TABLE t ()", "temp|ddl"},
		{"CREATE OR REPLACE TEMP VIEW v AS SELECT 1", "temp|ddl"},
		{"SELECT * INTO TEMP t FROM a", "temp"},
		{"SELECT * INTO LOCAL TEMPORARY TABLE t FROM a", "temp"},
		{"CREATE\n\tTEMP\nTABLE t ()", "temp|ddl"},
		{"CREATE/**/TEMP TABLE t ()", "temp|ddl"},
		{"CREATE /* a */ /* b */\nTEMP TABLE t ()", "temp|ddl"},
		{"CREATE /* a /* b */ c */ TEMP TABLE t ()", "temp|ddl"},
		{"CREATE -- a\n -- b -- c\n TEMP TABLE t ()", "temp|ddl"},
		{"CREATE --------- a\r TEMP TABLE t ()", "temp|ddl"},
		{"SELECT '--'; CREATE -- a\n TEMP TABLE t ()", "temp|ddl"},
		{"CREATE" + long + "TEMP TABLE t ()", "temp|ddl"},
		{"SELECT 1INTO TEMP t", "temp"}, // up to PostgreSQL 14
		{"CREATE TABLE pg_temp.t ()", "temp|ddl"},
		{"SET search_path TO pg_temp_3", "temp"},
		{`SET search_path TO "pg_temp"`, "temp"},
		{"SELECT temp FROM t", "none"},
		{"SELECT t.temp, temporary FROM t", "none"},
		{"SELECT a, /* create */ temp FROM t", "none"},
		{"SELECT a, -- the heat\n temp FROM t", "none"},
		{"SELECT a, -- create\n temp FROM t", "temp"}, // in doubt: the dashes may be in a string
		{"INSERT INTO temp VALUES (1)", "insert"},
		{"CREATE TABLE t (temp int)", "ddl"},
		{"CREATE TABLE temp (a int)", "ddl"},
		{"CREATE TABLE temporal (a int)", "ddl"},
		{"SELECT 'create template'", "none"},

		{"SELECT pg_advisory_lock(1)", "advisory"},
		{"SELECT PG_TRY_ADVISORY_LOCK_SHARED(1)", "advisory"},
		{`SELECT "pg_advisory_lock"(1)`, "advisory"},
		{"SELECT pg_catalog.pg_advisory_lock(1)", "advisory"},
		{"SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock_shared(2)", "none"},
		{"SELECT pg_advisory_unlock_all()", "ends"},
		{"SELECT my_pg_advisory_lock(1)", "none"},

		{"DECLARE c CURSOR WITH HOLD FOR SELECT 1", "hold"},
		{"DECLARE c CURSOR WITH -- x\n hold FOR SELECT 1", "hold"},
		{"DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1", "none"},
		{"SELECT hold FROM t", "none"},

		{postgrest, "path"},
		{"SELECT set_config('a.b', $1, true)", "none"},
		{"SELECT set_config('a.b', $12, true), set_config ( 'c.d' , '', 't'::boolean ), set_config('e.f', 'it''s', 'on' :: bool), set_config('g.h', x.y, TRUE)", "none"},
		{"SELECT set_config('a.b'::text, '{\"a\\\"b\": 1, (2)}'::text, true)", "none"},
		{"SELECT set_config('a.b', $1, false)", "set_config"},
		{"SELECT set_config('a.b', $1, $2)", "set_config"},
		{"SELECT set_config('a.b', $123, true)", "none"},
		{"SELECT set_config('a.b', $1, true )", "none"},
		{"SELECT set_config('a.b', $1, not true)", "set_config"},
		{"SELECT set_config('a.b', $1, true and false)", "set_config"},
		{"SELECT set_config('a.b', $1, 'true'::text::bool)", "set_config"},
		{"SELECT set_config('a.b', $1, \"true\")", "set_config"},
		{"SELECT set_config('a.b', f(1, true), false)", "set_config"},
		{"SELECT set_config('a.b', f(1, true), true)", "set_config"}, // in doubt
		{"SELECT set_config('a.b', /* , true) */ '', false)", "set_config"},
		{"SELECT set_config('a.b', $1, true /* */)", "set_config"},
		{"SELECT set_config('a\\', 'b, x, true)', false)", "set_config|path"},
		{"SELECT set_config('a.b', $a$, true)$a$, false)", "set_config"},
		{"SELECT set_config('a.b', E'\\'', true)", "set_config"},
		{"SELECT set_config('a.b', 'x", "set_config"},
		{"SELECT set_config", "none"},
		{"SELECT set_config/**/('a.b', '', false)", "set_config|path"},
		{"SELECT \"set_config\"('a.b', '', false)", "set_config"},
		{"SELECT set_config(is_local => false, setting_name => 'x', new_value => 'true')", "set_config|path"},
		{"DO 'BEGIN PERFORM set_config(''a.b'', '''', true); END'", "set_config|opaque"}, // in doubt
		{"DO 'BEGIN PERFORM set_config(''a.b'', ''x, true)'', false); END'", "set_config|opaque"},
		{"SELECT set_config('search_path', 'a', false)", "set_config|path"},
		{"SELECT set_config('Role', 'a', true)", "path"},
		{"SELECT set_config($1, 'a', true)", "path"},
		{"SELECT set_limit(0.5)", "set_config"},

		{"UPDATE pg_settings SET setting = 'a' WHERE name = 'b'", "set_config"},
		{"UPDATE ONLY /* x */ pg_catalog.pg_settings SET setting = 'a'", "set_config"},
		{`update "pg_catalog"."pg_settings" set setting = 'a'`, "set_config"},
		{"SELECT name FROM pg_catalog.pg_settings", "none"},
		{"SELECT name FROM ONLY pg_settings FOR UPDATE", "none"},

		{"SELECT currval('s'), lastval()", "sequence read"},
		{"SELECT currval\n ('s')", "sequence read"},
		{"SELECT currval FROM t", "none"},
		{"SELECT nextval('s')", "sequence"},
		{"SELECT setval('s', 1)", "sequence"},
		{"INSERT INTO t VALUES (1)", "insert"},
		{"WITH x AS (INSERT /* */ INTO t VALUES (1) RETURNING *) SELECT * FROM x", "insert"},
		{"MERGE INTO t USING u ON true WHEN MATCHED THEN DO NOTHING", "insert"},
		{"MERGE INTO t USING u ON true WHEN NOT MATCHED THEN INSERT VALUES (1)", "insert"},
		{"COPY t FROM STDIN", "insert"},
		{"COPY (SELECT 1) TO STDOUT", "none"},
		{"SELECT copy, inserted FROM t", "none"},
		{"CREATE TRIGGER x BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION f()", "ddl"},
		{"UPDATE t SET id = DEFAULT", "insert"},
		{"UPDATE t SET (a, id) = (1, DEFAULT)", "insert"},
		{"CREATE TABLE t (a int DEFAULT 1)", "ddl"},

		{"NOTIFY a", "notify"},
		{"SELECT pg_notify('a', 'b')", "notify"},
		{"LISTEN a", "listen"},
		{"UNLISTEN *", "listen|ends"},

		{"DO $$BEGIN END$$", "opaque"},
		{"DO$$BEGIN END$$", "none"}, // one word
		{"do 'BEGIN END'", "opaque"},
		{" /* x */ -- y\n DO LANGUAGE plpgsql ''", "opaque"},
		{"SELECT 1; DO ''", "opaque"},
		{"SELECT 1;/* x */DO ''", "opaque"},
		{"SELECT '; -- '; DO ''", "opaque"},
		{"SELECT ';' /* no end; ; /*", "opaque"}, // in doubt
		{"CALL p()", "opaque"},
		{"SELECT 1;\nCALL p()", "opaque"},
		{"-- x\nCALL p()", "opaque"},
		{"/* no end", "opaque"},
		{"INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "insert"},
		{"INSERT INTO t VALUES (1) ON CONFLICT (a) -- x\n DO UPDATE SET a = 1", "insert"},
		{"DOMAIN", "none"},
		{"SELECT do_it(), call FROM calls", "none"},

		{"SELECT setseed(0.5)", "sticky"},
		{"SELECT setseed FROM t", "none"},
		{"SET temp_buffers = 100", "sticky"},
		{"set session Temp_Buffers to default", "sticky"},
		{"BEGIN; SET LOCAL \"temp_buffers\" TO '1MB'", "sticky"},
		{"SHOW temp_buffers", "none"},
		{"SELECT current_setting('temp_buffers')", "none"},
		{"SELECT dblink_connect_u('a', 'b')", "sticky"},
		{"SELECT pg_replication_origin_session_setup('a')", "sticky"},
		{"SELECT pg_create_logical_replication_slot('a', 'b', true)", "sticky"},
		{"SELECT * FROM pg_create_physical_replication_slot('a', true, true)", "sticky"},
		{"SELECT pg_backup_start('a')", "sticky"},
		{"SELECT * FROM pg_backup_stop()", "ends"},
		{"SELECT dblink_disconnect('a')", "ends"},
		{"LOAD 'auto_explain'", "sticky"},
		{"load E'auto_explain'", "sticky"},
		{"SELECT 1; LOAD $$auto_explain$$", "sticky"},
		{"SELECT load FROM t", "none"},
		{"DO $$BEGIN LOAD 'auto_explain'; END$$", "opaque|sticky"},

		{"PREPARE a AS SELECT 1", "prepare"},
		{"PREPARE transaction AS SELECT 1", "prepare"},
		{"PREPARE transaction(int) AS SELECT $1", "prepare"},
		{`PREPARE "transaction" AS SELECT 1`, "prepare"},
		{"PREPARE TRANSACTION 'x'", "none"},
		{"PREPARE TRANSACTION E'x'", "none"},
		{"PREPARE transaction /* x */ AS SELECT 1", "prepare"},
		{"EXECUTE a(1)", "prepare"},
		{"EXPLAIN ANALYZE EXECUTE a", "prepare"},
		{"EXPLAIN (ANALYZE) EXECUTE a", "prepare"},
		{"CREATE TABLE t AS EXECUTE a", "prepare|ddl"},
		{"GRANT EXECUTE ON FUNCTION f TO joe", "none"},
		{"DEALLOCATE ALL", "prepare|ends"},
		{"DO $$BEGIN EXECUTE 'DEALLOCATE a'; END$$", "opaque|prepare|ends"},

		{"DROP TABLE t", "ends|ddl"},
		{"ALTER TABLE t SET SCHEMA s", "ends|ddl"},
		{"DISCARD TEMP", "ends"},
		{"CLOSE c", "ends"},
		{"SELECT close, dropped, \"drop\" FROM t", "none"},
		{"CREATE INDEX ON t (a)", "ddl"},
		{"EXPLAIN ANALYZE CREATE TABLE t AS SELECT 1", "ddl"},
		{"IMPORT FOREIGN SCHEMA a FROM SERVER b INTO c", "ddl"},
		{"SELECT 1; ; ALTER TABLE t ADD c int", "ends|ddl"},
		{"DO $$BEGIN ALTER TABLE t ADD c int; END$$", "opaque|ends|ddl"},
		{"DO E'BEGIN\\nCREATE TEMP TABLE t();\\x0aEND'", "temp|opaque|ddl"},
		{"DO E'BEGIN CREATE\\n TEMP TABLE t(); END'", "temp|opaque|ddl"},
		{"DO E'BEGIN\\011CREATE\\011TEMP TABLE t(); END'", "temp|opaque|ddl"},
		{"DO E'BEGIN\\012CREATE\\tTEMP TABLE t(); END'", "temp|opaque|ddl"},

		{"SET LOCAL search_path TO a", "path"},
		{"SET LOCAL \"search_path\" TO a", "path"},
		{"set local role a", "path"},
		{"SET LOCAL SESSION AUTHORIZATION a", "path"},
		{"SET LOCAL SCHEMA 'a'", "path"},
		{"SET LOCAL statement_timeout TO 1", "none"},
		{"SET search_path TO a", "none"},
	} {
		// Wherever in a text it stands, and with the next message behind it.
		for _, sql := range []string{c.sql, c.sql + "\x00", c.sql + "\x00; DO LISTEN pg_temp", strings.ToUpper(c.sql), "  \n" + c.sql} {
			if got := lex.Mark([]byte(sql)).String(); got != c.want && (sql != strings.ToUpper(c.sql) || !strings.Contains(sql, `\`)) {
				t.Errorf("Mark(%q) = %v, want %v", sql, got, c.want)
			}
		}
		for pad := range 12 {
			sql := strings.Repeat(";", pad) + c.sql
			if got := lex.Mark([]byte(sql)).String(); got != c.want {
				t.Errorf("Mark(%q) = %v, want %v", sql, got, c.want)
			}
		}
	}
}

func TestMarksString(t *testing.T) {
	if got := (lex.MarkTemp | lex.MarkAdvisory | lex.MarkPath).String(); got != "temp|advisory|path" {
		t.Errorf("got %q", got)
	}
}

func TestSetConfigs(t *testing.T) {
	for _, c := range []struct {
		sql, want string
		ok        bool
	}{
		{"SELECT 1", "", true},
		{postgrest, "", true},
		{"SELECT set_config('Search_Path', $1, false), SET_CONFIG('a.b', $1, true), set_config('c.d', f(1), false)", "search_path c.d", true},
		{"SELECT set_config ( 'a.b'::text , $1, $2)", "a.b", true},
		{"SELECT set_config($1, $2, $3)", "", false},
		{"SELECT set_config('a', '', false), set_config($1, $2, $3), set_config('b', '', false)", "a b", false},
		{"SELECT set_config($1, $2, true)", "", true},
		{"SELECT set_config('a' || 'b', '', false)", "", false},
		{"SELECT set_config(E'a', '', false)", "", false},
		{"SELECT set_config('a''b', '', false)", "", false},
		{"SELECT set_config(/* x */ 'a', '', false)", "", false},
		{"SELECT set_config /* x */ ('a', '', false)", "", false},
		{"SELECT set_config(setting_name => 'a', new_value => '', is_local => false)", "", false},
		{"DO 'BEGIN PERFORM set_config(''a.b'', '''', false); END'", "a.b", true},
		{"DO 'BEGIN PERFORM set_config(''a.b'' || x, '''', false); END'", "", false},
		{"DO $$BEGIN PERFORM set_config('a.b', '', false); EXECUTE 'SELECT set_config(''C.d'', '''', false)'; END$$", "a.b c.d", true},
		{"DO 'BEGIN PERFORM reset_config(); x := set_config; END'", "", true},
		{"SELECT set_limit(0.3), show_limit()", "pg_trgm.similarity_threshold", true},
		{"SELECT set_config('a', '', false)\x00, set_config('b', '', false)", "a", true},
		{"set_", "", true},
		{"UPDATE pg_settings SET setting = 'a' WHERE name = 'b'", "", false},
		{"SELECT name FROM pg_settings", "", true},
		{"SELECT set_config('a", "", false},
	} {
		names, ok := lex.SetConfigs([]byte(c.sql))
		if got := strings.Join(names, " "); got != c.want || ok != c.ok {
			t.Errorf("SetConfigs(%q) = %q, %v, want %q, %v", c.sql, got, ok, c.want, c.ok)
		}
	}
}
