package audit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// signer is the key of a log.
type signer struct {
	sign   note.Signer
	verify note.Verifier
	public string // the text of key.pub, without a newline
}

// open is openHead for a head of our own.
//
// Security: with this key a text has one signature (RFC 8032, 5.1.6), so what
// signing it again gives was signed by the key. Making it takes less than
// checking it, for which other tables have to be computed first. What differs is
// checked all the same, for a signer may choose another signature.
func (s signer) open(text string) (Head, error) {
	if h, err := splitHead(text); err == nil && h.Origin == s.sign.Name() {
		if again, err := signHead(s.sign, h); err == nil && again.Note == text {
			return h, nil
		}
	}
	return openHead(text, s.verify)
}

// firstPrev is the prev of the first record: the chain begins in the key.
func firstPrev(public string) string {
	sum := sha256.Sum256([]byte(public))
	return hex.EncodeToString(sum[:])
}

// newVerifier reads the text of a key.pub, strictly.
func newVerifier(public string) (note.Verifier, error) {
	public = strings.TrimSuffix(public, "\n")
	v, err := note.NewVerifier(public)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return v, nil
}

// loadKey reads the key of the log in dir.
//
// Security: what the heads prove rests on this file being readable by its owner
// alone; a key that others may read or replace is refused.
func loadKey(dir string) (signer, error) {
	path := filepath.Join(dir, "key")
	f, err := openFile(path, os.O_RDONLY, 0)
	if err != nil {
		return signer{}, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return signer{}, err
	} else if info.Mode().Perm()&0o077 != 0 {
		return signer{}, fmt.Errorf("key %q may be used by others (mode %#o); chmod 600 it if nobody has read it", path, info.Mode().Perm())
	}
	b, err := readAll(f, 4096)
	if err != nil {
		return signer{}, fmt.Errorf("read key %q: %w", path, err)
	}
	s, err := parseKey(string(b))
	if err != nil {
		return signer{}, fmt.Errorf("read key %q: %w", path, err)
	}
	return s, nil
}

// algEd25519 stands before the bytes of a key in the text of a note's key.
const algEd25519 = 1

// parseKey reads a private key; errors do not repeat any of it. Its first line is
// the key as note.GenerateKey writes it, PRIVATE+KEY+name+hash+seed, its second the
// text of key.pub, which has to be the one that this name, hash and seed make.
func parseKey(text string) (signer, error) {
	text, ok := strings.CutSuffix(text, "\n")
	private, public, ok2 := strings.Cut(text, "\n")
	if !ok || !ok2 {
		return signer{}, errors.New("not a key file")
	}
	f := strings.SplitN(private, "+", 5) // the seed is base64, which has such signs too
	if len(f) != 5 || f[0] != "PRIVATE" || f[1] != "KEY" {
		return signer{}, errors.New("malformed key")
	}
	seed, err := base64.StdEncoding.DecodeString(f[4])
	if err != nil || len(seed) == 0 || seed[0] != algEd25519 {
		return signer{}, errors.New("malformed key")
	}
	key, err := newPrivateKey(seed[1:])
	if err != nil {
		return signer{}, errors.New("malformed key")
	}
	own := f[2] + "+" + f[3] + "+" + base64.StdEncoding.EncodeToString(append([]byte{algEd25519}, key.public[:]...))
	v, err := note.NewVerifier(public) // and that the hash is that of name and key
	if err != nil || public != own {
		return signer{}, errors.New("the public key in the file is not of this key")
	}
	return signer{sign: noteSigner{v, key}, verify: v, public: public}, nil
}

// noteSigner signs notes under the name of its verifier.
type noteSigner struct {
	note.Verifier
	key *privateKey
}

func (s noteSigner) Sign(text []byte) ([]byte, error) { return s.key.sign(text) }

// newKey makes a key under a random origin, and returns the content of its file.
func newKey() (content, public string, err error) {
	origin := "ambit/" + strings.ToLower(rand.Text()[:16])
	private, public, err := note.GenerateKey(rand.Reader, origin)
	return private + "\n" + public + "\n", public, err
}
