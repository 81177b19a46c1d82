package auth

import (
	"encoding/base64"
	"strconv"
	"strings"
)

type secretKind uint8

const (
	noSecret secretKind = iota
	plainSecret
	md5Secret
	scramSecret
)

// secretText is a user's secret, with its kind told as PostgreSQL tells it (get_password_type): what is not a whole md5 or SCRAM secret is a password.
type secretText struct {
	kind  secretKind
	text  string   // of plain and md5
	scram verifier // of SCRAM
}

func parseSecret(text string) secretText {
	if text == "" {
		return secretText{}
	}
	if digits, ok := strings.CutPrefix(text, "md5"); ok && len(digits) == 32 && strings.Trim(digits, "0123456789abcdefABCDEF") == "" {
		return secretText{kind: md5Secret, text: "md5" + strings.ToLower(digits)}
	}
	if c, ok := parseSCRAM(text); ok {
		return secretText{kind: scramSecret, scram: c}
	}
	return secretText{kind: plainSecret, text: text}
}

// parseSCRAM reads "SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey".
func parseSCRAM(text string) (verifier, bool) {
	text, ok := strings.CutPrefix(text, mechanism+"$")
	parts := strings.Split(text, "$")
	if !ok || len(parts) != 2 {
		return verifier{}, false
	}
	iterations, salt, ok1 := strings.Cut(parts[0], ":")
	stored, server, ok2 := strings.Cut(parts[1], ":")
	n, err := strconv.ParseUint(iterations, 10, 31)
	if !ok1 || !ok2 || err != nil || n == 0 {
		return verifier{}, false
	}
	saltBytes, err1 := base64.StdEncoding.DecodeString(salt)
	storedKey, err2 := base64.StdEncoding.DecodeString(stored)
	serverKey, err3 := base64.StdEncoding.DecodeString(server)
	if err1 != nil || err2 != nil || err3 != nil || len(saltBytes) == 0 || len(storedKey) != keyLen || len(serverKey) != keyLen {
		return verifier{}, false
	}
	return verifier{salt: saltBytes, iterations: int(n), storedKey: storedKey, serverKey: serverKey}, true
}
