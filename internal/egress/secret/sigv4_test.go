package secret_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/egress/request"
	"ambit.dev/ambit/internal/egress/secret"
)

// fixed is a source of one value.
type fixed string

func (f fixed) Value(context.Context, secret.Use) (binding.Value, error) {
	return binding.NewValue(string(f))
}

// A keyed is a key of AWS's published examples.
type keyed struct{ id, key, host string }

var (
	// The test suite of Signature Version 4.
	suite = keyed{"AKIDEXAMPLE123456", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "example.amazonaws.com"}
	// "Authenticating Requests", Amazon S3 API Reference.
	s3 = keyed{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "examplebucket.s3.amazonaws.com"}
)

func (k keyed) filler(t *testing.T, placeholder, value string) *secret.Filler {
	t.Helper()
	b := binding.Binding{Scheme: "https", Host: k.host, Port: 443, Place: binding.AWS, Key: k.id}.Default("aws")
	f, err := secret.New([]secret.Placeholder{{Name: "aws", Text: placeholder, Binding: b}}, fixed(value))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (k keyed) fill(f *secret.Filler, r *http.Request) error {
	_, err := f.Fill(context.Background(), request.Destination{Scheme: "https", Host: k.host, Port: 443}, r)
	return err
}

// A vector is a request of which AWS has published the signature.
type vector struct {
	name, method, target string
	headers              string // by lines
	body                 string
	scope, signed        string
	signature            string // by the key of the examples
}

const (
	inSuite = "20150830/us-east-1/service/aws4_request"
	inS3    = "20130524/us-east-1/s3/aws4_request"
	empty   = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

var suiteVectors = []vector{
	{"get-vanilla", "GET", "/", "X-Amz-Date: 20150830T123600Z", "", inSuite, "host;x-amz-date", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"post-vanilla", "POST", "/", "X-Amz-Date: 20150830T123600Z", "", inSuite, "host;x-amz-date", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"get-vanilla-query-order-key-case", "GET", "/?Param2=value2&Param1=value1", "X-Amz-Date: 20150830T123600Z", "", inSuite, "host;x-amz-date", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{"post-x-www-form-urlencoded", "POST", "/", "Content-Type: application/x-www-form-urlencoded\nX-Amz-Date: 20150830T123600Z", "Param1=value1", inSuite, "content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
}

var s3Vectors = []vector{
	{"GET Object", "GET", "/test.txt", "Range: bytes=0-9\nX-Amz-Content-Sha256: " + empty + "\nX-Amz-Date: 20130524T000000Z", "", inS3, "host;range;x-amz-content-sha256;x-amz-date", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
	{"GET Bucket Lifecycle", "GET", "/?lifecycle", "X-Amz-Content-Sha256: " + empty + "\nX-Amz-Date: 20130524T000000Z", "", inS3, "host;x-amz-content-sha256;x-amz-date", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
	{"List Objects", "GET", "/?max-keys=2&prefix=J", "X-Amz-Content-Sha256: " + empty + "\nX-Amz-Date: 20130524T000000Z", "", inS3, "host;x-amz-content-sha256;x-amz-date", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
}

// request is the vector's, signed in this way.
func (v vector) request(k keyed, signature string) *http.Request {
	r := httptest.NewRequest(v.method, "https://"+k.host+v.target, strings.NewReader(v.body))
	r.RequestURI, r.ContentLength = "", int64(len(v.body))
	for line := range strings.SplitSeq(v.headers, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	r.Header.Set("Authorization", v.authorization(k, signature))
	return r
}

func (v vector) authorization(k keyed, signature string) string {
	return "AWS4-HMAC-SHA256 Credential=" + k.id + "/" + v.scope + ", SignedHeaders=" + v.signed + ", Signature=" + signature
}

// TestSignAWS: what is signed with the placeholder is signed anew with the secret,
// as AWS's examples are; both ways, which shows that each was understood.
func TestSignAWS(t *testing.T) {
	for _, set := range []struct {
		key keyed
		all []vector
	}{{suite, suiteVectors}, {s3, s3Vectors}} {
		for _, v := range set.all {
			// The published key is the placeholder, and its signature has to be known.
			r := v.request(set.key, v.signature)
			if err := set.key.fill(set.key.filler(t, set.key.key, mine), r); err != nil {
				t.Errorf("%s: %v", v.name, err)
				continue
			}
			ours := r.Header.Get("Authorization")
			if strings.Contains(ours, v.signature) || len(ours) != len(v.authorization(set.key, v.signature)) {
				t.Errorf("%s: it is sent as %s", v.name, ours)
			}
			// And back: it is the secret.
			r = v.request(set.key, ours[len(ours)-64:])
			if err := set.key.fill(set.key.filler(t, mine, set.key.key), r); err != nil {
				t.Errorf("%s: %v", v.name, err)
			}
			if got := r.Header.Get("Authorization"); got != v.authorization(set.key, v.signature) {
				t.Errorf("%s: got %s, want %s", v.name, got, v.signature)
			}
			if b, _ := io.ReadAll(r.Body); string(b) != v.body {
				t.Errorf("%s: the body is %q", v.name, b)
			}
		}
	}
}

// TestSignAWSRefused: what is not what the placeholder signed is refused, and what
// is signed with another key is left alone.
func TestSignAWSRefused(t *testing.T) {
	v := suiteVectors[3]
	for name, change := range map[string]func(*http.Request){
		"another path":   func(r *http.Request) { r.URL.Path = "/other" },
		"another query":  func(r *http.Request) { r.URL.RawQuery = "a=b" },
		"another method": func(r *http.Request) { r.Method = "PUT" },
		"another body":   func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader("Param1=other!")) },
		"another date":   func(r *http.Request) { r.Header.Set("X-Amz-Date", "20150830T123601Z") },
		"another header": func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") },
		"a header less":  func(r *http.Request) { r.Header.Del("Content-Type") },
		"another scope": func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "us-east-1", "us-east-2", 1))
		},
		"another algorithm": func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "HMAC-SHA256", "ECDSA-P256-SHA256", 1))
		},
		"twice":       func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) },
		"a long body": func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(io.LimitReader(zeros{}, 2<<20)), -1 },
		"a signature in URL": func(r *http.Request) {
			r.Header.Del("Authorization")
			r.URL.RawQuery = "X-Amz-Credential=" + suite.id + "%2F" + inSuite
		},
		"a signed trailer": func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
		},
		"the placeholder": func(r *http.Request) { r.Header.Set("X", suite.key) },
	} {
		r := v.request(suite, v.signature)
		change(r)
		err := suite.fill(suite.filler(t, suite.key, mine), r)
		if refused, ok := errors.AsType[*request.Refused](err); !ok || refused.Reason != secret.Misuse {
			t.Errorf("%s: %v, sent as %s", name, err, r.Header.Get("Authorization"))
		}
	}
	r := v.request(keyed{id: "AKIDANOTHER123456"}, v.signature)
	r.Host, r.URL.Host = suite.host, suite.host
	before := r.Header.Get("Authorization")
	if err := suite.fill(suite.filler(t, suite.key, mine), r); err != nil || r.Header.Get("Authorization") != before {
		t.Errorf("another key: %v, %s", err, r.Header.Get("Authorization"))
	}
	// Toward another host nothing is signed.
	r = v.request(suite, v.signature)
	if _, err := suite.filler(t, suite.key, mine).Fill(t.Context(), api, r); err != nil || !strings.Contains(r.Header.Get("Authorization"), v.signature) {
		t.Errorf("another host: %v, %s", err, r.Header.Get("Authorization"))
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// chunked is the example of a body in signed chunks ("Transferring Payload in
// Multiple Chunks", Amazon S3 API Reference): 66,560 letters, in two and an empty
// one.
var chunked = vector{"PUT Object in chunks", "PUT", "/examplebucket/chunkObject.txt",
	"Content-Encoding: aws-chunked\nX-Amz-Content-Sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\nX-Amz-Date: 20130524T000000Z\nX-Amz-Decoded-Content-Length: 66560\nX-Amz-Storage-Class: REDUCED_REDUNDANCY",
	"", inS3, "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class",
	"4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"}

func chunksOf(signatures ...string) string {
	var b strings.Builder
	for i, data := range []string{strings.Repeat("a", 65536), strings.Repeat("a", 1024), ""} {
		b.WriteString([]string{"10000", "400", "0"}[i] + ";chunk-signature=" + signatures[i] + "\r\n" + data + "\r\n")
	}
	return b.String()
}

// TestSignChunks: a body whose chunks are signed is signed anew, chunk by chunk.
func TestSignChunks(t *testing.T) {
	path := keyed{s3.id, s3.key, "s3.amazonaws.com"}
	v := chunked
	v.body = chunksOf("ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
		"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9")
	r := v.request(path, v.signature)
	if err := path.fill(path.filler(t, s3.key, mine), r); err != nil {
		t.Fatal(err)
	}
	head := r.Header.Get("Authorization")
	ours, err := io.ReadAll(r.Body)
	if err != nil || len(ours) != len(v.body) || bytes.Contains(ours, []byte("ad80c730")) {
		t.Fatalf("%d bytes of %d, %v", len(ours), len(v.body), err)
	}
	back := v
	back.body = string(ours)
	r = back.request(path, head[len(head)-64:])
	if err := path.fill(path.filler(t, mine, s3.key), r); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r.Body); err != nil || string(got) != v.body || r.Header.Get("Authorization") != v.authorization(path, v.signature) {
		t.Errorf("back: %v, %s, %.200s", err, r.Header.Get("Authorization"), got)
	}
	for name, body := range map[string]string{
		"another byte":   strings.Replace(v.body, "aa\r\n", "ab\r\n", 1),
		"another size":   strings.Replace(v.body, "10000;", "0ffff;", 1),
		"no signature":   strings.Replace(v.body, ";chunk-signature", ";x", 1),
		"cut off":        v.body[:66000],
		"a large chunk":  "7fffffff" + v.body[5:],
		"no line at all": "x",
	} {
		bad := v
		bad.body = body
		r := bad.request(path, v.signature)
		r.ContentLength = int64(len(v.body)) // which is signed
		if err := path.fill(path.filler(t, s3.key, mine), r); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := io.ReadAll(r.Body); err == nil {
			t.Errorf("%s: it was passed on", name)
		}
	}
}

