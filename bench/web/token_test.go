package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestSign(t *testing.T) {
	const secret = "0123456789abcdef0123456789abcdef"
	token, err := Sign(secret, `we"b`, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("%q", token)
	}
	var texts [3][]byte
	for i, p := range parts {
		if texts[i], err = base64.RawURLEncoding.DecodeString(p); err != nil {
			t.Fatal(err)
		}
	}
	if string(texts[0]) != `{"alg":"HS256","typ":"JWT"}` {
		t.Errorf("header %s", texts[0])
	}
	var claims map[string]any
	if err := json.Unmarshal(texts[1], &claims); err != nil {
		t.Fatal(err)
	}
	left := time.Until(time.Unix(int64(claims["exp"].(float64)), 0))
	if len(claims) != 2 || claims["role"] != `we"b` || left < 50*time.Second || left > time.Minute {
		t.Errorf("claims %v, %v left", claims, left)
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(parts[0] + "." + parts[1]))
	if !hmac.Equal(texts[2], mac.Sum(nil)) {
		t.Error("the signature is wrong")
	}
	if _, err := Sign(secret[1:], "web_user", time.Minute); err == nil || !strings.Contains(err.Error(), "has 31 bytes, and HS256 wants at least 32") {
		t.Errorf("a short secret: %v", err)
	}
}
