-- What the workload reload-storm reads of the catalogs, as a schema cache does: about 20 kB of SQL. Each statement begins behind a line "--- NAME".
-- $1 is an array of schemas, $2 one of schemas that are searched beside them.
--- config
WITH setting_source AS (
    SELECT s.setdatabase,
           s.setrole,
           entry.text AS entry,
           position('=' IN entry.text) AS equals
      FROM pg_catalog.pg_db_role_setting AS s
     CROSS JOIN LATERAL unnest(s.setconfig) AS entry (text)
     WHERE s.setrole = (SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user)
       AND s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = current_database()))
), named_setting AS (
    SELECT setdatabase,
           lower(left(entry, equals - 1)) AS name,
           substr(entry, equals + 1) AS value
      FROM setting_source
     WHERE equals > 1
), api_setting AS (
    SELECT setdatabase,
           replace(name, $1, '') AS key,
           value
      FROM named_setting
     WHERE name LIKE $1 || '%'
)
SELECT DISTINCT ON (key)
       key,
       CASE WHEN value = '' THEN NULL ELSE value END AS value
  FROM api_setting
 ORDER BY key, setdatabase DESC
--- roles
WITH role_entry AS (
    SELECT r.rolname,
           entry.text AS entry,
           position('=' IN entry.text) AS equals
      FROM pg_catalog.pg_auth_members AS m
      JOIN pg_catalog.pg_roles AS r ON r.oid = m.roleid
      LEFT JOIN LATERAL unnest(r.rolconfig) AS entry (text) ON true
     WHERE m.member = (SELECT self.oid FROM pg_catalog.pg_roles AS self WHERE self.rolname = current_user)
), role_setting AS (
    SELECT rolname,
           lower(left(entry, equals - 1)) AS name,
           substr(entry, equals + 1) AS value
      FROM role_entry
     WHERE equals > 1
)
SELECT e.rolname,
       max(iso.value) AS isolation,
       coalesce(array_agg(ARRAY[s.name, s.value] ORDER BY s.name) FILTER (WHERE p.name IS NOT NULL), '{}') AS settings
  FROM (SELECT DISTINCT rolname FROM role_entry) AS e
  LEFT JOIN role_setting AS s ON s.rolname = e.rolname AND s.name <> 'default_transaction_isolation'
  LEFT JOIN role_setting AS iso ON iso.rolname = e.rolname AND iso.name = 'default_transaction_isolation'
  LEFT JOIN pg_catalog.pg_settings AS p ON p.name = s.name AND p.context = 'user'
 GROUP BY e.rolname
 ORDER BY e.rolname
