package registry_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	upstream "github.com/google/go-containerregistry/pkg/registry"

	"ambit.dev/ambit/internal/pack/artifact"
	"ambit.dev/ambit/internal/pack/registry"
)

const manifestText = `{"id": "org.example.words", "version": "%s", "kind": "cli-tool", "entry": ["./run"]}`

const password = "hunter2-in-config"

// layout is the artifact of a pack of some version, or, where that is "", an empty
// folder for one.
func layout(t *testing.T, version string) artifact.Layout {
	t.Helper()
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	l := artifact.In(root)
	if version == "" {
		return l
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ambit.json"), fmt.Appendf(nil, manifestText, version), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Begin(); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Make(dir); err != nil {
		t.Fatal(err)
	}
	return l
}

// A server is a registry with TLS, on the loopback.
type server struct {
	*httptest.Server
	cfg  registry.Config
	host string

	mu    sync.Mutex
	heard []string // guarded by mu; "METHOD path authorization"
}

// serve starts a registry, with what stands before it.
func serve(t *testing.T, before func(next http.Handler) http.Handler) *server {
	t.Helper()
	s := &server{}
	h := upstream.New(upstream.Logger(log.New(io.Discard, "", 0)))
	if before != nil {
		h = before(h)
	}
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.heard = append(s.heard, r.Method+" "+r.URL.Path+" "+r.Header.Get("Authorization"))
		s.mu.Unlock()
		h.ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	t.Cleanup(s.Close)
	s.host = s.Listener.Addr().String()
	s.cfg = registry.Config{Transport: s.Client().Transport}
	return s
}

// all is everything that the server has heard.
func (s *server) all() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.heard, "\n")
}

