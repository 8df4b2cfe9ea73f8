package secret

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/egress/request"
)

// A signing is a request that was signed with a placeholder, and how it is signed
// with the secret in its place.
//
// Security: the program's signature has to be the one that the placeholder makes
// of this very request. So it is known what was signed, and how; what is computed
// otherwise than here is refused, and a request that meant another key is not
// touched.
type signing struct {
	of   sought
	make func(key string) error
}

// signed looks whether a request is signed with the placeholder.
func (s sought) signed(d request.Destination, r *http.Request) (g signing, found bool, err error) {
	if !s.bound(d, r) {
		return g, false, nil
	}
	switch s.Binding.Place {
	case binding.AWS:
		return s.signedAWS(r)
	case binding.HMAC:
		return s.signedHMAC(r)
	default:
		return g, false, nil
	}
}

// unsignable refuses a request whose signature cannot be made anew.
func (s sought) unsignable(why string) error {
	return &request.Refused{Reason: Misuse, Words: fmt.Sprintf("the request cannot be signed with the secret %s: %s", s.Name, why)}
}

func (s sought) signedAWS(r *http.Request) (g signing, found bool, err error) {
	values := r.Header["Authorization"]
	id := s.Binding.Key
	if query, err := url.ParseQuery(r.URL.RawQuery); err != nil || strings.HasPrefix(query.Get("X-Amz-Credential"), id+"/") {
		return g, false, s.unsignable("its signature stands in the URL")
	}
	if len(values) == 0 || !strings.Contains(strings.Join(values, " "), id+"/") {
		return g, false, nil // of another key, or of none
	}
	a, ok := parseAWS(values[0])
	if !ok || len(values) > 1 || a.id != id {
		return g, false, s.unsignable("it is signed in another way than " + awsAlgorithm)
	}
	payload, err := s.payload(r)
	if err != nil {
		return g, false, err
	}
	way := -1
	for i, path := range awsPaths(r) {
		if made, err := a.sign(s.Text, r, path, payload); err == nil && made == a.value {
			way = i
		}
	}
	if way < 0 {
		return g, false, s.unsignable("its signature is not the one that the placeholder makes of what is sent")
	}
	return signing{s, func(key string) error {
		now := a
		payload, err := s.payload(r)
		if err == nil {
			now.value, err = a.sign(key, r, awsPaths(r)[way], payload)
		}
		if err != nil {
			return s.unsignable(err.Error())
		}
		r.Header.Set("Authorization", now.String())
		if payload == awsChunked {
			r.Body = &chunkSigner{from: r.Body, in: bufio.NewReader(r.Body), date: r.Header.Get(awsDate), scope: a.scope,
				mine: a.key(s.Text), real: a.key(key), was: a.value, is: now.value}
		}
		return nil
	}}, true, nil
}

// payload is what a signature says of the body: what its header says, or else its
// digest.
func (s sought) payload(r *http.Request) (string, error) {
	switch said := r.Header.Get(awsPayload); {
	case said == "":
		body, err := s.whole(r)
		return digest(string(body)), err
	case said == awsUnsigned, said == awsChunked, said == awsTrailer, len(said) == hex.EncodedLen(32) && !strings.Contains(said, "-"):
		return said, nil
	default:
		return "", s.unsignable("its body is signed as " + said)
	}
}

// signedHMAC: the header has to be what the placeholder makes of the body, in
// hexadecimal or in base64.
func (s sought) signedHMAC(r *http.Request) (g signing, found bool, err error) {
	values := r.Header[http.CanonicalHeaderKey(s.Binding.Key)]
	if len(values) == 0 {
		return g, false, nil
	}
	body, err := s.whole(r)
	if err != nil {
		return g, false, err
	}
	for _, encode := range []func([]byte) string{hex.EncodeToString, base64.StdEncoding.EncodeToString} {
		if len(values) == 1 && values[0] == s.Binding.Fill(encode(mac([]byte(s.Text), string(body)))) {
			return signing{s, func(key string) error {
				body, err := s.whole(r)
				if err == nil {
					r.Header.Set(s.Binding.Key, s.Binding.Fill(encode(mac([]byte(key), string(body)))))
				}
				return err
			}}, true, nil
		}
	}
	return g, false, s.unsignable("its header " + s.Binding.Key + " is not what the placeholder makes of the body")
}

// whole reads a body that has to be known before its request is sent.
func (s sought) whole(r *http.Request) ([]byte, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return nil, nil
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxBody {
		return nil, s.unsignable("its body is longer than 1 MiB")
	}
	if err := r.Body.Close(); err != nil {
		return nil, err
	}
	r.Body = io.NopCloser(bytes.NewReader(text))
	return text, nil
}