// TestSignHMAC: the signature of a body that the placeholder has made becomes the
// secret's. The signature is that of GitHub's documentation.
func TestSignHMAC(t *testing.T) {
	const theirs = "It's a Secret to Everybody"
	const wanted = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	b := bind(func(b *binding.Binding) { b.Place, b.Key, b.Form = binding.HMAC, "X-Hub-Signature-256", "sha256={}" })
	fill := func(placeholder, value, body, signature string) (*http.Request, error) {
		f, err := secret.New([]secret.Placeholder{{Name: "hook", Text: placeholder, Binding: b}}, fixed(value))
		if err != nil {
			t.Fatal(err)
		}
		r := sent(withBody("application/json", body))
		if signature != "" {
			r.Header.Set("X-Hub-Signature-256", signature)
		}
		_, err = f.Fill(t.Context(), api, r)
		return r, err
	}
	const mineOf = "sha256=" // and what follows
	r, err := fill(mine, theirs, "Hello, World!", mineOf+hexMAC(mine, "Hello, World!"))
	if err != nil || r.Header.Get("X-Hub-Signature-256") != wanted {
		t.Errorf("%v, %s", err, r.Header.Get("X-Hub-Signature-256"))
	}
	if got, _ := io.ReadAll(r.Body); string(got) != "Hello, World!" {
		t.Errorf("the body is %q", got)
	}
	if r, err := fill(mine, "several\nlines\n of a key", "x", ""); err != nil || r.Header.Get("X-Hub-Signature-256") != "" {
		t.Errorf("without a signature: %v, %s", err, r.Header.Get("X-Hub-Signature-256"))
	}
	for name, bad := range map[string]string{"another body": mineOf + hexMAC(mine, "Hello"), "another key": wanted, "the placeholder": mine, "another form": hexMAC(mine, "Hello, World!")} {
		if _, err := fill(mine, theirs, "Hello, World!", bad); err == nil {
			t.Errorf("%s: it was passed on", name)
		}
	}
}

