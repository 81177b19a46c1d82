package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

// tokenLife is how long a token lasts that a client signs for itself.
const tokenLife = 24 * time.Hour

// shortestSecret is what PostgREST takes at least.
const shortestSecret = 32

// Sign makes a JWT (RFC 7519) signed by HS256 for a role, with PostgREST's claim "role" and an end (exp) after life. The secret is taken as it is: one that
// the server decodes from base64 must be decoded first.
func Sign(secret, role string, life time.Duration) (string, error) {
	if len(secret) < shortestSecret {
		return "", fmt.Errorf("the HTTP secret: has %d bytes, and HS256 wants at least %d", len(secret), shortestSecret)
	}
	claims, err := json.Marshal(struct {
		Role string `json:"role"`
		Exp  int64  `json:"exp"`
	}{role, time.Now().Add(life).Unix()})
	if err != nil {
		return "", err
	}
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(claims)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil)), nil
}
