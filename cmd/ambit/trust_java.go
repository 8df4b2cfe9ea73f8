package main

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the format's own check, behind a password that everybody knows
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
	"unicode/utf16"
)

// The form of a Java key store (sun.security.provider.JavaKeyStore), which every
// runtime reads whatever it writes itself.
const (
	javaMagic    = 0xfeedfeed
	javaVersion  = 2
	javaTrusted  = 2
	javaPassword = "changeit" // that of every bundle; it keeps nothing secret
	javaSalt     = "Mighty Aphrodite"
)

// maxCertificate bounds the certificate of an authority.
const maxCertificate = 8 << 10

// oneCertificate is a text that is one certificate and nothing else, as it stands
// in a bundle.
func oneCertificate(text []byte) ([]byte, error) {
	block, rest := pem.Decode(text)
	if len(text) > maxCertificate || block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0 || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("what was told is not one certificate")
	}
	return pem.EncodeToMemory(block), nil
}

// javaStore writes a bundle of certificates as Java reads it.
func javaStore(bundle []byte, now time.Time) ([]byte, error) {
	var certs [][]byte
	for rest := bundle; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			certs = append(certs, block.Bytes)
		}
	}
	if len(certs) == 0 {
		return nil, errors.New("write certificates for Java: there are none")
	}
	var b bytes.Buffer
	put := func(v any) { _ = binary.Write(&b, binary.BigEndian, v) } // into memory
	text := func(s string) {
		put(uint16(len(s)))
		b.WriteString(s)
	}
	put(uint32(javaMagic))
	put(uint32(javaVersion))
	put(uint32(len(certs)))
	for i, der := range certs {
		put(uint32(javaTrusted))
		text(fmt.Sprintf("ambit-%d", i))
		put(now.UnixMilli())
		text("X.509")
		put(uint32(len(der)))
		b.Write(der)
	}
	h := sha1.New() //nolint:gosec // as above
	for _, c := range utf16.Encode([]rune(javaPassword)) {
		h.Write([]byte{byte(c >> 8), byte(c)})
	}
	h.Write([]byte(javaSalt))
	h.Write(b.Bytes())
	return h.Sum(b.Bytes()), nil
}
