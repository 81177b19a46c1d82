package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// TestSecretsDoNotShow formats, marshals and logs everything that holds a secret.
func TestSecretsDoNotShow(t *testing.T) {
	const word = "hush-hush"
	c := parseText(t, "[databases]\na = host=x password="+word+"\n[pgbouncer]\nauth_type=trust\n")
	if err := ApplyUpstream(c, "postgres://u:"+word+"@h/db", Origin{Flag: "--upstream"}); err != nil {
		t.Fatal(err)
	}
	list, err := ParseUserlist("users", []byte(`"u" "`+word+`"`))
	if err != nil {
		t.Fatal(err)
	}
	db, secret := c.Databases["a"], NewSecret(word)
	pool, _ := c.Pool("a", "u")
	holders := []any{c, *c, db, &db, c.Databases, c.Upstream, pool, list, *list, secret, &secret, []Secret{secret}, Diff(Defaults(), c), c.Entries()}
	var log bytes.Buffer
	logger := zerolog.New(&log)
	for _, h := range holders {
		shown := ""
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			shown += fmt.Sprintf(verb+" ", h)
		}
		if b, err := json.Marshal(h); err == nil {
			shown += string(b)
		}
		logger.Info().Interface("x", h).Any("y", h).Msg("")
		shown += log.String()
		if strings.Contains(shown, word) || strings.Contains(shown, fmt.Sprintf("%x", word)) {
			t.Errorf("%T shows its secret: %s", h, shown)
		}
		log.Reset()
	}
	if secret.Reveal() != word || secret.String() != "(plain, hidden)" || (Secret{}).String() != "(none)" {
		t.Errorf("%q %q", secret.Reveal(), secret)
	}
}

func TestSecretKinds(t *testing.T) {
	for text, want := range map[string]SecretKind{
		"": NoSecret, "x": PlainSecret, "md5": PlainSecret, "md5d41d8cd98f00b204e9800998ecf8427e": MD5Secret, "md5d41d8cd98f00b204e9800998ecf8427z": PlainSecret,
		"SCRAM-SHA-256$4096:c2FsdA==$x:y": SCRAMSecret,
	} {
		if got := NewSecret(text).Kind(); got != want {
			t.Errorf("%q is %v, want %v", text, got, want)
		}
	}
}

func TestUserlist(t *testing.T) {
	list, err := ParseUserlist("u", []byte("; comment\n\n\"a\" \"one\"\r\n  \"b\"\t\"two\" more \"text\"\n\"q\"\"q\" \"p\"\"w\"\n\"a\" \"last\"\n\"e\" \"\"\n\"t\"\"tight\"\n"))
	if err == nil {
		t.Fatalf("a line without a blank between its fields is not one of two fields: %v", list.Users())
	}
	list, err = ParseUserlist("u", []byte("; comment\n\n\"a\" \"one\"\r\n  \"b\"\t\"two\" more \"text\"\n\"q\"\"q\" \"p\"\"w\"\n\"a\" \"last\"\n\"e\" \"\"\n"))
	if err != nil {
		t.Fatal(err)
	}
	for user, want := range map[string]string{"a": "last", "b": "two", `q"q`: `p"w`, "e": ""} {
		if got, ok := list.Reveal(user); !ok || got != want {
			t.Errorf("%s has %q, %v; want %q", user, got, ok, want)
		}
	}
	if _, ok := list.Secret("nobody"); ok || len(list.Users()) != 4 {
		t.Errorf("users %v", list.Users())
	}
}

func TestBrokenUserlist(t *testing.T) {
	for _, tc := range []struct{ text, want string }{
		{"a b", "u:1: broken line of the user list"},
		{"\n\"a\"", "u:2: broken line of the user list"},
		{`"a" "hush`, "u:1: broken line of the user list"},
		{`"" "hush"`, "u:1: broken line of the user list"},
		{`"a" hush`, "u:1: broken line of the user list"},
		{`"a" "SCRAM-SHA-256$hush"`, "u:1: a: broken SCRAM secret; copy it whole"},
		{`"a" "SCRAM-SHA-256$0:c2FsdA==$x:y"`, "u:1: a: broken SCRAM secret"},
	} {
		_, err := ParseUserlist("u", []byte(tc.text))
		if err == nil || !strings.HasPrefix(err.Error(), tc.want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: got %v, want %s", tc.text, err, tc.want)
		}
	}
	var many Errors
	if _, err := ParseUserlist("u", []byte("x\n\"a\" \"b\"\ny")); !errors.As(err, &many) || len(many) != 2 {
		t.Errorf("got %v, want two problems", err)
	}
}

func FuzzUserlist(f *testing.F) {
	f.Add("\"a\" \"b\"\n; x\n\"q\"\"q\" \"SCRAM-SHA-256$1:c2FsdA==$x:y\" z")
	f.Fuzz(func(t *testing.T, text string) {
		list, err := ParseUserlist("u", []byte(text))
		if (list == nil) == (err == nil) {
			t.Fatalf("list %v with error %v", list, err)
		}
		if err != nil {
			return
		}
		for _, user := range list.Users() {
			quoted := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
			secret, _ := list.Reveal(user)
			again, err := ParseUserlist("u", []byte(quoted(user)+" "+quoted(secret)))
			if err != nil {
				t.Fatalf("%q %q written again: %v", user, secret, err)
			}
			if got, ok := again.Reveal(user); !ok || got != secret {
				t.Fatalf("%q has %q, and %q when written again", user, secret, got)
			}
		}
	})
}
