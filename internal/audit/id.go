package audit

import "crypto/rand"

// NewID returns prefix, a hyphen and 50 random bits in lower-case base32:
// "d-7f3ak2mq5x". Of a million such ids, two are alike with a chance of 1 in 2000.
func NewID(prefix string) string {
	const letters = "abcdefghijklmnopqrstuvwxyz234567"
	var b [10]byte
	_, _ = rand.Read(b[:]) // it never fails
	for i := range b {
		b[i] = letters[b[i]%32]
	}
	return prefix + "-" + string(b[:])
}
