package auth

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// mostIterations bounds how long a server can make a Prover compute: a few seconds.
const mostIterations = 10_000_000

// Prover is the client's side of SCRAM-SHA-256, towards a server: First, Next and Final, each once, in this order. It proves the password, and makes the server prove that it knows
// the secret. It is used by one goroutine.
type Prover struct {
	password string
	keys     *Keys  // in place of the password
	endPoint []byte // not nil: the connection is TLS, and this is the digest of the server's certificate

	binding     bindingFlag
	nonce       string
	clientFirst string // without the header
	signature   []byte // what the server must prove; nil before Next and after Final
}

// NewProver proves a password. endPoint is the data of tls-server-end-point channel binding, nil for a connection without TLS: with it the exchange is bound to the TLS connection
// when the server offers that, and tells a server that does not that it could. No user is named, since PostgreSQL goes by the startup message.
func NewProver(password string, endPoint []byte) *Prover {
	return &Prover{password: password, endPoint: binding(endPoint)}
}

// NewKeyProver proves with the keys of a client's login (Exchange.Keys), which it copies; see NewProver.
func NewKeyProver(keys Keys, endPoint []byte) *Prover {
	keys = keys.Clone()
	return &Prover{keys: &keys, endPoint: binding(endPoint)}
}

// binding is nil when there are no data to bind to.
func binding(endPoint []byte) []byte {
	if len(endPoint) == 0 {
		return nil
	}
	return endPoint
}

// First chooses among the mechanisms that a server offers in AuthenticationSASL, and gives the data of the SASLInitialResponse.
func (p *Prover) First(mechanisms []string) (chosen string, data []byte, err error) {
	plus := slices.Contains(mechanisms, mechanismPlus)
	switch {
	case plus && p.endPoint != nil:
		chosen, p.binding = mechanismPlus, bindingFlag{header: "p=" + endPointType + ",,", data: p.endPoint}
	case !slices.Contains(mechanisms, mechanism):
		return "", nil, errors.New("none of the server's SASL authentication mechanisms are supported")
	case p.endPoint != nil:
		chosen, p.binding = mechanism, bindingFlag{header: "y,,"}
	default:
		chosen, p.binding = mechanism, bindingFlag{header: "n,,"}
	}
	p.nonce = nonce()
	p.clientFirst = "n=,r=" + p.nonce
	return chosen, []byte(p.binding.header + p.clientFirst), nil
}

// Next takes the data of AuthenticationSASLContinue, and gives those of the SASLResponse.
func (p *Prover) Next(data []byte) ([]byte, error) {
	if p.nonce == "" {
		return nil, errors.New("SCRAM challenge before the first message")
	}
	both, salt, iterations, err := p.challenge(string(data))
	if err != nil {
		return nil, err
	}
	p.nonce = "" // for one use
	keys, err := p.keysFor(salt, iterations)
	if err != nil {
		return nil, err
	}
	defer keys.Zero()
	withoutProof := "c=" + p.binding.encoded() + ",r=" + both
	conversation := p.clientFirst + "," + string(data) + "," + withoutProof
	proof := xor(keys.ClientKey, sign(keys.verifier().storedKey, conversation))
	p.signature = sign(keys.ServerKey, conversation)
	return []byte(withoutProof + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

// challenge reads the server's first message.
func (p *Prover) challenge(message string) (both string, salt []byte, iterations int, _ error) {
	in := attributes{rest: message}
	both, failed := in.value('r')
	if failed != nil {
		return "", nil, 0, errServer(failed.Detail)
	}
	if len(both) <= len(p.nonce) || !strings.HasPrefix(both, p.nonce) || !isNonce(both) {
		return "", nil, 0, errors.New("invalid SCRAM response (nonce mismatch)")
	}
	encoded, failed := in.value('s')
	if failed != nil {
		return "", nil, 0, errServer(failed.Detail)
	}
	salt, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil || len(salt) == 0 {
		return "", nil, 0, errServer("invalid salt")
	}
	digits, failed := in.value('i')
	if failed != nil {
		return "", nil, 0, errServer(failed.Detail)
	}
	n, err := strconv.ParseUint(digits, 10, 31)
	switch {
	case err != nil || n < 1:
		return "", nil, 0, errServer("invalid iteration count")
	case n > mostIterations:
		return "", nil, 0, fmt.Errorf("the server's SCRAM secret has %d iterations, more than %d", n, mostIterations)
	case in.rest != "":
		return "", nil, 0, errServer("garbage at end of server-first-message")
	}
	return both, salt, int(n), nil
}

// keysFor gives a copy of the keys that fit the server's salt and iterations.
func (p *Prover) keysFor(salt []byte, iterations int) (Keys, error) {
	if p.keys == nil {
		return deriveKeys(p.password, salt, iterations), nil
	}
	if iterations != p.keys.Iterations || subtle.ConstantTimeCompare(salt, p.keys.Salt) == 0 {
		return Keys{}, errors.New("the server's SCRAM secret is not the one that the client logged in with: both must store the same, its salt and iterations included")
	}
	return p.keys.Clone(), nil
}

// Final takes the data of AuthenticationSASLFinal. Without an error the server has proved that it knows the secret, and only then is it to be trusted.
func (p *Prover) Final(data []byte) error {
	if p.signature == nil {
		return errors.New("SCRAM verdict before the proof")
	}
	want := p.signature
	p.signature = nil
	in := attributes{rest: string(data)}
	name, value, failed := in.any()
	switch {
	case failed != nil:
		return errServer(failed.Detail)
	case name == 'e':
		return fmt.Errorf("error received from server in SCRAM exchange: %s", clean(value))
	case name != 'v' || in.rest != "":
		return errServer("garbage at end of server-final-message")
	}
	got, err := base64.StdEncoding.DecodeString(value)
	if err != nil || len(got) != keyLen {
		return errServer("invalid server signature")
	}
	if subtle.ConstantTimeCompare(got, want) == 0 {
		return errors.New("incorrect server signature")
	}
	return nil
}

// Zero wipes the keys that the Prover was given.
func (p *Prover) Zero() {
	if p.keys != nil {
		p.keys.Zero()
	}
	p.password = ""
}

func errServer(detail string) error { return errors.New("malformed SCRAM message (" + detail + ")") }
