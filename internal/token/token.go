// Package token keeps the tokens by which callers are known on the port of a host:
// what one looks like, and the file that says which there are.
//
// It decides nothing: a role is a word here, and what it may is said where requests
// are served. Invariants:
//
//   - The file has no token, only SHA-256 of each: who reads it can be nobody
//     (TestStolenFile). Tokens have 256 random bits, so that nothing slower is needed.
//   - What cannot be read, or others may write, is an error and never "no tokens".
//
// Layer: spine, beside the other files of the state folder.
package token

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"time"
)

// A Token is what is known of a token: never the token itself.
type Token struct {
	Name    string    `json:"name"`
	Role    string    `json:"role"`
	Org     string    `json:"org,omitempty"` // whose; "": of who runs the machine
	Hash    string    `json:"hash"`          // of the text, as Hash makes it
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires"`
	Used    time.Time `json:"used,omitzero"` // last, to the minute
}

// Stands reports whether it is good at a time.
func (t Token) Stands(now time.Time) bool { return now.Before(t.Expires) }

// Roles are the words for what a token may do, the smallest first.
func Roles() []string { return []string{"viewer", "approver", "operator", "admin"} }

// Prefix is what every token begins with, so that a search through files finds them.
const Prefix = "ambit_"

const (
	alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	random   = 32 // bytes
	digits   = 43 // 62^43 > 2^256
	check    = 6  // 62^6 > 2^32
)

// New makes a token: Prefix, 256 random bits, and a checksum of both by which what
// looks like a token can be told from one without asking anybody.
func New() string {
	var bits [random]byte
	_, _ = rand.Read(bits[:]) // it never fails
	text := Prefix + base62(bits[:], digits)
	return text + checksum(text)
}

func checksum(text string) string {
	sum := crc32.ChecksumIEEE([]byte(text))
	return base62([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)}, check)
}

// base62 writes a number, the most significant byte first, in so many digits.
func base62(number []byte, width int) string {
	n := slices.Clone(number)
	out := make([]byte, width)
	for i := range out {
		rest := 0
		for j, b := range n {
			rest = rest<<8 | int(b)
			n[j] = byte(rest / len(alphabet))
			rest %= len(alphabet)
		}
		out[width-1-i] = alphabet[rest]
	}
	return string(out)
}

// Plausible reports whether a text is spelled as tokens are, its checksum included.
func Plausible(text string) bool {
	rest, ok := strings.CutPrefix(text, Prefix)
	if !ok || len(rest) != digits+check || strings.Trim(rest, alphabet) != "" {
		return false
	}
	body := text[:len(Prefix)+digits]
	return text[len(body):] == checksum(body)
}

// Hash is what the file has of a token.
func Hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// Errors of changes.
var (
	ErrExists   = errors.New("there is a token of this name")
	ErrNotFound = errors.New("there is no such token")
)

// Name checks how a token is called: it stands in the log and in lists.
func Name(text string) error {
	const plain = "abcdefghijklmnopqrstuvwxyz0123456789-"
	if text == "" || len(text) > 40 || strings.Trim(text, plain) != "" || text[0] == '-' {
		return fmt.Errorf("the name of a token has 1 to 40 of the characters %s, and does not begin with a hyphen", "a-z, 0-9 and -")
	}
	return nil
}

// Org checks the name of an organisation: principals are made of it.
func Org(text string) error {
	if Name(text) != nil {
		return fmt.Errorf("the name of an organisation has 1 to 40 of the characters %s, and does not begin with a hyphen", "a-z, 0-9 and -")
	}
	return nil
}

// valid says what is wrong with a token, as it stands in the file.
func (t Token) valid() error {
	if err := Name(t.Name); err != nil {
		return err
	}
	if raw, err := hex.DecodeString(t.Hash); err != nil || len(raw) != sha256.Size || t.Hash != strings.ToLower(t.Hash) {
		return fmt.Errorf("the token %s has no hash", t.Name)
	}
	if !slices.Contains(Roles(), t.Role) {
		return fmt.Errorf("the token %s has no role", t.Name)
	}
	if t.Org != "" && Org(t.Org) != nil {
		return fmt.Errorf("the token %s has no organisation", t.Name)
	}
	if t.Expires.IsZero() {
		return fmt.Errorf("the token %s has no end", t.Name)
	}
	return nil
}