--- tables
WITH RECURSIVE type_chain AS (
    -- What a domain is made of, through domains over domains.
    SELECT t.oid AS start,
           t.oid AS type,
           t.typtype,
           t.typbasetype,
           t.typnotnull AS not_null,
           0 AS depth
      FROM pg_catalog.pg_type AS t
     WHERE t.typtype IN ('b', 'd', 'e', 'r', 'c')
    UNION ALL
    SELECT c.start,
           t.oid,
           t.typtype,
           t.typbasetype,
           c.not_null OR t.typnotnull,
           c.depth + 1
      FROM type_chain AS c
      JOIN pg_catalog.pg_type AS t ON t.oid = c.typbasetype
     WHERE c.typtype = 'd'
), base_type AS (
    SELECT DISTINCT ON (start) start, type, not_null
      FROM type_chain
     ORDER BY start, depth DESC
), enumeration AS (
    SELECT e.enumtypid, array_agg(e.enumlabel ORDER BY e.enumsortorder) AS labels
      FROM pg_catalog.pg_enum AS e
     GROUP BY e.enumtypid
), api_table AS (
    SELECT c.oid,
           n.nspname,
           c.relname,
           c.relkind,
           c.relispartition,
           pg_catalog.obj_description(c.oid, 'pg_class') AS description,
           pg_catalog.pg_relation_is_updatable(c.oid, true) AS allowed
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
       AND n.nspname NOT IN ('pg_catalog', 'information_schema')
       AND (n.nspname = ANY ($1) OR n.nspname = ANY ($2))
), column_list AS (
    SELECT t.oid,
           a.attnum,
           a.attname,
           pg_catalog.col_description(t.oid, a.attnum) AS description,
           NOT (a.attnotnull OR b.not_null) AS nullable,
           CASE
               WHEN ty.typelem <> 0 AND ty.typlen = -1 THEN 'ARRAY'
               WHEN tn.nspname = 'pg_catalog' THEN pg_catalog.format_type(b.type, NULL)
               ELSE pg_catalog.format_type(a.atttypid, a.atttypmod)
           END AS data_type,
           pg_catalog.format_type(a.atttypid, a.atttypmod) AS nominal_type,
           CASE WHEN b.type IN (1042, 1043) AND a.atttypmod > 4 THEN a.atttypmod - 4 END AS longest,
           CASE
               WHEN a.attidentity <> '' THEN (
                   SELECT format('nextval(%L)', q.oid::regclass)
                     FROM pg_catalog.pg_depend AS owned
                     JOIN pg_catalog.pg_class AS q ON q.oid = owned.objid AND q.relkind = 'S'
                    WHERE owned.classid = 'pg_catalog.pg_class'::regclass
                      AND owned.refclassid = 'pg_catalog.pg_class'::regclass
                      AND owned.refobjid = a.attrelid
                      AND owned.refobjsubid = a.attnum
               )
               WHEN a.attgenerated = 's' THEN NULL
               ELSE pg_catalog.pg_get_expr(d.adbin, d.adrelid)
           END AS initial,
           coalesce(e.labels, '{}') AS labels
      FROM api_table AS t
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
      JOIN pg_catalog.pg_type AS ty ON ty.oid = a.atttypid
      JOIN pg_catalog.pg_namespace AS tn ON tn.oid = ty.typnamespace
      LEFT JOIN base_type AS b ON b.start = a.atttypid
      LEFT JOIN enumeration AS e ON e.enumtypid = b.type
      LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
), column_array AS (
    SELECT c.oid,
           array_agg(ROW (c.attname, c.description, c.nullable, c.data_type, c.nominal_type, c.longest, c.initial, c.labels)::text ORDER BY c.attnum) AS columns
      FROM column_list AS c
     GROUP BY c.oid
), primary_key AS (
    SELECT k.conrelid,
           array_agg(a.attname ORDER BY a.attname) AS columns
      FROM pg_catalog.pg_constraint AS k
     CROSS JOIN LATERAL unnest(k.conkey) AS part (number)
      JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = part.number
     WHERE k.contype = 'p'
     GROUP BY k.conrelid
)
SELECT t.nspname AS table_schema,
       t.relname AS table_name,
       t.description AS table_description,
       t.relkind IN ('v', 'm') AS is_view,
       t.relkind IN ('r', 'p') OR t.allowed & 8 = 8 AS insertable,
       t.relkind IN ('r', 'p') OR t.allowed & 4 = 4 AS updatable,
       t.relkind IN ('r', 'p') OR t.allowed & 16 = 16 AS deletable,
       coalesce(k.columns, '{}') AS key_columns,
       coalesce(c.columns, '{}') AS columns
  FROM api_table AS t
  LEFT JOIN primary_key AS k ON k.conrelid = t.oid
  LEFT JOIN column_array AS c ON c.oid = t.oid
 WHERE NOT t.relispartition
 ORDER BY t.nspname, t.relname
