package secure

import (
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"fmt"
)

// Describe gives the protocol version and the cipher suite that were agreed on by OpenSSL's names, as PgBouncer logs them and shows them: "TLSv1.3/TLS_AES_256_GCM_SHA384",
// "TLSv1.2/ECDHE-RSA-AES256-GCM-SHA384". It is empty before the handshake.
func Describe(state tls.ConnectionState) string {
	if !state.HandshakeComplete {
		return ""
	}
	return versionName(state.Version) + "/" + suiteName(state.CipherSuite)
}

func versionName(id uint16) string {
	for _, v := range versions {
		if v.id == id {
			return v.name
		}
	}
	return tls.VersionName(id)
}

func suiteName(id uint16) string {
	for _, s := range suites {
		if s.id == id {
			return s.name
		}
	}
	return tls.CipherSuiteName(id) // OpenSSL's name too for those of TLS 1.3
}

// EndPoint gives the tls-server-end-point channel binding of RFC 5929, section 4.1: the certificate's hash, by the function of its signature, or SHA-256 in place of MD5
// and SHA-1. It fails for signatures that have no single hash function of their own, such as Ed25519: no channel binding is possible then, as in PostgreSQL.
func EndPoint(cert *x509.Certificate) ([]byte, error) {
	switch cert.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.DSAWithSHA1, x509.ECDSAWithSHA1,
		x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.DSAWithSHA256, x509.ECDSAWithSHA256:
		sum := sha256.Sum256(cert.Raw)
		return sum[:], nil
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		sum := sha512.Sum384(cert.Raw)
		return sum[:], nil
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		sum := sha512.Sum512(cert.Raw)
		return sum[:], nil
	}
	return nil, fmt.Errorf("a certificate signed by %v has no hash function for channel binding", cert.SignatureAlgorithm)
}
