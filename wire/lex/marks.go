package lex

import (
	"bytes"
	"encoding/binary"
	"strings"
)

// Marks is what the words of a text reveal about the state of a session: what it may leave behind on its server, and what it depends on.
type Marks uint32

// The marks. "First word" means the first one of a statement, or anywhere in a text that is marked MarkOpaque.
const (
	MarkTemp         Marks = 1 << iota // CREATE TEMP, INTO TEMPORARY and their like, pg_temp...
	MarkAdvisory                       // pg_advisory_lock, pg_try_advisory_lock and their like, which outlast the transaction
	MarkHold                           // a cursor WITH HOLD
	MarkSetConfig                      // set_config whose third argument is not plainly true, set_limit of pg_trgm, UPDATE pg_settings
	MarkSequenceRead                   // currval, lastval
	MarkSequence                       // nextval, setval
	MarkInsert                         // INSERT INTO, MERGE INTO, COPY as the first word, DEFAULT as a new value: a sequence may move
	MarkNotify                         // NOTIFY, pg_notify
	MarkListen                         // LISTEN, UNLISTEN
	MarkOpaque                         // DO or CALL as the first word: code that does anything
	MarkSticky                         // what can be neither asked for nor replayed: LOAD, SET temp_buffers, setseed, dblink_connect, replication slots and origins, backups
	MarkPrepare                        // PREPARE (not PREPARE TRANSACTION) and DEALLOCATE as the first word, EXECUTE of a prepared statement
	MarkEnds                           // what may take such state away: DROP, ALTER, DISCARD, CLOSE, DEALLOCATE as the first word, UNLISTEN, pg_advisory_unlock, ends of backups
	MarkDDL                            // CREATE, ALTER, DROP, IMPORT as the first word: prepared statements may mean something else, or fail
	MarkPath                           // SET LOCAL of search_path, role or session authorization, and set_config of them: later texts may mean something else
)

var markNames = [...]string{
	"temp", "advisory", "hold", "set_config", "sequence read", "sequence", "insert", "notify", "listen", "opaque", "sticky", "prepare", "ends", "ddl", "path",
}

// String joins the names of the marks by a bar: "temp|advisory". Without a mark it is "none".
func (m Marks) String() string {
	if m == 0 {
		return "none"
	}
	var names []string
	for i, name := range markNames {
		if m&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, "|")
}

// Mark tells what the words of a text reveal, in one pass and without allocating. It looks for words wherever they are, in string constants too, which
// may be bodies of DO or arguments of EXECUTE; in doubt a mark is given. What functions do that a text calls by other names it cannot know, nor words that
// are only put together by the server ('TE' || 'MP', U&'\0054EMP').
//
// Nearly every text has none of these words. So it does not go from word to word, which a processor's branch prediction cannot follow, but hashes the
// four bytes at every position, five of them at a time, and looks closer only where they may be the start of such a word.
func Mark(sql []byte) Marks {
	if i := bytes.IndexByte(sql, 0); i >= 0 {
		sql = sql[:i]
	}
	k := marker{sql: sql, left: 4096 + 4*len(sql)}
	if k.opaque() {
		k.marks = MarkOpaque
	}
	last := len(sql) - 8 // where the last eight bytes begin
	for at := 0; at <= last; at += 5 {
		if w := binary.LittleEndian.Uint64(sql[at:]); anyHead(w) {
			k.heads(w, at)
		}
	}
	switch {
	case last >= 0: // again in part, which does no harm
		k.heads(binary.LittleEndian.Uint64(sql[last:]), last)
	case last >= -4:
		var b [8]byte
		copy(b[:], sql)
		k.heads(binary.LittleEndian.Uint64(b[:]), 0)
	}
	if k.marks&MarkOpaque != 0 {
		k.marks |= k.loose
	}
	return k.marks
}

// The first four bytes of every word that wordAt knows.
const heads = "temp" + "pg_t" + "pg_a" + "pg_n" + "pg_r" + "pg_c" + "pg_b" + "pg_s" + "pg_d" + "hold" + "set_" + "setv" + "sets" + "curr" + "last" + "next" +
	"inse" + "merg" + "copy" + "defa" + "noti" + "list" + "unli" + "call" + "dbli" + "load" + "prep" + "exec" + "deal" + "disc" + "clos" + "drop" + "alte" +
	"crea" + "impo" + "loca"

// headTable holds what headHash makes of the heads. It never changes.
var headTable = func() (table [1 << headBits]byte) {
	for i := 0; i < len(heads); i += 4 {
		w := binary.LittleEndian.Uint64([]byte(heads[i:i+4] + "    "))
		table[headHash(w|lowerCase)] = 1
	}
	return table
}()

const (
	headBits  = 12
	lowerCase = 0x2020202020202020 // makes capitals small, and of other bytes something that is looked at more closely
)

// headHash hashes the low four bytes.
func headHash(w uint64) uint32 { return uint32(w) * 0x9E3779B1 >> (32 - headBits) }

// anyHead tells whether a head may begin at one of the first five of eight bytes.
func anyHead(w uint64) bool {
	w |= lowerCase
	return headTable[headHash(w)]|headTable[headHash(w>>8)]|headTable[headHash(w>>16)]|headTable[headHash(w>>24)]|headTable[headHash(w>>32)] != 0
}

// heads looks at the words that may begin at one of the first five of the eight bytes at.
func (k *marker) heads(w uint64, at int) {
	w |= lowerCase
	for i := range 5 {
		if headTable[headHash(w>>(8*i))] != 0 && at+i+4 <= len(k.sql) {
			k.wordAt(at + i)
		}
	}
}
