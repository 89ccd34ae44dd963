package mqtttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// WriteCertificates makes an authority and writes into dir, each with its .key: ca.pem, server.pem (for 127.0.0.1 and broker.test),
// expired.pem, early.pem (not valid yet), client.pem, self.pem (as server.pem, but signed by itself), and other.pem, an authority that
// signed none of them.
func WriteCertificates(tb testing.TB, dir string) {
	tb.Helper()
	now := time.Now()
	authority := func(name string) (*x509.Certificate, *ecdsa.PrivateKey) {
		return write(tb, dir, name, &x509.Certificate{
			Subject: pkix.Name{CommonName: "gatewayd test " + name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
			IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		}, nil, nil)
	}
	ca, key := authority("ca")
	authority("other")
	leaf := func(name string, from, to time.Duration, usage x509.ExtKeyUsage) {
		ca, key := ca, key
		if name == "self" {
			ca, key = nil, nil
		}
		write(tb, dir, name, &x509.Certificate{
			Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(from), NotAfter: now.Add(to),
			DNSNames: []string{"broker.test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{usage},
		}, ca, key)
	}
	leaf("server", -time.Hour, time.Hour, x509.ExtKeyUsageServerAuth)
	leaf("expired", -2*time.Hour, -time.Hour, x509.ExtKeyUsageServerAuth)
	leaf("early", time.Hour, 2*time.Hour, x509.ExtKeyUsageServerAuth)
	leaf("self", -time.Hour, time.Hour, x509.ExtKeyUsageServerAuth)
	leaf("client", -time.Hour, time.Hour, x509.ExtKeyUsageClientAuth)
}

func write(tb testing.TB, dir, name string, c, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	if parent == nil {
		parent, parentKey = c, key
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, parentKey)
	if err != nil {
		tb.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		tb.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		name + ".pem": {Type: "CERTIFICATE", Bytes: der},
		name + ".key": {Type: "EC PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return made, key
}
