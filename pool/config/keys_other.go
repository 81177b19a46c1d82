package config

// ignoredKeys is the table of PgBouncer's keys that may be set and have no effect here.
func ignoredKeys() []Key {
	ignored := func(name, def, doc, reason string, reloadable bool) Key {
		return Key{Name: name, Section: "pgbouncer", Default: def, Doc: doc, Support: Harmless, Reason: reason, Reloadable: reloadable}
	}
	const (
		buffers = "buffers are sized by need"
		windows = "there is no Windows service"
	)
	file := ignored("conffile", "", "path of the configuration file", "the file is the one that the command line names", true)
	file.get = func(c *Config) string { return c.file }
	return []Key{
		file,
		ignored("client_tls_dheparams", "auto", "Diffie-Hellman parameters with clients", "key exchanges use elliptic curves only", true),
		ignored("dns_zone_check_period", "0", "period of looking at zones' serial numbers", "a name is looked up again when dns_max_ttl has passed", true),
		ignored("job_name", "pgbouncer", "name of the service on Windows", windows, false),
		ignored("pkt_buf", "4096", "size of packet buffers", buffers, false),
		ignored("resolv_conf", "", "file of the resolver's settings", "names are looked up as the system does, by /etc/resolv.conf", false),
		ignored("sbuf_loopcnt", "5", "buffers relayed for one connection in a row", "each client has its own goroutine", true),
		ignored("service_name", "pgbouncer", "name of the service on Windows", windows, false),
		ignored("track_extra_parameters", "IntervalStyle", "further parameters kept per client", "every parameter is kept per client", false),
	}
}
