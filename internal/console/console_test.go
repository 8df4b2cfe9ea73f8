package console_test

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/console"
)

func get(t *testing.T, method, path string) *http.Response {
	t.Helper()
	w := httptest.NewRecorder()
	console.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), method, path, nil))
	return w.Result()
}

func body(t *testing.T, path string) string {
	t.Helper()
	w := httptest.NewRecorder()
	console.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: got %d", path, w.Code)
	}
	return w.Body.String()
}

// Each path of the page is the page, which is kept nowhere; what it is made of is
// kept for ever; of anything else there is none.
func TestPaths(t *testing.T) {
	page := body(t, "/")
	for _, path := range []string{"/", "/sessions", "/sessions/s-zdi56lqttz", "/grants", "/log", "/log/12", "/packs/org.example.a", "/storage", "/host", "/settings"} {
		r := get(t, http.MethodGet, path)
		if r.StatusCode != http.StatusOK || r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("GET %s: got %d, %v", path, r.StatusCode, r.Header)
		}
		if got := body(t, path); got != page {
			t.Errorf("GET %s is not the page", path)
		}
	}
	assets := regexp.MustCompile(`"(/assets/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(assets) < 3 {
		t.Errorf("the page names %d files, want its script, style and icon", len(assets))
	}
	for _, a := range assets {
		r := get(t, http.MethodGet, a[1])
		if r.StatusCode != http.StatusOK || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") || r.Header.Get("ETag") == "" {
			t.Errorf("GET %s: got %d, %v", a[1], r.StatusCode, r.Header)
		}
	}
	for _, path := range []string{"/me", "/login", "/dist/index.html", "/assets/", "/assets/none.js", "/BUILD", "/../console.go", "/sessionsx", "/ambit.v1.HostService/GetVersion"} {
		if r := get(t, http.MethodGet, path); r.StatusCode != http.StatusNotFound {
			t.Errorf("GET %s: got %d, want 404", path, r.StatusCode)
		}
	}
	if r := get(t, http.MethodPost, "/"); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST /: got %d, want 405", r.StatusCode)
	}
}

// Every answer says what the page may do, and the page keeps to it: it has no script
// and no style in itself, and names nothing of another host.
func TestPolicy(t *testing.T) {
	for _, path := range []string{"/", "/settings", "/none"} {
		h := get(t, http.MethodGet, path).Header
		policy := h.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "img-src 'self' data:",
			"frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(policy+";", want+";") {
				t.Errorf("GET %s: the policy lacks %q: %q", path, want, policy)
			}
		}
		if strings.Contains(policy, "unsafe") || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("GET %s: got %v", path, h)
		}
	}
	page := body(t, "/")
	for _, bad := range []*regexp.Regexp{regexp.MustCompile(`<script(?:[^>]*)>[^<]`), regexp.MustCompile(`<style`), regexp.MustCompile(` on[a-z]+=`), regexp.MustCompile(`style=`), regexp.MustCompile(`(?:src|href)="[^/]`)} {
		if found := bad.FindString(page); found != "" {
			t.Errorf("the page has %q", found)
		}
	}
}
