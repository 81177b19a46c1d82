package advice

import (
	"reflect"
	"testing"
)

func TestTerms(t *testing.T) {
	for _, test := range []struct {
		name, condition string
		want            []term
	}{
		{"nothing", "", nil},
		{"equal", "(d.scene_id = 17)", []term{{"scene_id", "scene_id", "=", "17"}}},
		{"a parameter", "(d.scene_id = $1)", []term{{"scene_id", "scene_id", "=", "$1"}}},
		{"another table", "(s.id = d.scene_id)", []term{{"scene_id", "scene_id", "=", "s.id"}}},
		{"turned", "(5 > d.line_no)", []term{{"line_no", "line_no", "<", "5"}}},
		{"two", "((d.line ~~* '%x AND y (%'::text) AND (d.scene_id = 2))", []term{{"line", "line", "~~*", "'%x AND y (%'::text"}, {"scene_id", "scene_id", "=", "2"}}},
		{"three, nested", "((d.a = 1) AND ((d.b < 2) AND (d.c >= 3)))", []term{{"a", "a", "=", "1"}, {"b", "b", "<", "2"}, {"c", "c", ">=", "3"}}},
		{"or", "((d.a = 1) OR (d.b = 2))", nil},
		{"or beside and", "((d.a = 1) AND ((d.b = 2) OR (d.c = 3)))", []term{{"a", "a", "=", "1"}}},
		{"any", "(d.scene_id = ANY ('{1,2}'::integer[]))", []term{{"scene_id", "scene_id", "= ANY", "'{1,2}'::integer[]"}}},
		{"varchar", "((d.name)::text = 'x'::text)", []term{{"name", "(name)::text", "=", "'x'::text"}}},
		{"quoted", `(d."Scene Id" = 1)`, []term{{"Scene Id", `"Scene Id"`, "=", "1"}}},
		{"quoted alias", `("D 1".a = 1)`, nil},
		{"an expression", "(lower(d.name) = 'x'::text)", []term{{"", "lower(name)", "=", "'x'::text"}}},
		{"words", "(to_tsvector('simple'::regconfig, d.line) @@ websearch_to_tsquery('simple'::regconfig, p.q))", []term{{"", "to_tsvector('simple'::regconfig, line)", "@@", "websearch_to_tsquery('simple'::regconfig, p.q)"}}},
		{"null", "(d.scene_id IS NULL)", []term{{"scene_id", "scene_id", "IS NULL", ""}}},
		{"two of one row", "(d.a = d.b)", nil},
		{"no operator", "d.active", nil},
		{"others only", "(s.id = 1)", nil},
		{"brackets that do not close", "((d.a = 1", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := terms(test.condition, "d"); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
		})
	}
	if got := terms(`("D 1".a = 1)`, "D 1"); len(got) != 1 || got[0].column != "a" {
		t.Errorf("a quoted alias gave %+v", got)
	}
}
