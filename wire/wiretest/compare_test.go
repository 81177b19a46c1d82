package wiretest_test

import (
	"strings"
	"testing"

	"poolerd/wire/wiretest"
)

func TestCompare(t *testing.T) {
	const direct = "# a comment\nlet A = `\nx`\nc1 connect\nc1 B\t5\tReadyForQuery\t I\nc1 differs it is late\nc1 ~ B\t4\tParseComplete\nc1 > Parse \"\" A | Sync\n" +
		"c1 B\t9\tErrorResponse\nc1 B\t5\tReadyForQuery\t I\nc1 > Sync\nc1 B\t5\tReadyForQuery\t I\nc1 EOF\n"
	for _, c := range []struct {
		name, old, new string
		want           []string // what the report holds; none: there is no difference
	}{
		{name: "the same"},
		{
			name: "excused",
			old:  "c1 B\t9\tErrorResponse\nc1 B\t5\tReadyForQuery\t I\nc1 > Sync", new: "c1 B\t4\tParseComplete\nc1 > Sync",
		},
		{
			name: "otherwise than excused", old: "c1 B\t9\tErrorResponse", new: "c1 B\t4\tBindComplete",
			want: []string{"    c1 > Parse \"\" A | Sync\n  - c1 B\t9\tErrorResponse\n", "  + c1 B\t4\tBindComplete\n", "since it is late:\n  ~ c1 B\t4\tParseComplete\n"},
		},
		{name: "a reply too few", old: "c1 EOF\n", want: []string{"    c1 > Sync\n    c1 B\t5\tReadyForQuery\t I\n  - c1 EOF\n"}},
		{name: "a reply too many", old: "c1 EOF\n", new: "c1 B\t4\tNoData\nc1 EOF\n", want: []string{"  + c1 B\t4\tNoData\n"}},
		{name: "a stop in the middle", old: "c1 > Sync\nc1 B\t5\tReadyForQuery\t I\nc1 EOF\n", want: []string{"never came to\n    c1 > Sync\n"}},
		{name: "another script", old: "c1 > Sync", new: "c1 > Flush", want: []string{"not the same script: c1 > Flush"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			through := direct
			if c.old != "" {
				through = strings.Replace(direct, c.old, c.new, 1)
			}
			got := wiretest.Compare(direct, through)
			if len(c.want) == 0 && got != "" {
				t.Errorf("a difference:\n%s", got)
			}
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("no %q in\n%s", want, got)
				}
			}
		})
	}
}

func TestCompareShowsFew(t *testing.T) {
	direct := strings.Repeat("c1 > Sync\nc1 B\t5\tReadyForQuery\t I\n", 100)
	got := wiretest.Compare(direct, strings.ReplaceAll(direct, "\t I", "\t T"))
	if n := strings.Count(got, "c1 > Sync"); n != 6 || !strings.HasSuffix(got, "and more\n") {
		t.Errorf("%d commands are shown:\n%s", n, got)
	}
}
