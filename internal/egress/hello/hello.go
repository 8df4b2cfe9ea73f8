// Package hello reads the first message of a TLS client as far as the name of
// the server that it wants.
//
// It changes nothing and decides nothing: bytes go in, and what they say comes
// out, or that more are needed. It is strict: what two readers could take
// differently is malformed, so that a server never sees another name than the
// one that was compared.
package hello

import (
	"encoding/binary"
	"errors"

	"ambit.dev/ambit/internal/egress/address"
)

// Max is the most bytes that a hello may take. Those with key shares that resist
// quantum computers have some thousands.
const Max = 64 << 10

// ErrMore says that the bytes so far are the beginning of a hello.
var ErrMore = errors.New("the hello goes on")

// ErrMalformed says that the bytes begin as a hello and are none, or one that
// can be taken in different ways.
var ErrMalformed = errors.New("a malformed TLS hello")

// ErrHidden says that the hello has an encrypted one in it (ECH, RFC 9849), whose
// name cannot be seen. Some clients send what only looks like one, so that nobody
// can tell: the two are meant to be the same.
var ErrHidden = errors.New("it may hide another name (ECH): switch that off in the program, or allow the host with rules for requests, as HOST/http")

// Numbers of RFC 8446, sections 4, 4.1.2 and 5.1, and RFC 6066, section 3.
const (
	recordHandshake = 22
	recordHeader    = 5
	maxRecord       = 1 << 14
	clientHello     = 1
	messageHeader   = 4
	extensionName   = 0
	extensionECH    = 0xfe0d // RFC 9849, section 5
	extensionESNI   = 0xffce // its first draft
	nameHost        = 0
)

// Begins reports whether bytes are the beginning of a TLS connection, or could
// become one.
func Begins(b []byte) bool {
	return (len(b) < 1 || b[0] == recordHandshake) && (len(b) < 2 || b[1] == 3)
}

// Name returns the name that a hello asks for, canonical, or "" if it asks for
// none. Begins holds for b.
//
// Security: a server takes the inner name of an encrypted hello and not the one
// that stands in the open, so that a hello with one names nobody.
func Name(b []byte) (string, error) {
	if len(b) > Max {
		return "", ErrMalformed
	}
	message, err := join(b)
	if err != nil {
		return "", err
	}
	r := reader{b: message}
	r.skip(2 + 32)           // version, random
	r.skip(int(r.u8()))      // session
	r.skip(int(r.u16()))     // ciphers
	r.skip(int(r.u8()))      // compression
	if !r.bad && r.empty() { // no extensions, as long ago
		return "", nil
	}
	extensions := reader{b: r.take(int(r.u16()))}
	if r.bad || !r.empty() {
		return "", ErrMalformed
	}
	return find(extensions)
}

// join puts the hello together, which may lie in several records.
func join(b []byte) ([]byte, error) {
	var message []byte
	for {
		if !Begins(b) {
			return nil, ErrMalformed
		}
		if len(b) < recordHeader {
			return nil, ErrMore
		}
		n := int(binary.BigEndian.Uint16(b[3:]))
		if n == 0 || n > maxRecord {
			return nil, ErrMalformed
		}
		part := b[recordHeader:]
		message = append(message, part[:min(n, len(part))]...)
		if whole, err := complete(message); whole != nil || err != nil {
			return whole, err
		}
		if len(part) < n {
			return nil, ErrMore
		}
		b = part[n:]
	}
}

// complete returns the hello without its header once all of it is there.
func complete(message []byte) ([]byte, error) {
	if len(message) > 0 && message[0] != clientHello {
		return nil, ErrMalformed
	}
	if len(message) < messageHeader {
		return nil, nil
	}
	n := int(message[1])<<16 | int(message[2])<<8 | int(message[3])
	if n > Max {
		return nil, ErrMalformed
	}
	if len(message) < messageHeader+n {
		return nil, nil
	}
	return message[messageHeader : messageHeader+n : messageHeader+n], nil
}

// find looks for the name among extensions, each of which may be there once.
func find(r reader) (name string, err error) {
	seen, hidden := map[uint16]bool{}, false
	for !r.bad && !r.empty() {
		kind := r.u16()
		body := reader{b: r.take(int(r.u16()))}
		if r.bad || seen[kind] {
			return "", ErrMalformed
		}
		seen[kind] = true
		switch kind {
		case extensionName:
		case extensionECH, extensionESNI:
			hidden = true
			continue
		default:
			continue
		}
		list := reader{b: body.take(int(body.u16()))}
		of := list.u8()
		text := list.take(int(list.u16()))
		if body.bad || list.bad || !body.empty() || !list.empty() || of != nameHost {
			return "", ErrMalformed
		}
		if name, err = address.Name(string(text)); err != nil {
			return "", ErrMalformed
		}
	}
	switch {
	case r.bad:
		return "", ErrMalformed
	case hidden:
		return "", ErrHidden
	}
	return name, nil
}

// A reader takes numbers and bytes off the front. Once something was not there it
// is bad, and everything it returns is empty.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) empty() bool { return len(r.b) == 0 }

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) skip(n int) { r.take(n) }

func (r *reader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}
