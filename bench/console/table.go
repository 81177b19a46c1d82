package console

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// table is what a SHOW returned.
type table struct {
	what    string // "SHOW STATS"
	columns []string
	rows    [][][]byte
}

// column is the index of the first of names that is there.
func (t *table) column(names ...string) (int, error) {
	for _, name := range names {
		if i := slices.Index(t.columns, name); i >= 0 {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%s: there is no column %s among %s", t.what, strings.Join(names, " or "), strings.Join(t.columns, ", "))
}

// has tells whether there is a column of that name.
func (t *table) has(name string) bool { return slices.Contains(t.columns, name) }

// text is the value of a column in a row; NULL is "".
func (t *table) text(row int, name string) (string, error) {
	i, err := t.column(name)
	if err != nil {
		return "", err
	}
	if i >= len(t.rows[row]) {
		return "", fmt.Errorf("%s: row %d has %d values for %d columns", t.what, row+1, len(t.rows[row]), len(t.columns))
	}
	return string(t.rows[row][i]), nil
}

// number is the value of a numeric column in a row; NULL is 0.
func (t *table) number(row int, name string) (int64, error) {
	s, err := t.text(row, name)
	if err != nil || s == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: column %s: %q is not a whole number", t.what, name, s)
	}
	return n, nil
}

// numbers reads several numeric columns of a row.
func (t *table) numbers(row int, into map[string]*int64) error {
	for name, n := range into {
		v, err := t.number(row, name)
		if err != nil {
			return err
		}
		*n = v
	}
	return nil
}
