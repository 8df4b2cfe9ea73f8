package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Headers of what is signed.
const (
	headerTime      = "X-Ambit-Timestamp" // seconds since 1970
	headerNonce     = "X-Ambit-Nonce"     // of the question; an answer repeats it
	headerSignature = "X-Ambit-Signature" // v1= and 64 hexadecimal digits
)

// What is signed. A signature for one of them is none for another, so that a
// question cannot be sent back as its answer.
const (
	ofQuestion = "question"
	ofPoll     = "poll"
	ofAnswer   = "answer"
)

// minSecret is the least length of a secret, in bytes.
const minSecret = 16

// maxAge is how far the clocks of both sides may be apart.
const maxAge = 5 * time.Minute

// Secret is what both sides have. It prints as REDACTED.
type Secret struct{ key []byte }

// NewSecret takes a secret as it stands in a file or a variable; a line break at
// its end does not belong to it.
func NewSecret(text string) (Secret, error) {
	text = strings.TrimRight(text, "\r\n")
	if len(text) < minSecret {
		return Secret{}, fmt.Errorf("the secret has %d bytes, want %d or more: `openssl rand -hex 32` makes a good one", len(text), minSecret)
	}
	return Secret{[]byte(text)}, nil
}

const redacted = "REDACTED"

func (Secret) String() string               { return redacted }
func (Secret) GoString() string             { return redacted }
func (Secret) Format(f fmt.State, _ rune)   { _, _ = f.Write([]byte(redacted)) }
func (Secret) LogValue() slog.Value         { return slog.StringValue(redacted) }
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// sign is the signature of a body, in its header's form.
func (s Secret) sign(of, time, nonce string, body []byte) string {
	mac := hmac.New(sha256.New, s.key)
	_, _ = fmt.Fprintf(mac, "ambit-ask-v1\n%s\n%s\n%s\n", of, time, nonce) // a hash does not fail
	_, _ = mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// seal signs a request.
func (f *Front) seal(r *http.Request, of, nonce string, body []byte) {
	at := strconv.FormatInt(f.cfg.Now().Unix(), 10)
	r.Header.Set(headerTime, at)
	r.Header.Set(headerNonce, nonce)
	r.Header.Set(headerSignature, f.cfg.Secret.sign(of, at, nonce, body))
}

var (
	errUnsigned = errors.New("the answer's signature is not right")
	errStale    = errors.New("the answer is from another time; are both clocks right?")
	errReplayed = errors.New("the answer is for another question")
)

// open checks that an answer is signed, fresh, and for the question with this
// nonce.
//
// Security: after it, whoever wrote the body has the secret, and wrote it for
// this question. The nonce is in what is signed, so that the answer to an
// earlier question, also to one with the same id, does not pass.
func (f *Front) open(h http.Header, nonce string, body []byte) error {
	at := h.Get(headerTime)
	want := f.cfg.Secret.sign(ofAnswer, at, h.Get(headerNonce), body)
	if !hmac.Equal([]byte(h.Get(headerSignature)), []byte(want)) {
		return errUnsigned
	}
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || f.cfg.Now().Sub(time.Unix(seconds, 0)).Abs() > maxAge {
		return errStale
	}
	if h.Get(headerNonce) != nonce {
		return errReplayed
	}
	return nil
}