func hexMAC(key, text string) string {
	h := hmac.New(sha256.New, []byte(key))
	_, _ = h.Write([]byte(text)) // it never fails
	return hex.EncodeToString(h.Sum(nil))
}

// signed is a request with a session token beside its key, signed as Signature
// Version 4 has it, written down for this one request.
func signedWithToken(key, token string) *http.Request {
	const scope = "20150830/us-east-1/service/aws4_request"
	sum := func(text string) string {
		b := sha256.Sum256([]byte(text))
		return hex.EncodeToString(b[:])
	}
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		_, _ = h.Write([]byte(text))
		return h.Sum(nil)
	}
	canonical := "GET\n/\n\nhost:" + suite.host + "\nx-amz-date:20150830T123600Z\nx-amz-security-token:" + token + "\n\nhost;x-amz-date;x-amz-security-token\n" + empty
	k := []byte("AWS4" + key)
	for part := range strings.SplitSeq(scope, "/") {
		k = mac(k, part)
	}
	v := vector{method: "GET", target: "/", headers: "X-Amz-Date: 20150830T123600Z\nX-Amz-Security-Token: " + token, scope: scope, signed: "host;x-amz-date;x-amz-security-token"}
	return v.request(suite, hex.EncodeToString(mac(k, "AWS4-HMAC-SHA256\n20150830T123600Z\n"+scope+"\n"+sum(canonical))))
}

// TestSignAWSToken: the session token that belongs to a key is a secret of its own,
// in its header, and what is signed is the request with it.
func TestSignAWSToken(t *testing.T) {
	const placeholder, token = "a placeholder of a token, of enough characters", "FwoGZXIvYXdzEXAMPLE"
	key := binding.Binding{Scheme: "https", Host: suite.host, Port: 443, Place: binding.AWS, Key: suite.id}.Default("aws")
	beside := binding.Binding{Scheme: "https", Host: suite.host, Port: 443, Place: binding.Header, Key: "X-Amz-Security-Token", Form: "{}"}.Default("token")
	f, err := secret.New([]secret.Placeholder{{Name: "aws", Text: mine, Binding: key}, {Name: "token", Text: placeholder, Binding: beside}},
		byName{"aws": suite.key, "token": token})
	if err != nil {
		t.Fatal(err)
	}
	r := signedWithToken(mine, placeholder)
	if err := suite.fill(f, r); err != nil {
		t.Fatal(err)
	}
	want := signedWithToken(suite.key, token)
	for _, name := range []string{"Authorization", "X-Amz-Security-Token"} {
		if got, want := r.Header.Get(name), want.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if err := suite.fill(f, signedWithToken(mine, "x"+placeholder)); err == nil {
		t.Error("a token that is no placeholder alone went out")
	}
}

// byName is a source of values by their names.
type byName map[string]string

func (b byName) Value(_ context.Context, u secret.Use) (binding.Value, error) {
	return binding.NewValue(b[u.Name])
}
