// Package ldap asks an LDAP server whether a password is a user's (PostgreSQL's documentation, "LDAP Authentication"; PgBouncer's auth_ldap_options, and its ldap lines in auth_hba_file).
//
// Simple bind: the server is asked to bind ldapprefix + user + ldapsuffix with the password. Search and bind: an entry is looked for below ldapbasedn, as ldapbinddn or as nobody, and
// when there is exactly one, its name is bound with the password. The user's name is escaped in both: it is a value, and nothing in it is syntax.
//
// Certificates of servers are verified as libldap does: TLS_CACERT and TLS_REQCERT of the file that the environment's LDAPCONF names, or LDAPTLS_CACERT and LDAPTLS_REQCERT.
package ldap
