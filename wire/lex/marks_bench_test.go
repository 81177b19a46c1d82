package lex_test

import (
	"fmt"
	"strings"
	"testing"

	"poolerd/wire/lex"
)

// postgrest is the text with which PostgREST 12 begins each request.
const postgrest = `select set_config('search_path', $1, true), set_config('role', $2, true), set_config('request.jwt.claims', $3, true), ` +
	`set_config('request.method', $4, true), set_config('request.path', $5, true), set_config('request.headers', $6, true), set_config('request.cookies', $7, true)`

// markTexts are texts of many kinds, by name.
func markTexts() map[string]string {
	var insert, prose strings.Builder
	insert.WriteString("INSERT INTO items (id, name, price, made) VALUES ")
	words := []string{"apple", "pear", "iron gate", "Lorem ipsum dolor", "sit amet", "O''Brien", "consectetur adipiscing", "x", "temporary shelter", "last call"}
	for i := 0; insert.Len() < 1<<20; i++ {
		fmt.Fprintf(&insert, "(%d, '%s %s', %d.%02d, '2024-%02d-%02d'), ", i, words[i*7%10], words[i*i%9], i*31%1000, i%100, i%12+1, i%28+1)
	}
	prose.WriteString("SELECT ")
	for i := 0; prose.Len() < 1<<20; i++ {
		fmt.Fprintf(&prose, `t%d.%s AS "c_%d", coalesce(u.%s, 0) FROM a JOIN b ON a.x = b.%s `, i*i%97, words[i%2], i, words[i*3%2], words[i%2])
	}
	return map[string]string{
		"select":    "SELECT abalance FROM pgbench_accounts WHERE aid = 8271364 -- x",
		"parameter": "SELECT abalance FROM pgbench_accounts WHERE aid = $1",
		"short":     "SELECT 1",
		"postgrest": postgrest,
		"insert 1M": insert.String(),
		"prose 1M":  prose.String(),
	}
}

func BenchmarkMark(b *testing.B) {
	for name, sql := range markTexts() {
		b.Run(name, func(b *testing.B) {
			text := []byte(sql)
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				_ = lex.Mark(text)
			}
		})
	}
}

// BenchmarkMarkWorst takes texts that are made to keep Mark busy: the time per byte must not grow with their length.
func BenchmarkMarkWorst(b *testing.B) {
	for _, piece := range []string{
		";/*", ";--", "temp--", "temp /*", "create\n temp -- -- --", "set_config('", "set_config('x''", "set_config('a',", "/* */ temp", "\ntemp", " temp",
		"1temp", "-- -- -- --\n temp", "(default", "*/temp", "--temp\n", "load ", "; -- x\n", "aaaa", "temp                     ",
	} {
		for _, size := range []int{1 << 10, 1 << 14, 1 << 18} {
			text := []byte(strings.Repeat(piece, size/len(piece)))
			b.Run(fmt.Sprintf("%q/%d", piece, size), func(b *testing.B) {
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					_ = lex.Mark(text)
					_, _ = lex.SetConfigs(text)
				}
			})
		}
	}
}

func BenchmarkEffects(b *testing.B) {
	texts := markTexts()
	for name, sql := range map[string]string{
		"set":         "SET client_encoding = 'UTF8';SET client_min_messages TO WARNING;",
		"two selects": "SELECT 1; SELECT 2",
		"insert 1M":   "BEGIN; " + texts["insert 1M"] + "; COMMIT",
		"one of 1M":   texts["insert 1M"],
	} {
		b.Run(name, func(b *testing.B) {
			text := []byte(sql)
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				_, _ = lex.Effects(text)
			}
		})
	}
}
