package webtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// statement is the SQL of a request.
type statement struct {
	sql     string
	values  [][]byte
	writes  bool
	counted bool // its total goes into Content-Range
	status  int
}

const tail = `nullif(current_setting('response.headers', true), '') AS response_headers, nullif(current_setting('response.status', true), '') AS response_status`

// columns are the sample's, with the casts that their values need.
var columns = map[string]map[string]string{
	"playwright": {"id": "integer", "name": "text", "born": "integer", "bio": "text"},
	"script":     {"id": "integer", "playwright_id": "integer", "title": "text"},
	"dialogue":   {"scene_id": "integer", "line_no": "integer", "character_id": "integer", "line": "text"},
}

// embed is the only select besides all columns.
const embed = "*,playwright(name),scene(act,number,dialogue(line_no,line))"

// plan makes a request its statement.
func plan(r *http.Request) (*statement, error) {
	p := &planner{}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	if function, ok := strings.CutPrefix(r.URL.Path, "/rpc/"); ok {
		return p.call(r, function, query)
	}
	table := strings.TrimPrefix(r.URL.Path, "/")
	if columns[table] == nil {
		return nil, fmt.Errorf("the stand-in knows no table %q", table)
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		return p.read(r, table, query)
	case http.MethodPost:
		return p.insert(r, table)
	case http.MethodPatch:
		return p.update(r, table, query)
	}
	return nil, fmt.Errorf("the stand-in does not answer %s", r.Method)
}

// planner numbers the parameters.
type planner struct{ values [][]byte }

func (p *planner) param(value string) string {
	p.values = append(p.values, []byte(value))
	return "$" + strconv.Itoa(len(p.values))
}

// where makes filters a condition, in the order of their names.
func (p *planner) where(table string, query url.Values) (string, error) {
	var all []string
	for _, column := range slices.Sorted(maps.Keys(columns[table])) {
		kind := columns[table][column]
		for _, filter := range query[column] {
			operator, value, _ := strings.Cut(filter, ".")
			name := fmt.Sprintf("%q.%q", table, column)
			switch operator {
			case "eq":
				all = append(all, fmt.Sprintf("%s = %s::%s", name, p.param(value), kind))
			case "ilike":
				all = append(all, fmt.Sprintf("%s ILIKE %s", name, p.param(strings.ReplaceAll(value, "*", "%"))))
			case "in":
				list := "{" + strings.Trim(value, "()") + "}"
				all = append(all, fmt.Sprintf("%s = ANY (%s::%s[])", name, p.param(list), kind))
			default:
				return "", fmt.Errorf("the stand-in knows no operator %q", operator)
			}
		}
	}
	if len(all) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(all, " AND "), nil
}

func (p *planner) read(r *http.Request, table string, query url.Values) (*statement, error) {
	what, joins := fmt.Sprintf("%q.*", table), ""
	switch selected := query.Get("select"); selected {
	case "", "*":
	case embed:
		what += `, row_to_json(p.*) AS playwright, coalesce(s.scene, '[]') AS scene`
		joins = ` LEFT JOIN LATERAL (SELECT name FROM "api"."playwright" WHERE id = "script".playwright_id) p ON true` +
			` LEFT JOIN LATERAL (SELECT json_agg(x) AS scene FROM (SELECT act, number, coalesce(d.dialogue, '[]') AS dialogue FROM "api"."scene"` +
			` LEFT JOIN LATERAL (SELECT json_agg(y) AS dialogue FROM (SELECT line_no, line FROM "api"."dialogue" WHERE scene_id = "scene".id) y) d ON true` +
			` WHERE script_id = "script".id) x) s ON true`
	default:
		what = ""
		for i, column := range strings.Split(selected, ",") {
			if columns[table][column] == "" {
				return nil, fmt.Errorf("the stand-in does not select %q", selected)
			}
			if i > 0 {
				what += ", "
			}
			what += fmt.Sprintf("%q.%q", table, column)
		}
	}
	where, err := p.where(table, query)
	if err != nil {
		return nil, err
	}
	source := fmt.Sprintf(`SELECT %s FROM "api".%q%s%s`, what, table, joins, where)
	if column := query.Get("order"); column != "" {
		if columns[table][column] == "" {
			return nil, fmt.Errorf("%s has no column %q", table, column)
		}
		source += fmt.Sprintf(" ORDER BY %q.%q", table, column)
	}
	for _, word := range []string{"limit", "offset"} {
		if n := query.Get(word); n != "" {
			source += " " + strings.ToUpper(word) + " " + p.param(n) + "::bigint"
		}
	}
	st := &statement{status: http.StatusOK, counted: r.Header.Get("Prefer") == "count=exact"}
	counting, total := "", "null::bigint"
	if st.counted {
		where, err = p.where(table, query) // anew, with parameters of its own: as PostgREST does it
		counting = fmt.Sprintf(`, pgrst_source_count AS (SELECT 1 FROM "api".%q%s)`, table, where)
		total = "(SELECT count(*) FROM pgrst_source_count)"
	}
	return p.wrap(st, source, counting, total), err
}

