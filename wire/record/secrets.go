package record

import "bytes"

// secretWords returns what makes a statement, or a value, one that speaks of secrets.
func secretWords() []string {
	return []string{
		"password", "passwd", "passphrase", "pwd", "secret", "token", "apikey", "api_key", "private_key", "credential", "jwt", "crypt", "claim", "cookie", "authorization", "bearer",
		"request.", "session_key", "sessionid", "session_id",
	}
}

// speaksOfSecrets tells whether a text in lower case has one of the words. It may see them where there are none, which costs no more than a stand-in.
func speaksOfSecrets(lower []byte) bool {
	for _, w := range secretWords() {
		if bytes.Contains(lower, []byte(w)) {
			return true
		}
	}
	return bytes.Contains(lower, []byte("://")) && bytes.IndexByte(lower, '@') >= 0 // a URL that may have a password in it
}

// looksSecret tells whether a value is a secret by its own look: a JSON web token, or JSON whose keys speak of secrets.
func looksSecret(value []byte) bool {
	return bytes.Contains(value, []byte("eyJ")) || speaksOfSecrets(bytes.ToLower(value))
}

// ownParameter tells whether name is that of one of PostgreSQL's own parameters: those of applications have a dot in it. None of PostgreSQL's tells anything about a person or is a secret.
func ownParameter(name []byte) bool {
	if len(name) == 0 || len(name) > 63 {
		return false
	}
	for _, c := range name {
		if !(c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9') {
			return false
		}
	}
	return !speaksOfSecrets(bytes.ToLower(name)) || bytes.EqualFold(name, []byte("session_authorization"))
}

// parameterName tells whether s may be the name of a parameter, a sequence or a table, and nothing else.
func parameterName(s []byte) bool {
	if len(s) == 0 || len(s) > 127 {
		return false
	}
	for _, c := range s {
		if !(c == '_' || c == '.' || c == '"' || 'a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9') {
			return false
		}
	}
	return true
}
