package auth

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/xdg-go/scram"

	"poolerd/wire"
)

// secrets is a user list in memory.
type secrets map[string]string

func (s secrets) Reveal(user string) (string, bool) {
	text, ok := s[user]
	return text, ok
}

// stored is "secret" as PostgreSQL stores it, with few iterations.
func stored(t testing.TB, password string, iterations int) string {
	t.Helper()
	v := deriveKeys(password, []byte("0123456789abcdef"), iterations).verifier()
	b64 := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", iterations, b64(v.salt), b64(v.storedKey), b64(v.serverKey))
}

// login plays a client with a password against e, and gives the error it ends with and the texts that the server sent.
func login(t *testing.T, e *Exchange, user, password string) (*wire.Error, []string) {
	t.Helper()
	var said []string
	switch m := decode(t, e.Start()).(type) {
	case *pgproto3.AuthenticationCleartextPassword:
		return one(t, e, password), []string{"plain"}
	case *pgproto3.AuthenticationMD5Password:
		return one(t, e, hashMD5(hashMD5(password + user)[3:]+string(m.Salt[:]))), []string{"md5"}
	case *pgproto3.AuthenticationSASL:
		if len(m.AuthMechanisms) != 1 || m.AuthMechanisms[0] != "SCRAM-SHA-256" {
			t.Fatalf("mechanisms offered: %v", m.AuthMechanisms)
		}
	default:
		t.Fatalf("the exchange starts with %T", m)
	}
	client, err := scram.SHA256.NewClientUnprepped("", password, "")
	if err != nil {
		t.Fatal(err)
	}
	talk := client.WithMinIterations(1).NewConversation()
	first, _ := talk.Step("")
	reply, done, failure := e.Next(body(t, &pgproto3.SASLInitialResponse{AuthMechanism: "SCRAM-SHA-256", Data: []byte(first)}))
	if done || failure != nil {
		t.Fatalf("after the first message: done %v, %v", done, failure)
	}
	challenge := string(decode(t, reply).(*pgproto3.AuthenticationSASLContinue).Data)
	said = append(said, challenge)
	final, err := talk.Step(challenge)
	if err != nil {
		t.Fatal(err)
	}
	reply, done, failure = e.Next([]byte(final))
	if failure != nil {
		return failure, said
	}
	if !done {
		t.Fatal("the exchange does not end")
	}
	if _, err := talk.Step(string(decode(t, reply).(*pgproto3.AuthenticationSASLFinal).Data)); err != nil {
		t.Fatalf("the client does not believe the server: %v", err)
	}
	return nil, said
}

// one sends a PasswordMessage.
func one(t *testing.T, e *Exchange, answer string) *wire.Error {
	t.Helper()
	reply, done, err := e.Next(body(t, &pgproto3.PasswordMessage{Password: answer}))
	if len(reply) > 0 || done == (err != nil) {
		t.Fatalf("reply %q, done %v, error %v", reply, done, err)
	}
	return err
}