// wrap puts PostgREST's wrapper around a statement.
func (p *planner) wrap(st *statement, source, more, total string) *statement {
	st.sql = fmt.Sprintf(`WITH pgrst_source AS (%s)%s SELECT %s AS total_result_set, count(_postgrest_t) AS page_total, `+
		`coalesce(json_agg(_postgrest_t), '[]') AS body, %s FROM (SELECT * FROM pgrst_source) _postgrest_t`, source, more, total, tail)
	st.values = p.values
	return st
}

// record makes a JSON object's columns a source of them.
func record(r *http.Request, table string) (body []byte, names []string, source string, err error) {
	if body, err = io.ReadAll(r.Body); err != nil {
		return nil, nil, "", err
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(body, &object); err != nil {
		return nil, nil, "", err
	}
	var typed []string
	for name := range object {
		kind := columns[table][name]
		if kind == "" {
			return nil, nil, "", fmt.Errorf("%s has no column %q", table, name)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		typed = append(typed, name+" "+columns[table][name])
	}
	if len(names) == 0 {
		return nil, nil, "", errors.New("the body names no column")
	}
	return body, names, strings.Join(typed, ", "), nil
}

func (p *planner) insert(r *http.Request, table string) (*statement, error) {
	body, names, typed, err := record(r, table)
	if err != nil {
		return nil, err
	}
	list := strings.Join(names, ", ")
	source := fmt.Sprintf(`INSERT INTO "api".%q (%s) SELECT %s FROM json_to_record(%s::json) AS _(%s) RETURNING 1`, table, list, list, p.param(string(body)), typed)
	return p.wrap(&statement{status: http.StatusCreated, writes: true}, source, "", "''"), nil
}

func (p *planner) update(r *http.Request, table string, query url.Values) (*statement, error) {
	body, names, typed, err := record(r, table)
	if err != nil {
		return nil, err
	}
	source := p.param(string(body))
	where, err := p.where(table, query)
	if err != nil {
		return nil, err
	}
	var sets []string
	for _, name := range names {
		sets = append(sets, name+" = _."+name)
	}
	source = fmt.Sprintf(`UPDATE "api".%q SET %s FROM (SELECT * FROM json_to_record(%s::json) AS _(%s)) _%s RETURNING 1`, table, strings.Join(sets, ", "), source, typed, where)
	return p.wrap(&statement{status: http.StatusNoContent, writes: true}, source, "", "''"), nil
}

func (p *planner) call(r *http.Request, function string, query url.Values) (*statement, error) {
	switch {
	case function == "search_lines" && r.Method == http.MethodGet:
		source := `SELECT * FROM "api"."search_lines"(q := ` + p.param(query.Get("q")) + `)`
		return p.wrap(&statement{status: http.StatusOK}, source, "", "null::bigint"), nil
	case function == "add_cue" && r.Method == http.MethodPost:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		source := `SELECT c.* FROM json_to_record(` + p.param(string(body)) + `::json) AS _(scene_id integer, line text), ` +
			`LATERAL "api"."add_cue"(scene_id := _.scene_id, line := _.line) c`
		return p.wrap(&statement{status: http.StatusOK, writes: true}, source, "", "null::bigint"), nil
	}
	return nil, fmt.Errorf("the stand-in does not call %s by %s", function, r.Method)
}
