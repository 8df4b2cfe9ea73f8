package secret

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// What AWS's Signature Version 4 is made of ("Signature Version 4 signing process",
// AWS General Reference).
const (
	awsAlgorithm = "AWS4-HMAC-SHA256"
	awsUnsigned  = "UNSIGNED-PAYLOAD"
	awsChunked   = "STREAMING-" + awsAlgorithm + "-PAYLOAD" // each chunk is signed
	awsTrailer   = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"     // none is
	awsDate      = "X-Amz-Date"
	awsPayload   = "X-Amz-Content-Sha256"
)

// An awsSignature is what a request says of its signature.
type awsSignature struct {
	id      string   // of the access key
	scope   string   // date/region/service/aws4_request
	headers []string // that are signed, in lower case
	value   string   // in hexadecimal
}

// parseAWS reads the header Authorization. ok is false for one that is of another
// kind.
func parseAWS(value string) (s awsSignature, ok bool) {
	rest, ok := strings.CutPrefix(value, awsAlgorithm+" ")
	if !ok {
		return s, false
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, text, found := strings.Cut(strings.TrimSpace(part), "=")
		if _, twice := parts[name]; !found || twice {
			return s, false
		}
		parts[name] = text
	}
	s.id, s.scope, _ = strings.Cut(parts["Credential"], "/")
	s.headers, s.value = strings.Split(parts["SignedHeaders"], ";"), parts["Signature"]
	whole := len(parts) == 3 && len(strings.Split(s.scope, "/")) == 4 && strings.HasSuffix(s.scope, "/aws4_request")
	return s, whole && len(s.value) == hex.EncodedLen(sha256.Size)
}

// String is the header with another signature in it.
func (s awsSignature) String() string {
	return awsAlgorithm + " Credential=" + s.id + "/" + s.scope + ", SignedHeaders=" + strings.Join(s.headers, ";") + ", Signature=" + s.value
}

// key derives the key that signs within a scope.
func (s awsSignature) key(secret string) []byte {
	key := []byte("AWS4" + secret)
	for part := range strings.SplitSeq(s.scope, "/") {
		key = mac(key, part)
	}
	return key
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = h.Write([]byte(text)) // it never fails
	return h.Sum(nil)
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// sign computes the signature of a request, whose path is written in a way and
// whose payload has a digest.
func (s awsSignature) sign(secret string, r *http.Request, path, payload string) (string, error) {
	canonical, err := s.canonical(r, path, payload)
	if err != nil {
		return "", err
	}
	text := awsAlgorithm + "\n" + r.Header.Get(awsDate) + "\n" + s.scope + "\n" + digest(canonical)
	return hex.EncodeToString(mac(s.key(secret), text)), nil
}

// errUnsignable says that a request has something signed that is not sent as it
// was signed.
var errUnsignable = errors.New("it signs a header that is not sent as it was signed")

// canonical is the request as it is signed.
func (s awsSignature) canonical(r *http.Request, path, payload string) (string, error) {
	var b strings.Builder
	b.WriteString(r.Method + "\n" + path + "\n" + awsQuery(r.URL.RawQuery) + "\n")
	for _, name := range s.headers {
		value := strings.Join(r.Header[http.CanonicalHeaderKey(name)], ",")
		switch _, there := r.Header[http.CanonicalHeaderKey(name)]; {
		case name == "host":
			value = r.Host
		case name == "content-length" && r.ContentLength >= 0:
			value = strconv.FormatInt(r.ContentLength, 10)
		case !there, name == "content-length", name == "authorization":
			return "", errUnsignable
		}
		b.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	b.WriteString("\n" + strings.Join(s.headers, ";") + "\n" + payload)
	return b.String(), nil
}

// awsPaths are the ways in which a path is signed: as it is sent, as S3 has it, or
// encoded once more, as all other services do.
func awsPaths(r *http.Request) []string {
	sent := r.URL.EscapedPath()
	parts := strings.Split(sent, "/")
	for i, p := range parts {
		parts[i] = awsEscape(p)
	}
	return []string{sent, strings.Join(parts, "/")}
}

// awsQuery is a query in its canonical form.
func awsQuery(raw string) string {
	if raw == "" {
		return ""
	}
	var pairs []string
	for pair := range strings.SplitSeq(raw, "&") {
		name, value, _ := strings.Cut(pair, "=")
		pairs = append(pairs, awsEscape(awsUnescape(name))+"="+awsEscape(awsUnescape(value)))
	}
	slices.SortFunc(pairs, func(a, b string) int {
		an, av, _ := strings.Cut(a, "=")
		bn, bv, _ := strings.Cut(b, "=")
		if n := strings.Compare(an, bn); n != 0 {
			return n
		}
		return strings.Compare(av, bv)
	})
	return strings.Join(pairs, "&")
}

// awsUnescape undoes percent signs, where all of them can be undone.
func awsUnescape(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// awsEscape leaves what RFC 3986 calls unreserved.
func awsEscape(text string) string {
	var b strings.Builder
	for _, c := range []byte(text) {
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			const digits = "0123456789ABCDEF"
			b.WriteString("%" + digits[c>>4:c>>4+1] + digits[c&15:c&15+1])
		}
	}
	return b.String()
}
