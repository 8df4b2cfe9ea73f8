package audit

import (
	"bytes"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
)

// Disk lets tests stand between the log and the disk.
type Disk = disk

// OSDisk is the disk of the host.
var OSDisk Disk = osDisk{}

// WithDisk returns o with another disk.
func (o Options) WithDisk(d Disk) Options {
	o.disk = d
	return o
}

// WithBoot returns o in another boot of the machine.
func (o Options) WithBoot(id string) Options {
	o.boot = func() string { return id }
	return o
}

// WithBoot returns o in another boot of the machine.
func (o VerifyOptions) WithBoot(id string) VerifyOptions {
	o.boot = func() string { return id }
	return o
}

// ParseRecordLine and the like give the parsers to the fuzzer.
func ParseRecordLine(line []byte) (Record, error) { return parseRecord(line) }
func (r Record) Line() []byte                     { return r.appendLine(nil) }
func ParseHeadLine(line []byte) (Head, error)     { return parseHeadLine(line) }
func (h Head) Line() []byte                       { return h.appendLine(nil) }
func ParseHeadFile(b []byte) (Head, error)        { return parseHeadFile(b) }

// Sign makes the public half of the key of a seed, and a signature by it, which is
// the same however many the key has made before.
func Sign(seed, message []byte) (public, signature []byte, err error) {
	k, err := newPrivateKey(seed)
	if err != nil {
		return nil, nil, err
	}
	signature, err = k.sign(message)
	k.signed.Store(fewSignatures)
	if later, lerr := k.sign(message); !bytes.Equal(signature, later) {
		return nil, nil, errors.Join(fmt.Errorf("%x, then %x", signature, later), lerr)
	}
	return k.public[:], signature, err
}

// KeySigner reads a key file as loadKey does.
func KeySigner(text string) (note.Signer, error) {
	s, err := parseKey(text)
	return s.sign, err
}

// Keeping has fewer records at hand.
func (n *Newest) Keeping(many int) *Newest {
	n.many = many
	return n
}