func body(t *testing.T, m pgproto3.FrontendMessage) []byte {
	t.Helper()
	b, err := m.Encode(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b[wire.HeaderLen:]
}

func decode(t *testing.T, b []byte) pgproto3.BackendMessage {
	t.Helper()
	m, err := pgproto3.NewFrontend(bytes.NewReader(b), nil).Receive()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMethodsAndSecrets(t *testing.T) {
	known := secrets{
		"plain": "secret", "md5": hashMD5("secret" + "md5"), "scram": stored(t, "secret", 64), "none": "",
		"unicode": "p\u00e4ssw\u00f6rd", "looks": "SCRAM-SHA-256$oops",
	}
	for _, tc := range []struct {
		method   Method
		user     string
		password string
		right    bool
		way      string // how it is asked
	}{
		{SCRAM, "plain", "secret", true, "scram"},
		{SCRAM, "plain", "Secret", false, "scram"},
		{SCRAM, "scram", "secret", true, "scram"},
		{SCRAM, "scram", "wrong", false, "scram"},
		{SCRAM, "md5", "secret", false, "scram"}, // an md5 secret cannot serve SCRAM
		{SCRAM, "nobody", "secret", false, "scram"},
		{SCRAM, "none", "x", false, "scram"},
		{SCRAM, "unicode", "p\u00e4ssw\u00f6rd", true, "scram"},
		{SCRAM, "looks", "SCRAM-SHA-256$oops", true, "scram"},
		{MD5, "plain", "secret", true, "md5"},
		{MD5, "plain", "wrong", false, "md5"},
		{MD5, "md5", "secret", true, "md5"},
		{MD5, "md5", "wrong", false, "md5"},
		{MD5, "scram", "secret", true, "scram"},
		{MD5, "scram", "wrong", false, "scram"},
		{MD5, "nobody", "x", false, "md5"},
		{MD5, "none", "x", false, "md5"},
		{Plain, "plain", "secret", true, "plain"},
		{Plain, "plain", "wrong", false, "plain"},
		{Plain, "md5", "secret", true, "plain"},
		{Plain, "md5", "wrong", false, "plain"},
		{Plain, "scram", "secret", true, "plain"},
		{Plain, "scram", "wrong", false, "plain"},
		{Plain, "nobody", "x", false, "plain"},
		{Plain, "none", "x", false, "plain"},
	} {
		t.Run(fmt.Sprintf("%v/%s/%s", tc.method, tc.user, tc.password), func(t *testing.T) {
			err, said := login(t, New().Begin(tc.method, 64, known, tc.user), tc.user, tc.password)
			way := said[0]
			if strings.HasPrefix(way, "r=") {
				way = "scram"
			}
			if way != tc.way {
				t.Errorf("asked by %s, want %s", way, tc.way)
			}
			if tc.right != (err == nil) {
				t.Fatalf("got %v, want success %v", err, tc.right)
			}
			want := `password authentication failed for user "` + tc.user + `"`
			if err != nil && (err.Severity != "FATAL" || err.Code != wire.CodeInvalidPassword || err.Message != want) {
				t.Errorf("got %+v, want FATAL 28P01 %q", err, want)
			}
		})
	}
}

// TestSecretMadeElsewhere takes a secret that was not derived by this package, as PostgreSQL would store it for the password "by_scram".
func TestSecretMadeElsewhere(t *testing.T) {
	known := secrets{"u": "SCRAM-SHA-256$4096:Zm91bnRhaW4gYXJyYXkgMQ==$NcC/pKhtk1GFlP30R6Gi9kj/EaW0AgVM47v0IWs+tvU=:JZcdGbWpi36nMk4ms05eU4+awB/ltZXcCdAkGdojBCA="}
	for _, method := range []Method{SCRAM, MD5, Plain} {
		if err, _ := login(t, New().Begin(method, 4096, known, "u"), "u", "by_scram"); err != nil {
			t.Errorf("%v: %v", method, err)
		}
		if err, _ := login(t, New().Begin(method, 4096, known, "u"), "u", "by-scram"); err == nil {
			t.Errorf("%v: a wrong password is taken", method)
		}
	}
}

// TestUnknownUserLooksKnown compares what a server says to a user who exists and to one who does not.
func TestUnknownUserLooksKnown(t *testing.T) {
	a := New()
	salt := func(user string) string {
		_, said := login(t, a.Begin(SCRAM, 64, secrets{"known": "secret"}, user), user, "wrong")
		fields := strings.Split(said[0], ",")
		if len(fields) != 3 || fields[2] != "i=64" {
			t.Fatalf("challenge for %s: %q", user, said[0])
		}
		return fields[1]
	}
	known, nobody := salt("known"), salt("nobody")
	if known != salt("known") || nobody != salt("nobody") {
		t.Error("the salt of a user changes from try to try")
	}
	if known == nobody || len(known) != len(nobody) {
		t.Errorf("salts %q and %q tell users apart", known, nobody)
	}
}

func TestPlainPasswordIsDerivedOnce(t *testing.T) {
	a := New()
	known := secrets{"u": "secret"}
	if err, _ := login(t, a.Begin(SCRAM, 64, known, "u"), "u", "secret"); err != nil {
		t.Fatal(err)
	}
	first := a.derived["u"]
	if err, _ := login(t, a.Begin(SCRAM, 64, known, "u"), "u", "secret"); err != nil || a.derived["u"] != first {
		t.Error("derived again for the same password")
	}
	if err, _ := login(t, a.Begin(SCRAM, 64, secrets{"u": "new"}, "u"), "u", "new"); err != nil {
		t.Errorf("after a change of password: %v", err)
	}
	if err, _ := login(t, a.Begin(SCRAM, 64, secrets{"u": "new"}, "u"), "u", "secret"); err == nil {
		t.Error("the old password is still right")
	}
}

func TestMalformedMessages(t *testing.T) {
	initial := func(mechanism, data string) []byte {
		return body(t, &pgproto3.SASLInitialResponse{AuthMechanism: mechanism, Data: []byte(data)})
	}
	hello := initial("SCRAM-SHA-256", "n,,n=,r=abcdefghijklmnop")
	for _, tc := range []struct {
		name   string
		method Method
		bodies [][]byte
		code   wire.Code
	}{
		{"empty", SCRAM, [][]byte{nil}, "08P01"},
		{"a password instead", SCRAM, [][]byte{[]byte("secret\x00")}, "08P01"},
		{"other mechanism", SCRAM, [][]byte{initial("SCRAM-SHA-256-PLUS", "n,,n=,r=abc")}, "08P01"},
		{"wrong length", SCRAM, [][]byte{[]byte("SCRAM-SHA-256\x00\x00\x00\x00\x09n,,n=,r=abcdef")}, "08P01"},
		{"no client first", SCRAM, [][]byte{initial("SCRAM-SHA-256", "hello")}, "08P01"},
		{"channel binding without TLS", SCRAM, [][]byte{initial("SCRAM-SHA-256", "p=tls-server-end-point,,n=,r=abc")}, "08P01"},
		{"authorization identity", SCRAM, [][]byte{initial("SCRAM-SHA-256", "n,a=other,n=,r=abcdef")}, "0A000"},
		{"final without nonce", SCRAM, [][]byte{hello, []byte("c=biws,p=AAAA")}, "08P01"},
		{"final with another nonce", SCRAM, [][]byte{hello, []byte("c=biws,r=zzz,p=" + base64.StdEncoding.EncodeToString(make([]byte, 32)))}, "08P01"},
		{"final empty", SCRAM, [][]byte{hello, nil}, "08P01"},
		{"md5 without end", MD5, [][]byte{[]byte("md5abc")}, "08P01"},
		{"plain with two strings", Plain, [][]byte{[]byte("a\x00b\x00")}, "08P01"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			e := New().Begin(tc.method, 64, secrets{"u": "secret"}, "u")
			e.Start()
			for i, b := range tc.bodies {
				_, done, err := e.Next(b)
				if last := i == len(tc.bodies)-1; done || last != (err != nil) {
					t.Fatalf("message %d: done %v, %v", i, done, err)
				}
				if err != nil && (err.Code != tc.code || err.Severity != "FATAL") {
					t.Errorf("got %+v, want FATAL %s", err, tc.code)
				}
			}
			if _, done, err := e.Next(hello); done || err == nil {
				t.Error("the exchange goes on after its failure")
			}
		})
	}
}

// TestEmptyInitialResponse: a client may name the mechanism first and wait to be asked.
func TestEmptyInitialResponse(t *testing.T) {
	e := New().Begin(SCRAM, 64, secrets{"u": "secret"}, "u")
	e.Start()
	reply, done, err := e.Next([]byte("SCRAM-SHA-256\x00\xff\xff\xff\xff"))
	if done || err != nil || len(decode(t, reply).(*pgproto3.AuthenticationSASLContinue).Data) != 0 {
		t.Fatalf("reply %q, done %v, %v", reply, done, err)
	}
	if reply, _, err = e.Next([]byte("n,,n=,r=abcdefghijklmnop")); err != nil || len(reply) < 20 {
		t.Fatalf("reply %q, %v", reply, err)
	}
}

// FuzzExchange: no sequence of bytes logs in without the password, and none breaks the exchange. A third message is added where the nonce is known, so that the proof is reached.
func FuzzExchange(f *testing.F) {
	f.Add(uint8(0), true, []byte("SCRAM-SHA-256\x00\x00\x00\x00\x09n,,n=,r=a"), []byte("c=biws,r=a,p=AAAA"))
	f.Add(uint8(0), false, []byte("SCRAM-SHA-256\x00\xff\xff\xff\xff"), []byte("n,,n=,r=abc"))
	f.Add(uint8(0), true, []byte("SCRAM-SHA-256-PLUS\x00\x00\x00\x00\x20p=tls-server-end-point,,n=,r=abc"), []byte("c=cD10bHMtc2VydmVyLWVuZC1wb2ludCws,r=abcNONCE,p=AAAA"))
	f.Add(uint8(1), false, []byte("md5d41d8cd98f00b204e9800998ecf8427e\x00"), []byte{})
	f.Add(uint8(2), false, []byte("password\x00"), []byte("\x00"))
	known := secrets{"u": stored(f, "a password that no fuzzer finds", 1)}
	a := New()
	f.Fuzz(func(t *testing.T, method uint8, bind bool, first, second []byte) {
		for _, user := range []string{"u", "nobody"} {
			e := a.Begin(Method(method%3), 1, known, user)
			if bind {
				e.Bind(endPoint)
			}
			e.Start()
			for _, b := range [][]byte{first, second, second} {
				if s, ok := e.steps.(*scramSteps); ok {
					b = bytes.ReplaceAll(b, []byte("NONCE"), []byte(strings.TrimPrefix(s.serverNonce, s.clientNonce)))
				}
				reply, done, err := e.Next(b)
				if done {
					t.Fatalf("%q, %q logged in as %s", first, second, user)
				}
				if err != nil {
					if err.Severity != "FATAL" || len(reply) > 0 {
						t.Fatalf("error %+v with reply %q", err, reply)
					}
					break
				}
			}
			if _, ok := e.Keys(); ok {
				t.Fatalf("%q, %q gave keys", first, second)
			}
		}
	})
}

func FuzzParseSecret(f *testing.F) {
	f.Add("md5d41d8cd98f00b204e9800998ecf8427e")
	f.Add(stored(f, "x", 1))
	f.Add("SCRAM-SHA-256$1:$:")
	f.Fuzz(func(t *testing.T, text string) {
		s := parseSecret(text)
		if s.kind == scramSecret && (len(s.scram.storedKey) != 32 || len(s.scram.serverKey) != 32 || s.scram.iterations < 1 || len(s.scram.salt) == 0) {
			t.Fatalf("%q gives a broken secret", text)
		}
		if s.kind == plainSecret && s.text != text {
			t.Fatalf("%q changed", text)
		}
	})
}

// TestUnknownFollowsMD5: with the method md5 an unknown user is asked for what users are asked for.
func TestUnknownFollowsMD5(t *testing.T) {
	users := secrets{"hashed": hashMD5("foohashed"), "scram": stored(t, "foo", 10), "empty": ""}
	a := New()
	for _, known := range []string{"scram", "hashed"} {
		want := a.Begin(MD5, 10, users, known).SASL()
		for _, other := range []string{"nobody", "empty"} {
			if got := a.Begin(MD5, 10, users, other).SASL(); got != want {
				t.Errorf("after %s, %s is asked for SCRAM: %v", known, other, got)
			}
		}
	}
}

// TestCostlySecret: a secret that users have made themselves keeps no processor busy for long.
func TestCostlySecret(t *testing.T) {
	costly := strings.Replace(stored(t, "foo", 10), "$10:", "$2147483647:", 1) // half an hour
	users := secrets{"costly": costly}
	for _, method := range []Method{Plain, MD5, SCRAM} {
		e := New().Begin(method, 10, users, "costly")
		if scram, ok := e.steps.(*scramSteps); ok {
			scram.spend()
			continue
		}
		if err, _ := login(t, e, "costly", "foo"); err == nil {
			t.Error("came in")
		}
	}
}