// docker writes a file of credentials for a registry.
func docker(t *testing.T, host string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config.json")
	text := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}, "HttpHeaders": {"x": "y"}}`, host, base64.StdEncoding.EncodeToString([]byte("ana:"+password)))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// What is pushed is what is fetched, by its tag and by its digest.
func TestThereAndBack(t *testing.T) {
	s := serve(t, nil)
	exact, err := s.cfg.Push(t.Context(), s.host+"/words:1.0", layout(t, "1.0"))
	if err != nil || !strings.HasPrefix(exact, s.host+"/words@sha256:") {
		t.Fatal(exact, err)
	}
	for _, ref := range []string{s.host + "/words:1.0", exact} {
		l := layout(t, "")
		if got, err := s.cfg.Fetch(t.Context(), ref, l); err != nil || got != exact {
			t.Errorf("%s: %s %v", ref, got, err)
		}
		if d, _, err := l.Manifest(); err != nil || !strings.HasSuffix(exact, d.Digest) {
			t.Errorf("%s: %v %v", ref, d, err)
		}
	}
	for _, ref := range []string{"words:1.0", s.host + "/words", s.host + "/words:", "../words:1", "", s.host + "/words@sha256:0", "https://" + s.host + "/words:1"} {
		if _, err := s.cfg.Fetch(t.Context(), ref, layout(t, "")); err == nil || !strings.Contains(err.Error(), "is not understood") {
			t.Errorf("%q: %v", ref, err)
		}
	}
	if _, err := s.cfg.Fetch(t.Context(), s.host+"/words:2.0", layout(t, "")); err == nil {
		t.Error("there is no such tag")
	}
	if _, err := s.cfg.Push(t.Context(), exact, layout(t, "1.0")); err == nil || !strings.Contains(err.Error(), "to a tag") {
		t.Errorf("it says %v", err)
	}
}

// TestIndex: a list of manifests leads to the one pack in it.
func TestIndex(t *testing.T) {
	s := serve(t, nil)
	exact, err := s.cfg.Push(t.Context(), s.host+"/words:1.0", layout(t, "1.0"))
	if err != nil {
		t.Fatal(err)
	}
	_, digest, _ := strings.Cut(exact, "@")
	for tag, tc := range map[string]struct{ entries, why string }{
		"one":  {`{"mediaType":"` + artifact.ManifestType + `","artifactType":"` + artifact.Type + `","digest":"` + digest + `","size":1}`, ""},
		"none": {``, "it has the media type"},
	} {
		text := `{"schemaVersion":2,"mediaType":"` + artifact.IndexType + `","manifests":[` + tc.entries + `]}`
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, s.URL+"/v2/words/manifests/"+tag, strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", artifact.IndexType)
		r, err := s.Client().Do(request)
		if err != nil || r.StatusCode != http.StatusCreated {
			t.Fatal(r, err)
		}
		_ = r.Body.Close()
		got, err := s.cfg.Fetch(t.Context(), s.host+"/words:"+tag, layout(t, ""))
		if tc.why == "" && (err != nil || got != exact) || tc.why != "" && (err == nil || !strings.Contains(err.Error(), tc.why)) {
			t.Errorf("%s: %s %v", tag, got, err)
		}
	}
}

// bearer stands before a registry that wants a token, which it gives to whoever
// knows the password.
func bearer(next http.Handler) http.Handler {
	const token = "a-token-of-the-registry"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch user, pass, _ := r.BasicAuth(); {
		case r.URL.Path == "/token" && user == "ana" && pass == password:
			_ = json.NewEncoder(w).Encode(map[string]string{"token": token})
		case r.URL.Path == "/token":
			w.WriteHeader(http.StatusUnauthorized)
		case r.Header.Get("Authorization") == "Bearer "+token:
			next.ServeHTTP(w, r)
		default:
			w.Header().Set("WWW-Authenticate", `Bearer realm="https://`+r.Host+`/token",service="test"`)
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
}

// TestBearer: credentials are those of the registry, are used where it asks for
// them, and stand in no error.
func TestBearer(t *testing.T) {
	s := serve(t, bearer)
	ref := s.host + "/words:1.0"
	_, err := s.cfg.Push(t.Context(), ref, layout(t, "1.0"))
	if err == nil || !strings.Contains(err.Error(), "there are no credentials for it") {
		t.Errorf("without credentials: %v", err)
	}
	s.cfg.Credentials = docker(t, s.host)
	if _, err := s.cfg.Push(t.Context(), ref, layout(t, "1.0")); err != nil {
		t.Error(err)
	}
	if _, err := s.cfg.Fetch(t.Context(), ref, layout(t, "")); err != nil {
		t.Error(err)
	}
	for name, text := range map[string]string{
		"a wrong password": `{"auths": {"` + s.host + `": {"username": "ana", "password": "` + password + `-old"}}}`,
		"a helper":         `{"credHelpers": {"` + s.host + `": "` + password + `-helper"}}`,
		"a store":          `{"credsStore": "desktop", "auths": {"` + s.host + `": {}}}`,
		"nonsense":         `{"auths": "` + password,
		"nonsense in it":   `{"auths": {"` + s.host + `": {"auth": "` + password + `"}}}`,
	} {
		file := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := registry.Config{Transport: s.cfg.Transport, Credentials: file}
		_, err := cfg.Fetch(t.Context(), ref, layout(t, ""))
		if err == nil || strings.Contains(err.Error(), password) && name != "a helper" {
			t.Errorf("%s: it says %v", name, err)
		}
	}
}

// TestOtherRegistry: no registry hears what is kept for another one, nor does one
// that a registry leads to.
func TestOtherRegistry(t *testing.T) {
	thief := serve(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("WWW-Authenticate", `Basic realm="give"`)
			w.WriteHeader(http.StatusUnauthorized)
		})
	})
	s := serve(t, func(next http.Handler) http.Handler {
		return bearer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/blobs/sha256:") && r.Method == http.MethodGet {
				http.Redirect(w, r, thief.URL+r.URL.Path, http.StatusTemporaryRedirect)
				return
			}
			next.ServeHTTP(w, r)
		}))
	})
	s.cfg.Credentials = docker(t, s.host)
	if _, err := s.cfg.Push(t.Context(), s.host+"/words:1.0", layout(t, "1.0")); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{s.host + "/words:1.0", thief.host + "/words:1.0"} {
		if _, err := s.cfg.Fetch(t.Context(), ref, layout(t, "")); err == nil {
			t.Errorf("%s was fetched", ref)
		}
	}
	if heard := thief.all(); heard == "" || strings.Contains(heard, "Bearer") || strings.Contains(heard, "Basic") {
		t.Errorf("the other registry heard:\n%s", heard)
	}
}

