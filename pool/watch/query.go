package watch

import (
	"strings"
)

// The queries run under any search_path, so that they name the schema of all they use, operators too, and avoid what PostgreSQL looks up by itself: IN,
// LIKE, USING. They work from PostgreSQL 13 on: of a newer column they speak only through to_jsonb of the row. Every role may read these catalogs.
// 16384 is the first OID that is not PostgreSQL's own.
//
// Each row is: kind ('f' a function or procedure, 'r' a table, view or other relation), OID, schema, name, how the next column leads to it ('r' when it is
// read, 'w' when it is written, 'b' both, 's' each by the same; empty without the next), what leads to it (kind and OID, or empty), source (or NULL).

// bodies gives the bodies in which one of some regular expressions finds something. PostgreSQL builds an automaton anew for each text that it tries one on, and
// is quick only then; so each is first tried on 8 bodies in one, and then on those of the chunks where it was found. Two expressions are quicker than one for
// both, and one without \M than one with it. The second try must not be a condition of a join: it might be tried for every pair.
func bodies(patterns ...string) string {
	found := func(text string) string {
		var b strings.Builder
		for i, p := range patterns {
			if i > 0 {
				b.WriteString(` OR `)
			}
			b.WriteString(text + ` OPERATOR(pg_catalog.~*) ` + quote(p))
		}
		return b.String()
	}
	return `n AS MATERIALIZED (SELECT p.oid, p.prosrc, p.oid::pg_catalog.int8 OPERATOR(pg_catalog./) 8 AS chunk FROM pg_catalog.pg_proc p` +
		` JOIN pg_catalog.pg_language l ON l.oid OPERATOR(pg_catalog.=) p.prolang` +
		` WHERE p.oid OPERATOR(pg_catalog.>=) 16384 AND l.lanname OPERATOR(pg_catalog.<>) 'internal' AND l.lanname OPERATOR(pg_catalog.<>) 'c'),` +
		` c AS MATERIALIZED (SELECT pg_catalog.array_agg(n.oid) AS oids FROM n GROUP BY n.chunk HAVING ` + found(`pg_catalog.string_agg(n.prosrc, ';')`) + `),` +
		` m AS MATERIALIZED (SELECT o.oid FROM c CROSS JOIN LATERAL pg_catalog.unnest(c.oids) AS o(oid)),` +
		` b AS MATERIALIZED (SELECT p.oid, p.proname, p.pronamespace, p.prosrc FROM m JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) m.oid),` +
		` f AS MATERIALIZED (SELECT b.oid, b.proname, b.pronamespace, b.prosrc FROM b WHERE ` + found(`b.prosrc`) + `)`
}

// found are the rows of bodies.
const found = ` SELECT 'f' AS kind, f.oid::pg_catalog.text AS oid, s.nspname::pg_catalog.text, f.proname::pg_catalog.text, '', '', f.prosrc FROM f` +
	` JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) f.pronamespace`

// One of words and settings is found in every body that own finds something in.
const (
	words = `temp|advisory|hold|set_config|set_limit|pg_settings|currval|lastval|notify|listen|load|prepare|deallocate|discard|setseed|dblink_|_slot|_backup|backup_st` +
		`|origin_session|drop|reset|set\s+local`
	settings = `(^|[;>$'"]|\m(begin|then|else|loop))(\s|--[^\n]*\n|/\*[^*]*\*+/)*set\s`
)

// trees finds the functions of interest in a stored tree, in which they are OIDs.
const trees = `t AS MATERIALIZED (SELECT ':funcid (' OPERATOR(pg_catalog.||) pg_catalog.string_agg(p.oid::pg_catalog.text, '|') OPERATOR(pg_catalog.||) ') ' AS called` +
	` FROM pg_catalog.pg_proc p WHERE p.oid OPERATOR(pg_catalog.<) 16384 AND p.proname::pg_catalog.text OPERATOR(pg_catalog.~)` +
	` '^(pg_(try_)?advisory_(un)?lock(_shared|_all)?|set_config|pg_notify|currval|lastval|setseed)$')`