--- views
WITH RECURSIVE api_view AS (
    SELECT c.oid,
           n.nspname,
           c.relname,
           r.oid AS rule
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
      JOIN pg_catalog.pg_rewrite AS r ON r.ev_class = c.oid AND r.rulename = '_RETURN'
     WHERE c.relkind IN ('v', 'm')
       AND (n.nspname = ANY ($1) OR n.nspname = ANY ($2))
), reads AS (
    -- Which column of which relation a view reads.
    SELECT DISTINCT
           v.oid AS view,
           d.refobjid AS relation,
           d.refobjsubid AS number
      FROM api_view AS v
      JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_rewrite'::regclass AND d.objid = v.rule
     WHERE d.refclassid = 'pg_catalog.pg_class'::regclass
       AND d.refobjsubid > 0
       AND d.refobjid <> v.oid
), follows AS (
    -- The same through views that read views.
    SELECT r.view, r.relation, r.number, ARRAY[r.view] AS path
      FROM reads AS r
    UNION ALL
    SELECT f.view, r.relation, r.number, f.path || r.view
      FROM follows AS f
      JOIN reads AS r ON r.view = f.relation
     WHERE r.view <> ALL (f.path)
), key_column AS (
    SELECT k.oid AS key,
           k.contype,
           k.conrelid AS relation,
           k.conname,
           part.number,
           part.place
      FROM pg_catalog.pg_constraint AS k
     CROSS JOIN LATERAL unnest(k.conkey) WITH ORDINALITY AS part (number, place)
     WHERE k.contype IN ('p', 'f')
    UNION ALL
    SELECT k.oid,
           'r',
           k.confrelid,
           k.conname,
           part.number,
           part.place
      FROM pg_catalog.pg_constraint AS k
     CROSS JOIN LATERAL unnest(k.confkey) WITH ORDINALITY AS part (number, place)
     WHERE k.contype = 'f'
), seen AS (
    SELECT f.view,
           k.key,
           k.contype,
           k.conname,
           k.relation,
           k.place,
           base.attname AS base_column,
           shown.attname AS view_column
      FROM key_column AS k
      JOIN follows AS f ON f.relation = k.relation AND f.number = k.number
      JOIN pg_catalog.pg_attribute AS base ON base.attrelid = k.relation AND base.attnum = k.number
      JOIN pg_catalog.pg_attribute AS shown ON shown.attrelid = f.view AND shown.attname = base.attname AND NOT shown.attisdropped
), whole AS (
    SELECT s.view,
           s.key,
           s.contype,
           s.conname,
           s.relation,
           array_agg(DISTINCT s.base_column || '=' || s.view_column) AS pairs,
           count(DISTINCT s.place) AS found
      FROM seen AS s
     GROUP BY s.view, s.key, s.contype, s.conname, s.relation
)
SELECT rn.nspname AS table_schema,
       r.relname AS table_name,
       v.nspname AS view_schema,
       v.relname AS view_name,
       w.conname AS constraint_name,
       w.contype AS constraint_type,
       w.pairs AS column_pairs
  FROM whole AS w
  JOIN api_view AS v ON v.oid = w.view
  JOIN pg_catalog.pg_class AS r ON r.oid = w.relation
  JOIN pg_catalog.pg_namespace AS rn ON rn.oid = r.relnamespace
 WHERE w.found = (SELECT count(DISTINCT k.place) FROM key_column AS k WHERE k.key = w.key AND k.contype = w.contype)
 ORDER BY v.nspname, v.relname, w.conname
