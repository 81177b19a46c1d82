package webtest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// anonymous is the role without a token, PostgREST's db-anon-role.
const anonymous = "web_anon"

// problem is an error's body.
type problem struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
	Details string `json:"details"`
	Hint    string `json:"hint"`
}

func refuse(w http.ResponseWriter, p *problem) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(p.status)
	_ = json.NewEncoder(w).Encode(p)
}

// explain makes an error of the database the problem that PostgREST makes of it.
func explain(err error, role string) *problem {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return &problem{status: http.StatusServiceUnavailable, Code: "PGRST001", Message: "the connection to the database broke: " + err.Error()}
	}
	return &problem{status: status(e.Code, role), Code: e.Code, Message: e.Message, Details: e.Detail, Hint: e.Hint}
}

// status has the lines of PostgREST's table that the sample can meet.
func status(code, role string) int {
	switch {
	case strings.HasPrefix(code, "PT"):
		if n, err := strconv.Atoi(code[2:]); err == nil && n >= 100 {
			return n
		}
	case code == "23503", code == "23505":
		return http.StatusConflict
	case code == "42501" && role == anonymous:
		return http.StatusUnauthorized
	case code == "42501":
		return http.StatusForbidden
	case code == "42883", code == "42P01":
		return http.StatusNotFound
	case strings.HasPrefix(code, "08"), strings.HasPrefix(code, "53"), code == "57P01":
		return http.StatusServiceUnavailable
	case strings.HasPrefix(code, "57"), strings.HasPrefix(code, "XX"):
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// role is what the request's token names.
func (s *Server) role(r *http.Request) (string, error) {
	header := r.Header.Get("Authorization")
	if header == "" {
		return anonymous, nil
	}
	token, found := strings.CutPrefix(header, "Bearer ")
	parts := strings.Split(token, ".")
	if !found || len(parts) != 3 || s.opts.Secret == "" {
		return "", errors.New("no valid token")
	}
	mac := hmac.New(sha256.New, []byte(s.opts.Secret))
	mac.Write([]byte(parts[0] + "." + parts[1]))
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || !hmac.Equal(signature, mac.Sum(nil)) {
		return "", errors.New("JWSError JWSInvalidSignature")
	}
	var claims struct {
		Role string `json:"role"`
		Exp  int64  `json:"exp"`
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err == nil {
		err = json.Unmarshal(text, &claims)
	}
	switch {
	case err != nil:
		return "", err
	case claims.Exp < time.Now().Unix():
		return "", errors.New("JWT expired")
	}
	return claims.Role, nil
}