// first asks for the bodies that have a word of interest, and for the stored trees that call a function of interest.
func first() string {
	return `WITH ` + bodies(words, settings) + `, ` + trees + found +
		` UNION ALL SELECT 'f', p.oid::pg_catalog.text, s.nspname::pg_catalog.text, p.proname::pg_catalog.text, '', '', pg_catalog.pg_get_functiondef(p.oid)` +
		` FROM t CROSS JOIN n JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) n.oid` +
		` JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) p.pronamespace` +
		` WHERE n.prosrc OPERATOR(pg_catalog.=) '' AND pg_catalog.to_jsonb(p) OPERATOR(pg_catalog.->>) 'prosqlbody' OPERATOR(pg_catalog.~) t.called` +
		shown("pg_rewrite", "ev_class", "ev_action", "pg_catalog.pg_get_ruledef(x.oid)") +
		shown("pg_attrdef", "adrelid", "adbin", "pg_catalog.pg_get_expr(x.adbin, x.adrelid)") +
		shown("pg_policy", "polrelid", "polqual", "pg_catalog.pg_get_expr(x.polqual, x.polrelid)") +
		shown("pg_policy", "polrelid", "polwithcheck", "pg_catalog.pg_get_expr(x.polwithcheck, x.polrelid)") +
		shown("pg_constraint", "conrelid", "conbin", "pg_catalog.pg_get_expr(x.conbin, x.conrelid)")
}

// shown asks for the relations that have an expression which calls a function of interest.
func shown(catalog, relation, tree, source string) string {
	return ` UNION ALL SELECT 'r', r.oid::pg_catalog.text, s.nspname::pg_catalog.text, r.relname::pg_catalog.text, '', '', ` + source + ` FROM t` +
		` CROSS JOIN pg_catalog.` + catalog + ` x JOIN pg_catalog.pg_class r ON r.oid OPERATOR(pg_catalog.=) x.` + relation +
		` JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) r.relnamespace` +
		` WHERE x.oid OPERATOR(pg_catalog.>=) 16384 AND x.` + tree + `::pg_catalog.text OPERATOR(pg_catalog.~) t.called`
}

// next asks for what leads to functions and relations that were found: names are theirs.
func next(functions, relations, names []string) string {
	var b strings.Builder
	b.WriteString(`WITH ` + bodies(`(`+strings.Join(names, "|")+`)`) + `, d AS MATERIALIZED (`)
	depends(&b, "1255", functions)
	b.WriteString(` UNION ALL `)
	depends(&b, "1259", relations)
	b.WriteString(`), e(oid, access, ref) AS (` + edges + foreign(relations) + `)` + found)
	b.WriteString(` UNION ALL SELECT 'f', p.oid::pg_catalog.text, s.nspname::pg_catalog.text, p.proname::pg_catalog.text, 's', d.ref, NULL FROM d` +
		` JOIN pg_catalog.pg_proc p ON d.classid OPERATOR(pg_catalog.=) 1255 AND p.oid OPERATOR(pg_catalog.=) d.objid` +
		` JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) p.pronamespace`)
	b.WriteString(` UNION ALL SELECT 'r', r.oid::pg_catalog.text, s.nspname::pg_catalog.text, r.relname::pg_catalog.text, e.access, e.ref, NULL FROM e` +
		` JOIN pg_catalog.pg_class r ON r.oid OPERATOR(pg_catalog.=) e.oid` +
		` JOIN pg_catalog.pg_namespace s ON s.oid OPERATOR(pg_catalog.=) r.relnamespace`)
	return b.String()
}

