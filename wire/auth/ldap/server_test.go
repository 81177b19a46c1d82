package ldap

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// directory is an LDAP server in this process. It knows binds, StartTLS, and searches by the text of their filter.
type directory struct {
	passwords map[string]string   // by DN; "" is anybody
	entries   map[string][]string // by filter
	tls       *tls.Config
	atOnce    bool // TLS from the first byte: ldaps
	silent    bool // takes connections, and never answers

	port int

	mu       sync.Mutex
	said     []string // "bind DN", "search base scope filter", "starttls"
	open     int
	mostOpen int
}

// serve answers until the test ends.
func (d *directory) serve(t *testing.T) *directory {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d.port = l.Addr().(*net.TCPAddr).Port
	var conns sync.WaitGroup
	quit := make(chan struct{})
	conns.Go(func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				done := make(chan struct{})
				conns.Go(func() {
					select {
					case <-quit:
					case <-done:
					}
					_ = nc.Close()
				})
				defer close(done)
				d.converse(nc)
			})
		}
	})
	t.Cleanup(func() { close(quit); _ = l.Close(); conns.Wait() })
	return d
}

func (d *directory) note(text string, opened int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if text != "" {
		d.said = append(d.said, text)
	}
	d.open += opened
	d.mostOpen = max(d.mostOpen, d.open)
}

// heard gives what was said since the last time.
func (d *directory) heard() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	said := d.said
	d.said = nil
	return said
}

func (d *directory) converse(nc net.Conn) {
	d.note("", 1)
	defer d.note("", -1)
	if d.silent {
		_, _ = io.Copy(io.Discard, nc)
		return
	}
	if d.atOnce {
		nc = tls.Server(nc, d.tls)
	}
	for {
		p, err := ber.ReadPacket(nc)
		if err != nil || len(p.Children) < 2 {
			return
		}
		id, request := p.Children[0].Value.(int64), p.Children[1]
		switch request.Tag {
		case ldap.ApplicationBindRequest:
			name, password := request.Children[1].Value.(string), request.Children[2].Data.String()
			d.note("bind "+name, 0)
			code := ldap.LDAPResultInvalidCredentials
			if want, ok := d.passwords[name]; ok && want == password {
				code = ldap.LDAPResultSuccess
			}
			_, _ = nc.Write(answer(id, ldap.ApplicationBindResponse, uint16(code)))
		case ldap.ApplicationSearchRequest:
			filter, _ := ldap.DecompileFilter(request.Children[6])
			d.note("search "+request.Children[0].Value.(string)+" "+strconv.Itoa(int(request.Children[1].Value.(int64)))+" "+filter, 0)
			for _, name := range d.entries[filter] {
				_, _ = nc.Write(entry(id, name))
			}
			_, _ = nc.Write(answer(id, ldap.ApplicationSearchResultDone, ldap.LDAPResultSuccess))
		case ldap.ApplicationExtendedRequest:
			d.note("starttls", 0)
			if d.tls == nil {
				_, _ = nc.Write(answer(id, ldap.ApplicationExtendedResponse, ldap.LDAPResultProtocolError))
				continue
			}
			_, _ = nc.Write(answer(id, ldap.ApplicationExtendedResponse, ldap.LDAPResultSuccess))
			nc = tls.Server(nc, d.tls)
		default:
			return
		}
	}
}

func envelope(id int64) *ber.Packet {
	p := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
	p.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, id, ""))
	return p
}

func octets(s string) *ber.Packet {
	return ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, s, "")
}

func answer(id int64, tag ber.Tag, code uint16) []byte {
	p := envelope(id)
	r := ber.Encode(ber.ClassApplication, ber.TypeConstructed, tag, nil, "")
	r.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(code), ""))
	r.AppendChild(octets(""))
	r.AppendChild(octets(""))
	p.AppendChild(r)
	return p.Bytes()
}

func entry(id int64, name string) []byte {
	p := envelope(id)
	r := ber.Encode(ber.ClassApplication, ber.TypeConstructed, ldap.ApplicationSearchResultEntry, nil, "")
	r.AppendChild(octets(name))
	r.AppendChild(ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, ""))
	p.AppendChild(r)
	return p.Bytes()
}

// certificate makes one for 127.0.0.1, and gives the file of its authority.
func certificate(t *testing.T) (config *tls.Config, authority string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	authority = filepath.Join(t.TempDir(), "ca.crt")
	crt := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	pair, err := tls.X509KeyPair(crt, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	if err = errors.Join(err, os.WriteFile(authority, crt, 0o600)); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}}, authority
}

// sameShape tells whether two filters differ in values only.
func sameShape(a, b string) bool {
	x, err1 := ldap.CompileFilter(a)
	y, err2 := ldap.CompileFilter(b)
	return err1 == nil && err2 == nil && slices.Equal(shape(x), shape(y))
}

func shape(p *ber.Packet) (tags []string) {
	tags = append(tags, strconv.Itoa(int(p.ClassType))+"/"+strconv.Itoa(int(p.Tag)))
	for _, c := range p.Children {
		tags = append(tags, shape(c)...)
	}
	return tags
}
