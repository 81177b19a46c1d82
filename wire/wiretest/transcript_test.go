package wiretest

import (
	"strings"
	"testing"

	"poolerd/wire"
)

func TestNormalize(t *testing.T) {
	for _, c := range []struct {
		name    string
		message []byte
		want    string
	}{
		{"key", wire.AppendBackendKeyData(nil, 4711, []byte("a longer key")), "B\t12\tBackendKeyData\t 0 0"},
		{"version", wire.AppendParameterStatus(nil, "server_version", "15.20 (Debian)"), "B\t23\tParameterStatus\t \"server_version\" \"any\""},
		{"other parameter", wire.AppendParameterStatus(nil, "server_version_num", "15"), "B\t26\tParameterStatus\t \"server_version_num\" \"15\""},
		{"notification", envelope('A', []byte("\x00\x00\x00\x07c\x00p\x00")), "B\t12\tNotificationResponse\t 0 \"c\" \"p\""},
		{
			"error", envelope('E', []byte("SERROR\x00C42601\x00Mx\x00Wcontext\x00Fa.c\x00L1\x00Rr\x00\x00")),
			"B\t31\tErrorResponse\t S \"ERROR\" C \"42601\" M \"x\" W \"context\" \\x00",
		},
		{
			"a server's name of a statement", envelope('E', []byte("C08P01\x00Mbind to prepared statement \"p_1\" fails\x00\x00")),
			"B\t52\tErrorResponse\t C \"08P01\" M \"bind to prepared statement \"any\" fails\" \\x00",
		},
		{
			"a client's name of a statement", envelope('E', []byte("C26000\x00Mprepared statement \"0\" does not exist\x00\x00")),
			"B\t51\tErrorResponse\t C \"26000\" M \"prepared statement \"0\" does not exist\" \\x00",
		},
		{
			"columns", envelope('T', []byte("\x00\x02a\x00\x00\x00\x99\x99\x00\x01\x00\x00\x00\x17\x00\x04\xff\xff\xff\xff\x00\x00b\x00\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\xff\xff\xff\xff\xff\xff\x00\x00")),
			"B\t46\tRowDescription\t 2 \"a\" 16384 1 23 4 -1 0 \"b\" 0 0 16384 -1 -1 0",
		},
		{"parameters", envelope('t', []byte("\x00\x02\x00\x00\x00\x17\x00\x01\x00\x00")), "B\t14\tParameterDescription\t 2 23 16384"},
		{"row", envelope('D', []byte("\x00\x01\x00\x00\x00\x01x")), "B\t11\tDataRow\t 1 1 'x'"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := string(c.message)
			if got := string(wire.AppendTrace(nil, wire.FromServer, Normalize(c.message))); got != c.want {
				t.Errorf("\n got %s\nwant %s", got, c.want)
			}
			if string(c.message) != before {
				t.Error("the message itself was changed")
			}
		})
	}
}

func FuzzNormalize(f *testing.F) {
	f.Add(byte('E'), []byte("C08P01\x00Mprepared statement \"p\"\x00\x00"))
	f.Add(byte('T'), []byte("\x00\x01a\x00\x00\x00\x99\x99\x00\x01\x00\x00\x00\x17\x00\x04\xff\xff\xff\xff\x00\x00"))
	f.Add(byte('t'), []byte("\x00\x02\x00\x00\x00\x17\x00\x01"))
	f.Add(byte('A'), []byte("\x00"))
	f.Fuzz(func(t *testing.T, typ byte, body []byte) {
		message := envelope(typ, body)
		once := Normalize(message)
		if _, size, ok := wire.Header(once); !ok || size != len(once) {
			t.Errorf("%q is normally %q", message, once)
		}
		if twice := Normalize(once); string(twice) != string(once) {
			t.Errorf("%q is normally %q, and that %q", message, once, twice)
		}
	})
}

