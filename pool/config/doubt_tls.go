package config

import (
	"io/fs"
	"os"
	"path/filepath"

	"poolerd/wire/secure"
)

func (d *doubter) encryption() {
	c := d.c
	if c.ClientTLS.Mode == secure.Disable {
		for _, key := range []string{"client_tls_key_file", "client_tls_cert_file", "client_tls_ca_file"} {
			if k, _ := findKey(key); d.set(key) && k.value(c) != "" {
				d.key(key, "has no effect: client_tls_sslmode is disable, and clients are served without TLS", "set client_tls_sslmode = prefer or require")
				break
			}
		}
	}
	if c.ServerTLS.Mode == secure.Disable && d.set("server_tls_ca_file") && c.ServerTLS.CAFile != "" {
		d.key("server_tls_ca_file", "has no effect: server_tls_sslmode is disable", "set server_tls_sslmode = verify-full")
	}
	if c.ServerTLS.Mode > secure.Disable && c.ServerTLS.Mode < secure.VerifyCA && c.ServerTLS.CAFile != "" {
		d.key("server_tls_sslmode", "verifies no certificate, although server_tls_ca_file is set", "set server_tls_sslmode = verify-full")
		return
	}
	for _, db := range d.databases() {
		if c.ServerTLS.Mode == secure.Require && db.remote() {
			d.key("server_tls_sslmode", "encrypts, and does not verify that the server is the one which is meant ("+db.Name+" is at "+db.Host+")", "set server_tls_sslmode = verify-full and server_tls_ca_file")
			return
		}
	}
}

// files looks whether everyone on the machine can read a secret.
func (d *doubter) files() {
	c := d.c
	d.readable("auth_file", c.AuthFile, "holds the users' passwords")
	d.readable("client_tls_key_file", c.ClientTLS.KeyFile, "holds a private key")
	d.readable("server_tls_key_file", c.ServerTLS.KeyFile, "holds a private key")
	seen := map[string]bool{}
	for _, db := range d.databases() {
		file := db.Origin.File
		if db.Password.Kind() == NoSecret || file == "" || seen[file] {
			continue
		}
		seen[file] = true
		if mode, open := openToAll(file); open {
			d.database(db, "password", hidden, "everyone on this machine can read it: "+file+" has mode "+mode, "chmod o-rwx "+file)
		}
	}
}

func (d *doubter) readable(key, path, holds string) {
	if mode, open := openToAll(path); open {
		d.key(key, holds+", and everyone on this machine can read it: its mode is "+mode, "chmod o-rwx "+path)
	}
}

// openToAll tells whether users who are neither the file's owner nor of its group may read it.
func openToAll(path string) (mode string, open bool) {
	if path == "" {
		return "", false
	}
	info, err := os.Stat(filepath.Clean(path))
	if err != nil || info.Mode().Perm()&0o004 == 0 {
		return "", false
	}
	return fs.FileMode(info.Mode().Perm()).String(), true
}
