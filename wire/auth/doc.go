// Package auth judges who a client is, and proves to servers who poolerd is: SCRAM-SHA-256, bound to its TLS connection or not, md5 and plain passwords (PostgreSQL's documentation,
// "Message Flow", "SASL Authentication"). It makes and reads messages and does no I/O, logs nothing, and never puts a secret into an error. The packages below decide what proof is
// asked for (hba), and by whom else it is judged (ldap).
//
// An Authenticator lives as long as the process. Each login of a client has an Exchange: the caller sends what Start gives, then feeds the body of each message of
// type 'p' to Next and sends the reply, until it is done or fails. Decides tells ahead whether the next message is the proof, and after a refusal Renew lets another secret judge the same
// message. Towards servers a Prover takes the client's part. Between the two go Keys: whoever has proved a password by SCRAM has shown what opens a server with the same secret, though
// nobody in between knows the password.
//
// Nobody can tell whether a user exists: an unknown user, and one whose secret does not serve the method, gets the same requests, with a salt that is the same at each try, and fails at
// the end as with a wrong password, after the same work. What takes long is the derivation of SCRAM keys from a password, about a millisecond; plain passwords are derived once, by
// Prepare or by the user's first login.
//
// Who must prove nothing (auth_type trust) has no Exchange.
package auth
