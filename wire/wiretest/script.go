package wiretest

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// Script is one conversation.
type Script struct {
	Name string // of its file, without .txt
	Text string
}

//go:embed testdata/*.txt
var files embed.FS

// Scripts gives all scripts of this package, sorted by name. They want a server with the Fountain Array in a database named fountain, in
// which the role authenticator may log in without a password, and leave the data as they found it.
func Scripts() []Script {
	names, err := fs.Glob(files, "testdata/*.txt")
	if err != nil {
		panic(err) // the pattern is ours
	}
	var scripts []Script
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			panic(err) // it is in the binary
		}
		scripts = append(scripts, Script{Name: strings.TrimSuffix(path.Base(name), ".txt"), Text: string(text)})
	}
	return scripts
}

// bound is how a script says that its replies are not those of every version.
var bound = regexp.MustCompile(`(?m)^# replies (since|before) (\d+)$`)

// Holds tells whether a server of this major version gives the replies that the script has: it may say "# replies since 14" or "# replies before 18".
func (s Script) Holds(major int) bool {
	for _, m := range bound.FindAllStringSubmatch(s.Text, -1) {
		if limit, err := strconv.Atoi(m[2]); err == nil && (major < limit) != (m[1] == "before") {
			return false
		}
	}
	return true
}

// line is one line of a script that does something, or a comment.
type line struct {
	number int    // from 1
	text   string // as it stands there
	conn   string // "" for a comment, an empty line, and let
	verb   string // what follows the connection's name
	args   string // what follows the verb
}

// reply matches the lines that Run writes.
var reply = regexp.MustCompile(`^[a-z]\w* (B\t.*|EOF|B \.\.\. .*|SSLRequest refused)$`)

// command matches the lines that say what to do.
var command = regexp.MustCompile(`^([a-z]\w*) (>|~|[a-z]+)(?: (.*))?$`)

// lines splits the script, without its replies.
func (s Script) lines() ([]line, error) {
	var list []line
	rows := strings.Split(strings.TrimSuffix(s.Text, "\n"), "\n")
	for i := 0; i < len(rows); i++ {
		l := line{number: i + 1, text: rows[i]}
		switch {
		case reply.MatchString(l.text):
			continue
		case l.text == "", strings.HasPrefix(l.text, "#"):
		case strings.HasPrefix(l.text, "let "):
			l.verb, l.args = "let", strings.TrimPrefix(l.text, "let ")
			for strings.Count(l.args, "`")%2 == 1 && i+1 < len(rows) {
				i++
				l.args += "\n" + rows[i]
				l.text += "\n" + rows[i]
			}
		default:
			m := command.FindStringSubmatch(l.text)
			if m == nil {
				return nil, fmt.Errorf("%s.txt:%d: %q is neither a command nor a reply", s.Name, l.number, l.text)
			}
			l.conn, l.verb, l.args = m[1], m[2], m[3]
		}
		list = append(list, l)
	}
	return list, nil
}
