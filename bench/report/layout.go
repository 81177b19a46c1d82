package report

import (
	"io"
	"strings"
	"unicode/utf8"
)

// layout is a table of text: cells are padded to their column, and columns that do not fit are left out.
type layout struct {
	columns []textColumn
	rows    [][]string
}

type textColumn struct {
	title string
	left  bool // aligned left; numbers stand at the right
	// leave says when the column goes where the width does not suffice: the highest first; 0 stays.
	leave int
}

func (l *layout) row(cells ...string) { l.rows = append(l.rows, cells) }

// columnWidths of all columns; 0 for those that are empty throughout and for those that do not fit into width (0: all fit).
func (l *layout) columnWidths(width int) []int {
	widths := make([]int, len(l.columns))
	for i, c := range l.columns {
		empty := true
		widths[i] = utf8.RuneCountInString(c.title)
		for _, r := range l.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(r[i]))
			empty = empty && (r[i] == "" || r[i] == dash)
		}
		if empty && len(l.rows) > 0 {
			widths[i] = 0
		}
	}
	for width > 0 && total(widths) > width {
		leaving := -1
		for i, c := range l.columns {
			if widths[i] > 0 && c.leave > 0 && (leaving < 0 || c.leave > l.columns[leaving].leave) {
				leaving = i
			}
		}
		if leaving < 0 {
			break
		}
		widths[leaving] = 0
	}
	return widths
}

func total(widths []int) int {
	sum := 0
	for _, w := range widths {
		if w > 0 {
			sum += w + 2
		}
	}
	return sum // with the indent of two
}

// write prints the table, indented by two.
func (l *layout) write(w io.Writer, width int) error {
	widths := l.columnWidths(width)
	titles := make([]string, len(l.columns))
	for i, c := range l.columns {
		titles[i] = c.title
	}
	var b strings.Builder
	for _, r := range append([][]string{titles}, l.rows...) {
		line := strings.Builder{}
		for i, cell := range r {
			if widths[i] == 0 {
				continue
			}
			pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if l.columns[i].left {
				line.WriteString("  " + cell + pad)
			} else {
				line.WriteString("  " + pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// wrap breaks text into lines of at most width runes (0: no limit), all but the first two columns further in than the first.
func wrap(text string, width int) string {
	if width <= 0 || utf8.RuneCountInString(text) <= width {
		return text
	}
	indent := text[:len(text)-len(strings.TrimLeft(text, " "))]
	var b strings.Builder
	b.WriteString(indent)
	at := len(indent)
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case at+1+n > width:
			b.WriteString("\n" + indent + "  ")
			at = len(indent) + 2
		default:
			b.WriteByte(' ')
			at++
		}
		b.WriteString(word)
		at += n
	}
	return b.String()
}