// replaced answers requests for what matches with something else.
func replaced(match string, instead func(w http.ResponseWriter, body []byte)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, match) {
				next.ServeHTTP(w, r)
				return
			}
			kept := httptest.NewRecorder()
			next.ServeHTTP(kept, r)
			instead(w, kept.Body.Bytes())
		})
	}
}

// TestLyingRegistry: a registry that answers a digest with something else is found out.
func TestLyingRegistry(t *testing.T) {
	other := []byte(`{"schemaVersion":2,"mediaType":"` + artifact.ManifestType + `","artifactType":"` + artifact.Type + `"}`)
	for name, tc := range map[string]struct {
		before   func(http.Handler) http.Handler
		byDigest bool
	}{
		"another layer": {replaced("/blobs/sha256:", func(w http.ResponseWriter, body []byte) {
			_, _ = w.Write(bytes.Repeat([]byte("x"), len(body)))
		}), false},
		"half a layer": {replaced("/blobs/sha256:", func(w http.ResponseWriter, body []byte) {
			_, _ = w.Write(body[:len(body)/2])
		}), false},
		"a layer without an end": {replaced("/blobs/sha256:", func(w http.ResponseWriter, body []byte) {
			for range 100 {
				if _, err := w.Write(bytes.Repeat(body, 1000)); err != nil {
					return
				}
			}
		}), false},
		"another manifest": {replaced("/manifests/sha256:", func(w http.ResponseWriter, body []byte) {
			w.Header().Set("Content-Type", artifact.ManifestType)
			_, _ = w.Write(append(body, ' '))
		}), true},
		"another manifest, of an older type": {replaced("/manifests/sha256:", func(w http.ResponseWriter, body []byte) {
			w.Header().Set("Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws")
			w.Header().Set("Docker-Content-Digest", artifact.Describe("", body).Digest)
			_, _ = w.Write(append(body, ' '))
		}), true},
		"a manifest without layers": {replaced("/manifests/1.0", func(w http.ResponseWriter, _ []byte) {
			w.Header().Set("Content-Type", artifact.ManifestType)
			_, _ = w.Write(other)
		}), false},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tc.before)
			exact, err := s.cfg.Push(t.Context(), s.host+"/words:1.0", layout(t, "1.0"))
			if err != nil {
				t.Fatal(err)
			}
			ref := s.host + "/words:1.0"
			if tc.byDigest {
				ref = exact
			}
			if got, err := s.cfg.Fetch(t.Context(), ref, layout(t, "")); err == nil {
				t.Errorf("it was taken for %s", got)
			}
		})
	}
}

// TestEncrypted: nothing is said without TLS but on this machine, also where the
// registry wants it.
func TestEncrypted(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	cfg := registry.Config{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Scheme != "https" {
			asked = append(asked, r.URL.String())
		}
		return nil, fmt.Errorf("nobody is there")
	})}
	for _, ref := range []string{"10.0.0.1:5000/words:1", "192.168.1.1/words:1", "registry.local/words:1"} {
		if _, err := cfg.Fetch(t.Context(), ref, layout(t, "")); err == nil {
			t.Errorf("%s was fetched", ref)
		}
	}
	if len(asked) > 0 {
		t.Errorf("asked without TLS: %v", asked)
	}
	plain := httptest.NewServer(upstream.New(upstream.Logger(log.New(io.Discard, "", 0))))
	defer plain.Close()
	ref := strings.TrimPrefix(plain.URL, "http://") + "/words:1.0"
	if _, err := (registry.Config{}).Push(t.Context(), ref, layout(t, "1.0")); err != nil {
		t.Error("on this machine:", err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
