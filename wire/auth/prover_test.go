package auth

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/xdg-go/scram"
)

// TestProverAgainstAnother has a server of another's making for the other side.
func TestProverAgainstAnother(t *testing.T) {
	keys := deriveKeys("secret", []byte("0123456789abcdef"), 4096)
	v := keys.verifier()
	server, err := scram.SHA256.NewServer(func(string) (scram.StoredCredentials, error) {
		return scram.StoredCredentials{KeyFactors: scram.KeyFactors{Salt: string(v.salt), Iters: v.iterations}, StoredKey: v.storedKey, ServerKey: v.serverKey}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	binding := scram.ChannelBinding{Type: scram.ChannelBindingTLSServerEndpoint, Data: endPoint}
	for _, tc := range []struct {
		name     string
		offered  []string
		talk     *scram.ServerConversation
		endPoint []byte
		chosen   string
		right    bool
	}{
		{"no TLS", []string{mechanism}, server.NewConversation(), nil, mechanism, true},
		{"bound", []string{mechanismPlus, mechanism}, server.NewConversationWithChannelBindingRequired(binding), endPoint, mechanismPlus, true},
		{"bound, by order of preference", []string{mechanism, "OTHER", mechanismPlus}, server.NewConversationWithChannelBinding(binding), endPoint, mechanismPlus, true},
		{"TLS without binding", []string{mechanism}, server.NewConversation(), endPoint, mechanism, true},
		{"PLUS is offered without TLS", []string{mechanismPlus, mechanism}, server.NewConversationWithChannelBinding(binding), nil, mechanism, true},
		{"somebody hides PLUS", []string{mechanism}, server.NewConversationWithChannelBinding(binding), endPoint, mechanism, false},
		{"bound to another connection", []string{mechanismPlus}, server.NewConversationWithChannelBinding(binding), []byte("other"), mechanismPlus, false},
	} {
		for _, p := range []*Prover{NewProver("secret", tc.endPoint), NewKeyProver(keys, tc.endPoint)} {
			server := *tc.talk // a conversation is for one use
			chosen, first, err := p.First(tc.offered)
			if err != nil || chosen != tc.chosen {
				t.Fatalf("%s: %s, %v", tc.name, chosen, err)
			}
			challenge, err := server.Step(string(first))
			var final []byte
			if err == nil {
				if final, err = p.Next([]byte(challenge)); err != nil {
					t.Fatalf("%s: %v", tc.name, err)
				}
				var verdict string
				if verdict, err = server.Step(string(final)); err == nil {
					if err := p.Final([]byte(verdict)); err != nil {
						t.Errorf("%s: %v", tc.name, err)
					}
				}
			}
			if tc.right != (err == nil && server.Valid()) {
				t.Errorf("%s: %v, want success %v", tc.name, err, tc.right)
			}
		}
	}
}

// TestProverRefuses: a server that does not know the secret, or breaks the rules, is not believed.
func TestProverRefuses(t *testing.T) {
	if _, _, err := NewProver("secret", nil).First([]string{"SCRAM-SHA-256-PLUS", "GSSAPI"}); err == nil || err.Error() != "none of the server's SASL authentication mechanisms are supported" {
		t.Errorf("mechanisms: %v", err)
	}
	if _, err := NewProver("secret", nil).Next([]byte("r=a,s=AAAA,i=1")); err == nil {
		t.Error("a challenge before the first message")
	}
	if err := NewProver("secret", nil).Final([]byte("v=")); err == nil {
		t.Error("a verdict before the proof: a server that sends it at once is believed")
	}
	for _, tc := range []struct{ challenge, want string }{
		{"", `malformed SCRAM message (Expected attribute "r" but found "0x00".)`},
		{"r=short,s=AAAA,i=1", "invalid SCRAM response (nonce mismatch)"},
		{"r=NONCE,s=AAAA,i=1", "invalid SCRAM response (nonce mismatch)"},
		{"r=NONCE\xff,s=AAAA,i=1", "invalid SCRAM response (nonce mismatch)"},
		{"m=x,r=NONCEx,s=AAAA,i=1", `malformed SCRAM message (Expected attribute "r" but found "'m'".)`},
		{"r=NONCEx,i=1,s=AAAA", `malformed SCRAM message (Expected attribute "s" but found "'i'".)`},
		{"r=NONCEx,s=,i=1", "malformed SCRAM message (invalid salt)"},
		{"r=NONCEx,s=!,i=1", "malformed SCRAM message (invalid salt)"},
		{"r=NONCEx,s=AAAA", `malformed SCRAM message (Expected attribute "i" but found "0x00".)`},
		{"r=NONCEx,s=AAAA,i=0", "malformed SCRAM message (invalid iteration count)"},
		{"r=NONCEx,s=AAAA,i=-1", "malformed SCRAM message (invalid iteration count)"},
		{"r=NONCEx,s=AAAA,i=x", "malformed SCRAM message (invalid iteration count)"},
		{"r=NONCEx,s=AAAA,i=2000000000", "the server's SCRAM secret has 2000000000 iterations, more than 10000000"},
		{"r=NONCEx,s=AAAA,i=1,z=1", "malformed SCRAM message (garbage at end of server-first-message)"},
	} {
		p := NewProver("secret", nil)
		_, first, _ := p.First([]string{mechanism})
		nonce := strings.TrimPrefix(string(first), "n,,n=,r=")
		if out, err := p.Next([]byte(strings.ReplaceAll(tc.challenge, "NONCE", nonce))); err == nil || err.Error() != tc.want || out != nil {
			t.Errorf("challenge %q: %v, want %s", tc.challenge, err, tc.want)
		}
	}
	signature := base64.StdEncoding.EncodeToString(make([]byte, sha256.Size))
	for _, tc := range []struct{ verdict, want string }{
		{"", "malformed SCRAM message (Attribute expected, but found end of string.)"},
		{"e=invalid-proof", "error received from server in SCRAM exchange: invalid-proof"},
		{"x=y", "malformed SCRAM message (garbage at end of server-final-message)"},
		{"v=AAAA", "malformed SCRAM message (invalid server signature)"},
		{"v=!", "malformed SCRAM message (invalid server signature)"},
		{"v=" + signature + ",x=y", "malformed SCRAM message (garbage at end of server-final-message)"},
		{"v=" + signature, "incorrect server signature"},
	} {
		p := NewProver("secret", nil)
		_, first, _ := p.First([]string{mechanism})
		if _, err := p.Next([]byte("r=" + strings.TrimPrefix(string(first), "n,,n=,r=") + "x,s=AAAA,i=1")); err != nil {
			t.Fatal(err)
		}
		if err := p.Final([]byte(tc.verdict)); err == nil || err.Error() != tc.want {
			t.Errorf("verdict %q: %v, want %s", tc.verdict, err, tc.want)
		}
		if err := p.Final([]byte(tc.verdict)); err == nil {
			t.Error("a second verdict is taken")
		}
	}
}

// TestMD5Answer has the answer that libpq gives, computed by hand: md5(md5("secret" + "u") + salt).
func TestMD5Answer(t *testing.T) {
	salt := []byte{1, 2, 3, 4}
	want := hashMD5(hashMD5("secretu")[3:] + string(salt))
	for _, secret := range []string{"secret", hashMD5("secretu"), "md5" + strings.ToUpper(hashMD5("secretu")[3:])} {
		if got := MD5Answer("u", secret, salt); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// FuzzProver: no server that does not know the password is believed, and none breaks the prover.
func FuzzProver(f *testing.F) {
	f.Add("x,s=AAAA,i=1", "v="+base64.StdEncoding.EncodeToString(make([]byte, sha256.Size)))
	f.Add(",s=,i=4096", "e=other-error")
	f.Fuzz(func(t *testing.T, challenge, verdict string) {
		p := NewProver("a password that no fuzzer finds", endPoint)
		_, first, err := p.First([]string{mechanismPlus})
		if err != nil {
			t.Fatal(err)
		}
		_, nonce, _ := strings.Cut(string(first), "r=")
		challenge = "r=" + nonce + challenge
		if _, _, iterations, err := p.challenge(challenge); err == nil && iterations > 1000 {
			return // takes long, and is nothing new
		}
		final, err := p.Next([]byte(challenge))
		if err != nil {
			return
		}
		if !strings.HasPrefix(string(final), "c=") {
			t.Fatalf("%q", final)
		}
		if err := p.Final([]byte(verdict)); err == nil {
			t.Fatalf("%q, %q are believed", challenge, verdict)
		}
	})
}