// depends gives what depends on objects of a catalog.
func depends(b *strings.Builder, catalog string, oids []string) {
	kind := "f"
	if catalog == "1259" {
		kind = "r"
	}
	b.WriteString(`SELECT d.classid, d.objid, '` + kind + `'::pg_catalog.text OPERATOR(pg_catalog.||) d.refobjid::pg_catalog.text AS ref FROM pg_catalog.pg_depend d` +
		` WHERE d.refclassid OPERATOR(pg_catalog.=) ` + catalog + ` AND d.refobjid OPERATOR(pg_catalog.=) ANY (` + array(oids) + `)`)
}

// edges are the relations behind what depends on functions (triggers, rules and views, defaults and generated columns, constraints, policies, indexes and
// partition keys, domains), and on relations (rules and views).
const edges = `SELECT t.tgrelid, 'w', d.ref FROM d JOIN pg_catalog.pg_trigger t ON d.classid OPERATOR(pg_catalog.=) 2620 AND t.oid OPERATOR(pg_catalog.=) d.objid` +
	` WHERE pg_catalog.starts_with(d.ref, 'f')` +
	` UNION ALL SELECT x.ev_class, CASE WHEN pg_catalog.starts_with(d.ref, 'f') THEN 'b' ELSE 's' END, d.ref FROM d` +
	` JOIN pg_catalog.pg_rewrite x ON d.classid OPERATOR(pg_catalog.=) 2618 AND x.oid OPERATOR(pg_catalog.=) d.objid` +
	` UNION ALL SELECT a.adrelid, 'w', d.ref FROM d JOIN pg_catalog.pg_attrdef a ON d.classid OPERATOR(pg_catalog.=) 2604 AND a.oid OPERATOR(pg_catalog.=) d.objid` +
	` WHERE pg_catalog.starts_with(d.ref, 'f')` +
	` UNION ALL SELECT k.conrelid, 'w', d.ref FROM d JOIN pg_catalog.pg_constraint k ON d.classid OPERATOR(pg_catalog.=) 2606 AND k.oid OPERATOR(pg_catalog.=) d.objid` +
	` WHERE pg_catalog.starts_with(d.ref, 'f')` +
	` UNION ALL SELECT o.objid, 'w', d.ref FROM d JOIN pg_catalog.pg_constraint k ON d.classid OPERATOR(pg_catalog.=) 2606 AND k.oid OPERATOR(pg_catalog.=) d.objid` +
	` JOIN pg_catalog.pg_depend o ON o.classid OPERATOR(pg_catalog.=) 1259 AND o.refclassid OPERATOR(pg_catalog.=) 1247 AND o.refobjid OPERATOR(pg_catalog.=) k.contypid` +
	` WHERE pg_catalog.starts_with(d.ref, 'f') AND k.contypid OPERATOR(pg_catalog.<>) 0` +
	` UNION ALL SELECT y.polrelid, 'b', d.ref FROM d JOIN pg_catalog.pg_policy y ON d.classid OPERATOR(pg_catalog.=) 3256 AND y.oid OPERATOR(pg_catalog.=) d.objid` +
	` WHERE pg_catalog.starts_with(d.ref, 'f')` +
	` UNION ALL SELECT i.rel, 'w', d.ref FROM d CROSS JOIN LATERAL (SELECT COALESCE((SELECT x.indrelid FROM pg_catalog.pg_index x` +
	` WHERE x.indexrelid OPERATOR(pg_catalog.=) d.objid), d.objid) AS rel) i` +
	` WHERE d.classid OPERATOR(pg_catalog.=) 1259 AND pg_catalog.starts_with(d.ref, 'f')`

// foreign: writing a parent table writes its partitions and children, and a deletion or an update goes on to the tables whose foreign keys say so.
func foreign(relations []string) string {
	return ` UNION ALL SELECT i.inhparent, 's', 'r' OPERATOR(pg_catalog.||) i.inhrelid::pg_catalog.text FROM pg_catalog.pg_inherits i` +
		` WHERE i.inhrelid OPERATOR(pg_catalog.=) ANY (` + array(relations) + `)` +
		` UNION ALL SELECT k.confrelid, 's', 'r' OPERATOR(pg_catalog.||) k.conrelid::pg_catalog.text FROM pg_catalog.pg_constraint k` +
		` WHERE k.contype OPERATOR(pg_catalog.=) 'f' AND k.conrelid OPERATOR(pg_catalog.=) ANY (` + array(relations) + `)` +
		` AND (k.confdeltype::pg_catalog.text OPERATOR(pg_catalog.~) '[cnd]' OR k.confupdtype::pg_catalog.text OPERATOR(pg_catalog.~) '[cnd]')`
}

