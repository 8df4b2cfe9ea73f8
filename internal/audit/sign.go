package audit

import (
	"crypto/sha512"
	"errors"
	"sync/atomic"

	"filippo.io/edwards25519"
)

// A privateKey signs by Ed25519 (RFC 8032), byte for byte as crypto/ed25519 does.
// It multiplies the base point as it would any other at first: there is a table for
// it that pays after some ten signatures, and most processes that write to a log
// make three. A session with a network makes one for each connection.
//
// Security: what is secret is a factor in ScalarMult, ScalarBaseMult and
// MultiplyAdd alone, which take the same time whatever it is; nothing whose name begins with VarTime may
// be called here. The public half is always computed from the seed and never taken
// from a file: signing under a wrong one would give the secret factor away.
type privateKey struct {
	factor edwards25519.Scalar
	prefix [32]byte
	public [32]byte
	signed atomic.Uint32
}

// fewSignatures are those that are made without the table.
const fewSignatures = 16

// newPrivateKey makes the key of a seed (RFC 8032, 5.1.5).
func newPrivateKey(seed []byte) (*privateKey, error) {
	if len(seed) != 32 {
		return nil, errors.New("a seed has 32 bytes")
	}
	h := sha512.Sum512(seed)
	k := &privateKey{prefix: [32]byte(h[32:])}
	if _, err := k.factor.SetBytesWithClamping(h[:32]); err != nil {
		return nil, err
	}
	k.public = timesBase(&k.factor)
	return k, nil
}

// sign makes the signature of a message (RFC 8032, 5.1.6).
func (k *privateKey) sign(message []byte) ([]byte, error) {
	r, err := hashToScalar(k.prefix[:], message)
	if err != nil {
		return nil, err
	}
	var point [32]byte
	if k.signed.Add(1) <= fewSignatures {
		point = timesBase(r)
	} else {
		point = [32]byte(new(edwards25519.Point).ScalarBaseMult(r).Bytes())
	}
	challenge, err := hashToScalar(point[:], k.public[:], message)
	if err != nil {
		return nil, err
	}
	s := edwards25519.NewScalar().MultiplyAdd(challenge, &k.factor, r)
	return append(point[:], s.Bytes()...), nil
}

func timesBase(s *edwards25519.Scalar) [32]byte {
	return [32]byte(new(edwards25519.Point).ScalarMult(s, edwards25519.NewGeneratorPoint()).Bytes())
}

func hashToScalar(parts ...[]byte) (*edwards25519.Scalar, error) {
	h := sha512.New()
	for _, p := range parts {
		h.Write(p)
	}
	return edwards25519.NewScalar().SetUniformBytes(h.Sum(nil))
}
