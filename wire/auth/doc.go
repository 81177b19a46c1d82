// Package auth is the server's side of a client's authentication: SCRAM-SHA-256, md5 and plain passwords (PostgreSQL's documentation, "Message Flow",
// "SASL Authentication"). It makes and reads messages and does no I/O, logs nothing, and never puts a secret into an error.
//
// An Authenticator lives as long as the process. Each login has an Exchange: the caller sends what Start gives, then feeds the body of each message of
// type 'p' to Next and sends the reply, until it is done or fails.
//
// Nobody can tell from the messages whether a user exists: an unknown user, and one whose secret does not serve the method, gets the same requests,
// with a salt that is the same at each try, and fails at the end as with a wrong password. Plain passwords are derived to SCRAM keys once, not at
// each login; a user's first login takes the time of that derivation, about a millisecond, which an observer may notice.
//
// Who must prove nothing (auth_type trust) has no Exchange.
package auth