// Fingerprint is SQL that gives one row of one text, which is another after every change that a search might find: a few ms for 10,000 functions, where a
// search takes 100 ms or more of the server's time. The same text means that what the last search found still holds.
const Fingerprint = `SELECT pg_catalog.string_agg(x.rows::pg_catalog.text OPERATOR(pg_catalog.||) '/' OPERATOR(pg_catalog.||) x.xmins::pg_catalog.text, ' ' ORDER BY x.catalog) FROM (` +
	`SELECT 1 AS catalog, pg_catalog.count(*) AS rows, COALESCE(pg_catalog.sum(c.xmin::pg_catalog.text::pg_catalog.int8), 0) AS xmins FROM pg_catalog.pg_proc c` +
	` WHERE c.oid OPERATOR(pg_catalog.>=) 16384` +
	` UNION ALL SELECT 2, pg_catalog.count(*), COALESCE(pg_catalog.sum(c.xmin::pg_catalog.text::pg_catalog.int8), 0) FROM pg_catalog.pg_trigger c` +
	` UNION ALL SELECT 3, pg_catalog.count(*), COALESCE(pg_catalog.sum(c.xmin::pg_catalog.text::pg_catalog.int8), 0) FROM pg_catalog.pg_rewrite c` +
	` UNION ALL SELECT 4, pg_catalog.count(*), COALESCE(pg_catalog.sum(c.xmin::pg_catalog.text::pg_catalog.int8), 0) FROM pg_catalog.pg_attrdef c` +
	` UNION ALL SELECT 5, pg_catalog.count(*), COALESCE(pg_catalog.sum(c.xmin::pg_catalog.text::pg_catalog.int8), 0) FROM pg_catalog.pg_constraint c` +
	` UNION ALL SELECT 6, pg_catalog.count(*), COALESCE(pg_catalog.sum(c.xmin::pg_catalog.text::pg_catalog.int8), 0) FROM pg_catalog.pg_policy c` +
	` UNION ALL SELECT 7, pg_catalog.count(*), COALESCE(pg_catalog.sum(c.xmin::pg_catalog.text::pg_catalog.int8), 0) FROM pg_catalog.pg_inherits c` +
	` UNION ALL SELECT 8, pg_catalog.count(*), COALESCE(pg_catalog.sum(c.xmin::pg_catalog.text::pg_catalog.int8), 0) FROM pg_catalog.pg_class c` +
	` WHERE c.oid OPERATOR(pg_catalog.>=) 16384 AND c.relpersistence OPERATOR(pg_catalog.<>) 't' AND c.relkind::pg_catalog.text OPERATOR(pg_catalog.~) '[rpviIfm]') x`

// array makes an array of OIDs.
func array(oids []string) string { return `'{` + strings.Join(oids, ",") + `}'::pg_catalog.oid[]` }

// quote makes a string constant that means the same whatever standard_conforming_strings says.
func quote(s string) string {
	s = strings.ReplaceAll(s, `'`, `''`)
	if strings.Contains(s, `\`) {
		return ` E'` + strings.ReplaceAll(s, `\`, `\\`) + `'`
	}
	return `'` + s + `'`
}

// pattern makes a regular expression of a name, as it stands in SQL: quotes in it are doubled.
func pattern(name string) string {
	var b strings.Builder
	for _, r := range strings.ReplaceAll(name, `"`, `""`) {
		if strings.ContainsRune(`\.^$*+?()[]{}|`, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
