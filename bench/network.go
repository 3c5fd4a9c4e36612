package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"musicstore/layer/localpg"
)

// networkOperations are measured over a network.
var networkOperations = []string{
	"account-by-email", "album-by-id", "list-albums", "create-account", "create-album", "record-purchase", "buy", "load-10-tracks",
}

// networkCalls is how many calls a block has over a network: most of a call's time is the same each time.
const networkCalls = 5

// secureServer starts a private server that listens on TCP as well, with TLS. It returns its address.
func secureServer(ctx context.Context, settings ...string) (*localpg.Server, string, error) {
	dir, err := os.MkdirTemp("", "musicstore-bench-")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir) // the server has read it when it has started
	certificate, key := filepath.Join(dir, "server.crt"), filepath.Join(dir, "server.key")
	if err := writeCertificate(certificate, key); err != nil {
		return nil, "", err
	}
	postgres, err := localpg.Command(ctx, "postgres")
	if err != nil {
		return nil, "", err
	}
	if as := postgres.SysProcAttr.Credential; as != nil { // a user that may not read what is ours
		for _, path := range []string{dir, certificate, key} {
			if err := os.Chown(path, int(as.Uid), int(as.Gid)); err != nil {
				return nil, "", err
			}
		}
	}
	host := freeHost(ctx)
	server, err := localpg.Temp(ctx, append([]string{
		"listen_addresses=" + host, "ssl=on", "ssl_cert_file=" + certificate, "ssl_key_file=" + key,
	}, settings...)...)

	return server, net.JoinHostPort(host, serverPort), err
}

// serverPort is that of all private servers. Only the address is ours to choose.
const serverPort = "5432"

// freeHost returns an address of this machine of which nobody has taken that port: on Linux there are 16 million.
func freeHost(ctx context.Context) string {
	host := "127.0.0.1"
	for range 100 {
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, serverPort))
		if err == nil {
			_ = listener.Close()

			return host
		}
		host = fmt.Sprintf("127.%d.%d.%d", mathrand.IntN(256), mathrand.IntN(256), 1+mathrand.IntN(254))
	}

	return host // the server says what is wrong with it
}

// writeCertificate makes a key and a certificate that it signs itself.
func writeCertificate(certificate, key string) error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 1, 0),
	}
	signed, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return err
	}
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600); err != nil {
		return err
	}

	return os.WriteFile(certificate, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed}), 0o600)
}

// connect puts a link between the server at an address and the peers that are opened from now on.
func (b *bench) connect(ctx context.Context, address string) (err error) {
	if b.link, err = openLink(ctx, address); err == nil {
		b.peersURL = "postgres://postgres@" + b.link.address() + "/postgres?sslmode=require"
	}

	return err
}

// parseDelays reads delays that are separated by commas.
func parseDelays(text string) ([]time.Duration, error) {
	var delays []time.Duration
	for part := range strings.SplitSeq(text, ",") {
		delay, err := time.ParseDuration(part)
		if err != nil || delay <= 0 { // without one, round trips are not counted exactly
			return nil, fmt.Errorf("-delays: %q is no time such as 500us", part)
		}
		delays = append(delays, delay)
	}

	return delays, nil
}