func TestTranscript(t *testing.T) {
	row := func(value string) []byte {
		return envelope('D', append([]byte{0, 1, 0, 0, byte(len(value) >> 8), byte(len(value))}, value...))
	}
	end := wire.AppendReadyForQuery(nil, wire.TxIdle)
	write := func(portable bool, rows int, last string) string {
		tr := transcript{portable: portable}
		tr.line("c1 > Query")
		tr.reply("c1", wire.AppendParameterStatus(nil, "TimeZone", "UTC"))
		tr.reply("c1", wire.AppendParameterStatus(nil, "search_path", "api"))
		tr.reply("c1", wire.AppendParameterStatus(nil, "DateStyle", "ISO"))
		tr.reply("c1", envelope('N', []byte("Mm\x00HSet \"a\".\x00Ww\x00\x00")))
		for range rows {
			tr.reply("c1", row("x"))
		}
		tr.reply("c1", row(last))
		tr.reply("c1", end)
		return tr.text()
	}
	want := `c1 > Query
c1 B	18	ParameterStatus	 "DateStyle" "ISO"
c1 B	17	ParameterStatus	 "TimeZone" "UTC"
c1 B	20	ParameterStatus	 "search_path" "api"
c1 B	21	NoticeResponse	 M "m" H "Set "a"." W "w" \x00
` + strings.Repeat("c1 B	11	DataRow	 1 1 'x'\n", 2) + "c1 B	5	ReadyForQuery	 I\n"
	if got := write(false, 1, "x"); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if got := write(true, 1, "x"); strings.Contains(got, "search_path") || strings.Contains(got, "W") || !strings.Contains(got, `M "m" H "Set a."`) {
		t.Errorf("not portable: %s", got)
	}

	// Many rows are cut, but their content still counts; so does that of a long one.
	many := write(false, 100, "x")
	if n := strings.Count(many, "'x'"); n != maxRow || !strings.Contains(many, "c1 B ... 89 more DataRow, 1068 bytes, sha256 ") {
		t.Errorf("%d rows are shown of\n%s", n, many)
	}
	if write(false, 100, "y") == many || write(false, 101, "x") == many || write(false, 100, "x") != many {
		t.Error("the hash does not tell what was cut")
	}
	long := write(false, 0, strings.Repeat("x", 3000))
	if len(long) > 1000 || !strings.Contains(long, " ... 3025 bytes, sha256 ") || write(false, 0, strings.Repeat("x", 2999)+"y") == long {
		t.Errorf("a long row: %s", long)
	}
	for _, text := range []string{want, many, long} {
		for _, l := range strings.Split(strings.TrimSuffix(text, "\n"), "\n")[1:] {
			if !reply.MatchString(l) {
				t.Errorf("not known as a reply: %s", l)
			}
		}
	}
}

// A server before PostgreSQL 14 says of parameters what a later one says, where it says it.
func TestReportsOfEarlyServers(t *testing.T) {
	transcribe := func(version string, messages ...[]byte) string {
		var tr transcript
		tr.line("c1 connect welcome")
		for _, m := range [][]byte{
			wire.AppendParameterStatus(nil, "TimeZone", "UTC"), wire.AppendParameterStatus(nil, "server_version", version),
			wire.AppendBackendKeyData(nil, 1, []byte("1234")), wire.AppendReadyForQuery(nil, wire.TxIdle),
		} {
			tr.reply("c1", m)
		}
		tr.line("c1 > Query")
		for _, m := range messages {
			tr.reply("c1", m)
		}
		return tr.text()
	}
	report := func(name, value string) []byte { return wire.AppendParameterStatus(nil, name, value) }
	set, ready := wire.AppendCommandComplete(nil, "SET"), wire.AppendReadyForQuery(nil, wire.TxIdle)
	late := transcribe("15.2", set, report("DateStyle", "ISO"), report("TimeZone", "Asia/Tokyo"), ready, set, report("TimeZone", "UTC"), ready, set, ready)
	early := transcribe("13.23 (Debian)",
		report("TimeZone", "Asia/Tokyo"), report("DateStyle", "SQL"), report("DateStyle", "ISO"), set, ready, report("TimeZone", "UTC"), set, ready,
		report("TimeZone", "Asia/Tokyo"), report("TimeZone", "UTC"), set, ready)
	if early != late {
		t.Errorf("\n got %s\nwant %s", early, late)
	}
	// The order of later servers is shown as it is.
	if late == transcribe("15.2", report("DateStyle", "ISO"), report("TimeZone", "Asia/Tokyo"), set, ready, set, report("TimeZone", "UTC"), ready, set, ready) {
		t.Error("a report that comes too early does not show")
	}
}
