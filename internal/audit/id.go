package audit

import (
	"crypto/rand"
	"strings"
)

// NewID returns prefix, a hyphen and 50 random bits in lower-case base32:
// "d-7f3ak2mq5x". Of a million such ids, two are alike with a chance of 1 in 2000.
func NewID(prefix string) string {
	return prefix + "-" + strings.ToLower(rand.Text()[:10])
}