--- relationships
WITH unique_set AS (
    -- The sets of columns that identify a row.
    SELECT k.conrelid AS relation,
           array_agg(part.number ORDER BY part.number) AS columns,
           k.contype = 'p' AS is_primary
      FROM pg_catalog.pg_constraint AS k
     CROSS JOIN LATERAL unnest(k.conkey) AS part (number)
     WHERE k.contype IN ('p', 'u')
     GROUP BY k.oid, k.conrelid, k.contype
    UNION
    SELECT i.indrelid,
           array_agg(part.number ORDER BY part.number),
           i.indisprimary
      FROM pg_catalog.pg_index AS i
     CROSS JOIN LATERAL unnest(i.indkey::smallint[]) AS part (number)
     WHERE i.indisunique
       AND i.indpred IS NULL
       AND i.indexprs IS NULL
     GROUP BY i.indexrelid, i.indrelid, i.indisprimary
), reference AS (
    SELECT k.oid,
           k.conname,
           k.conrelid,
           k.confrelid,
           k.conkey,
           (SELECT array_agg(part.number ORDER BY part.number) FROM unnest(k.conkey) AS part (number)) AS sorted_key,
           (SELECT array_agg(ARRAY[a.attname::text, f.attname::text] ORDER BY pair.place)
              FROM unnest(k.conkey, k.confkey) WITH ORDINALITY AS pair (here, there, place)
              JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = pair.here
              JOIN pg_catalog.pg_attribute AS f ON f.attrelid = k.confrelid AND f.attnum = pair.there) AS column_pairs
      FROM pg_catalog.pg_constraint AS k
     WHERE k.contype = 'f'
       AND k.conparentid = 0
)
SELECT here_schema.nspname AS table_schema,
       here.relname AS table_name,
       there_schema.nspname AS foreign_table_schema,
       there.relname AS foreign_table_name,
       r.conrelid = r.confrelid AS is_self,
       r.conname AS constraint_name,
       r.column_pairs,
       EXISTS (SELECT FROM unique_set AS u WHERE u.relation = r.conrelid AND u.columns = r.sorted_key) AS one_to_one,
       EXISTS (SELECT FROM unique_set AS u WHERE u.relation = r.conrelid AND u.is_primary AND u.columns @> r.sorted_key) AS inside_key
  FROM reference AS r
  JOIN pg_catalog.pg_class AS here ON here.oid = r.conrelid
  JOIN pg_catalog.pg_namespace AS here_schema ON here_schema.oid = here.relnamespace
  JOIN pg_catalog.pg_class AS there ON there.oid = r.confrelid
  JOIN pg_catalog.pg_namespace AS there_schema ON there_schema.oid = there.relnamespace
 ORDER BY here_schema.nspname, here.relname, r.conname
--- functions
WITH RECURSIVE type_chain AS (
    SELECT t.oid AS start,
           t.oid AS type,
           t.typname,
           t.typnamespace,
           t.typtype,
           t.typbasetype,
           0 AS depth
      FROM pg_catalog.pg_type AS t
    UNION ALL
    SELECT c.start,
           t.oid,
           t.typname,
           t.typnamespace,
           t.typtype,
           t.typbasetype,
           c.depth + 1
      FROM type_chain AS c
      JOIN pg_catalog.pg_type AS t ON t.oid = c.typbasetype
     WHERE c.typtype = 'd'
), base_type AS (
    SELECT DISTINCT ON (start) start, type, typname, typnamespace, typtype
      FROM type_chain
     ORDER BY start, depth DESC
), argument AS (
    SELECT p.oid,
           array_agg(
               ROW (
                   coalesce(args.name, ''),
                   pg_catalog.format_type(args.type, NULL),
                   CASE args.type
                       WHEN 'bit'::regtype THEN 'bit varying'
                       WHEN 'bit[]'::regtype THEN 'bit varying[]'
                       WHEN 'character'::regtype THEN 'character varying'
                       WHEN 'character[]'::regtype THEN 'character varying[]'
                       ELSE pg_catalog.format_type(args.type, NULL)
                   END,
                   args.place <= p.pronargs - p.pronargdefaults,
                   coalesce(args.mode = 'v', false)
               )::text
               ORDER BY args.place
           ) AS list,
           count(*) FILTER (WHERE coalesce(args.name, '') = '') AS without_name,
           bool_or(args.mode = 'v') AS is_variadic
      FROM pg_catalog.pg_proc AS p
     CROSS JOIN LATERAL unnest(p.proargnames, p.proargtypes::oid[], p.proargmodes::text[]) WITH ORDINALITY AS args (name, type, mode, place)
     WHERE args.type IS NOT NULL
     GROUP BY p.oid
), setting AS (
    SELECT p.oid,
           array_agg(ARRAY[left(entry.text, position('=' IN entry.text) - 1), substr(entry.text, position('=' IN entry.text) + 1)]) AS list
      FROM pg_catalog.pg_proc AS p
     CROSS JOIN LATERAL unnest(p.proconfig) AS entry (text)
     GROUP BY p.oid
)
SELECT n.nspname AS function_schema,
       p.proname AS function_name,
       pg_catalog.obj_description(p.oid, 'pg_proc') AS description,
       coalesce(a.list, '{}') AS arguments,
       rn.nspname AS return_schema,
       coalesce(rel.relname, r.typname) AS return_name,
       p.proretset AS returns_set,
       r.typtype = 'c' OR coalesce(p.proargmodes::text[] && '{t,b,o}', false) AS returns_row,
       b.typname = 'void' AS returns_nothing,
       p.provolatile AS volatility,
       coalesce(a.is_variadic, false) AS is_variadic,
       coalesce(s.list, '{}') AS settings
  FROM pg_catalog.pg_proc AS p
  JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
  JOIN pg_catalog.pg_type AS r ON r.oid = p.prorettype
  JOIN pg_catalog.pg_namespace AS rn ON rn.oid = r.typnamespace
  LEFT JOIN base_type AS b ON b.start = r.oid
  LEFT JOIN pg_catalog.pg_class AS rel ON rel.oid = r.typrelid
  LEFT JOIN argument AS a ON a.oid = p.oid
  LEFT JOIN setting AS s ON s.oid = p.oid
 WHERE p.prokind = 'f'
   AND r.typname NOT IN ('trigger', 'event_trigger', 'internal')
   AND n.nspname = ANY ($1)
   AND (coalesce(a.without_name, 0) = 0 OR p.pronargs = 1)
 ORDER BY n.nspname, p.proname, p.oid
