package config

// ignoredKeys is the table of PgBouncer's keys that may be set and have no effect here.
func ignoredKeys() []Key {
	ignored := func(name, def, doc, reason string) Key {
		return Key{Name: name, Section: "pgbouncer", Default: def, Doc: doc, Support: Harmless, Reason: reason}
	}
	const (
		stderr  = "the log goes to standard error, and the service manager keeps it"
		noUnix  = "no Unix socket is made"
		noTLS   = "client_tls_sslmode is disable"
		noSTLS  = "connections to servers are not encrypted yet"
		lookup  = "a host name is looked up for each new server connection"
		buffers = "buffers are sized by need"
	)
	return []Key{
		ignored("autodb_idle_timeout", "3600", "idle time after which an automatic database is forgotten", "pools of the fallback database are closed when they are idle"),
		ignored("client_tls_ca_file", "", "certificates that sign clients'", noTLS),
		ignored("client_tls_cert_file", "", "certificate shown to clients", noTLS),
		ignored("client_tls_ciphers", "default", "ciphers with clients", noTLS),
		ignored("client_tls13_ciphers", "", "TLS 1.3 ciphers with clients", noTLS),
		ignored("client_tls_dheparams", "auto", "Diffie-Hellman parameters with clients", noTLS),
		ignored("client_tls_ecdhcurve", "auto", "elliptic curve with clients", noTLS),
		ignored("client_tls_key_file", "", "key of the certificate shown to clients", noTLS),
		ignored("client_tls_protocols", "secure", "TLS versions with clients", noTLS),
		ignored("conffile", "", "path of the configuration file", "the file is the one named by --config"),
		ignored("dns_max_ttl", "15", "time that a looked-up address is kept", lookup),
		ignored("dns_nxdomain_ttl", "15", "time that a failed look-up is kept", lookup),
		ignored("dns_zone_check_period", "0", "period of looking at zones' serial numbers", lookup),
		ignored("job_name", "pgbouncer", "name of the service on Windows", "there is no Windows service"),
		ignored("listen_backlog", "128", "backlog of the listening sockets", "the system's largest backlog is used"),
		ignored("logfile", "", "file for the log", stderr),
		ignored("pkt_buf", "4096", "size of packet buffers", buffers),
		ignored("query_wait_notify", "5", "wait after which a queued client gets a notice", "waiting clients show in SHOW CLIENTS and get no notice"),
		ignored("sbuf_loopcnt", "5", "buffers relayed for one connection in a row", "each client has its own goroutine"),
		ignored("server_check_delay", "30", "time a server may rest without being checked", "servers are watched by the pool itself"),
		ignored("server_check_query", "<empty>", "statement that checks a server", "servers are watched by the pool itself"),
		ignored("server_fast_close", "0", "close session-mode servers at once on RECONNECT", "servers are replaced when their clients release them"),
		ignored("server_tls_ca_file", "", "certificates that sign servers'", noSTLS),
		ignored("server_tls_cert_file", "", "certificate shown to servers", noSTLS),
		ignored("server_tls_ciphers", "default", "ciphers with servers", noSTLS),
		ignored("server_tls13_ciphers", "", "TLS 1.3 ciphers with servers", noSTLS),
		ignored("server_tls_key_file", "", "key of the certificate shown to servers", noSTLS),
		ignored("server_tls_protocols", "secure", "TLS versions with servers", noSTLS),
		ignored("service_name", "pgbouncer", "name of the service on Windows", "there is no Windows service"),
		ignored("suspend_timeout", "10", "time for flushing buffers on SUSPEND", "there is no SUSPEND yet"),
		ignored("syslog", "0", "log to syslog", stderr),
		ignored("syslog_facility", "daemon", "facility in syslog", stderr),
		ignored("syslog_ident", "pgbouncer", "name in syslog", stderr),
		ignored("tcp_defer_accept", "1", "accept a connection when its first data is there", "connections are accepted as they come"),
		ignored("tcp_socket_buffer", "0", "size of socket buffers", "the system sizes socket buffers"),
		ignored("track_extra_parameters", "IntervalStyle", "further parameters kept per client", "every parameter is kept per client"),
		ignored("unix_socket_group", "", "group of the Unix socket", noUnix),
		ignored("unix_socket_mode", "0777", "permissions of the Unix socket", noUnix),
	}
}

// refusedKeys is the table of PgBouncer's keys that ask for what is not here and would be missed.
func refusedKeys() []Key {
	refused := func(name, doc, reason string, accept ...string) Key {
		return Key{Name: name, Section: "pgbouncer", Default: accept[0], Doc: doc, Support: Refused, Accept: accept, Reason: reason}
	}
	const (
		query = "users come from auth_file only, for now"
		hba   = "access rules come in a later version"
	)
	return []Key{
		refused("auth_dbname", "database in which auth_query runs", query, ""),
		refused("auth_hba_file", "file of access rules", hba, ""),
		refused("auth_ident_file", "file of user name maps", hba, ""),
		refused("auth_ldap_options", "LDAP server of auth_type=ldap", "LDAP comes in a later version", ""),
		refused("auth_query", "query that finds a user's secret", query, ""),
		refused("auth_user", "user that runs auth_query", query, ""),
		refused("client_tls_sslmode", "TLS with clients", "TLS with clients comes in a later version, and plain text in its place would be unsafe", "disable"),
		refused("disable_pqexec", "refuse the simple query protocol", "the simple protocol cannot be turned off yet", "0"),
		refused("max_db_client_connections", "most clients of a database", "clients are limited in total only, by max_client_conn, for now", "0"),
		refused("max_packet_size", "largest message", "messages are streamed, and no size can be forbidden yet", "2147483647"),
		refused("max_user_client_connections", "most clients of a user", "clients are limited in total only, by max_client_conn, for now", "0"),
		refused("resolv_conf", "file of the resolver's settings", "the system's resolver is used", ""),
		refused("server_tls_sslmode", "TLS with servers", "TLS with servers comes in a later version, and plain text in its place would be unsafe", "prefer", "allow", "disable"),
		refused("so_reuseport", "let several processes listen on one port", "sharing a port comes in a later version", "0"),
		refused("unix_socket_dir", "directory of the Unix socket for clients", "clients connect over TCP only, for now", ""),
		refused("user", "system user to become", "the pooler does not change its user: start it as that user, with User= in a systemd unit", ""),
	}
}