--- computed
WITH row_type AS (
    SELECT c.oid,
           c.reltype,
           c.relname,
           n.nspname
      FROM pg_catalog.pg_class AS c
      JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')
       AND n.nspname NOT IN ('pg_catalog', 'information_schema')
), candidate AS (
    SELECT p.oid,
           p.proname,
           p.pronamespace,
           p.proretset,
           p.prorows,
           p.prorettype,
           p.proargtypes[0] AS argument
      FROM pg_catalog.pg_proc AS p
     WHERE p.pronargs = 1
       AND p.prokind = 'f'
       AND p.prorettype <> 'pg_catalog.trigger'::regtype
)
SELECT n.nspname AS function_schema,
       f.proname AS function_name,
       here.nspname AS table_schema,
       here.relname AS table_name,
       there.nspname AS foreign_table_schema,
       there.relname AS foreign_table_name,
       NOT f.proretset OR f.prorows = 1 AS is_single,
       here.oid = there.oid AS is_self
  FROM candidate AS f
  JOIN pg_catalog.pg_namespace AS n ON n.oid = f.pronamespace
  JOIN row_type AS here ON here.reltype = f.argument
  JOIN row_type AS there ON there.reltype = f.prorettype
 ORDER BY n.nspname, f.proname
--- casts
WITH media_type AS (
    -- Domains whose names are media types, and what makes them.
    SELECT t.oid, n.nspname, t.typname, t.typbasetype
      FROM pg_catalog.pg_type AS t
      JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
     WHERE t.typtype = 'd'
       AND (t.typname ~ '^[A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+$' OR t.typname = '*/*')
), represented AS (
    SELECT t.oid,
           n.nspname,
           t.typname
      FROM pg_catalog.pg_type AS t
      JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
     WHERE t.typtype = 'd'
       AND n.nspname NOT IN ('pg_catalog', 'information_schema')
)
SELECT 'representation' AS use,
       c.castsource::regtype::text AS source_type,
       c.casttarget::regtype::text AS target_type,
       c.castfunc::regproc::text AS function_name
  FROM pg_catalog.pg_cast AS c
 WHERE c.castfunc <> 0
   AND c.castcontext = 'i'
   AND (c.castsource IN (SELECT r.oid FROM represented AS r) AND c.casttarget IN ('json'::regtype, 'text'::regtype)
     OR c.casttarget IN (SELECT r.oid FROM represented AS r) AND c.castsource IN ('json'::regtype, 'text'::regtype))
UNION ALL
SELECT 'media type',
       m.nspname || '.' || m.typname,
       coalesce(p.prorettype::regtype::text, m.typbasetype::regtype::text),
       p.oid::regproc::text
  FROM media_type AS m
  LEFT JOIN pg_catalog.pg_proc AS p ON p.prorettype = m.oid
 ORDER BY 1, 2, 3
--- timezones
SELECT z.name, z.is_dst, extract(epoch FROM z.utc_offset)::integer AS seconds FROM pg_catalog.pg_timezone_names AS z
