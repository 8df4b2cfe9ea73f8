// Package console serves the page that people look at in a browser: a program of
// its own (console/ in this repository), built and embedded here.
//
// It serves files and knows nobody: what the page shows it asks of the API, by the
// same routes as every other client, and who may do what is decided there. The files
// are public, and there is nothing of a host in them.
//
// Invariants:
//
//   - The page runs scripts and styles of this host alone, none that stand in a
//     document, and makes no markup of a text (TestPolicy; test/console).
//   - What is embedded was built from the sources beside it (TestBuilt).
//
// Layer: a front door, above api.
package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

//go:embed dist
var built embed.FS

// policy is what the page may do.
//
// Security: a name that a sandboxed program chose reaches this page. Were it taken
// for markup by a mistake, no script would run of it: none but this host's files do,
// and there is no way to make one of a text.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'; trusted-types 'none'"

// pages are the first parts of paths that the page itself draws.
var pages = []string{"", "sessions", "grants", "log", "packs", "install", "storage", "host", "settings"}

// types are the content types of what is embedded. What is not here is not served.
var types = map[string]string{
	".css":  "text/css; charset=utf-8",
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// A file is one that was built, ready to be sent.
type file struct {
	content []byte
	kind    string
	tag     string
}

// Handler serves the page and what belongs to it. Of any other path there is none.
func Handler() http.Handler {
	files, err := load(built)
	if err != nil {
		panic("console: " + err.Error()) // it is embedded, and does not change
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(w, r, files) })
}

// load reads what is embedded, by the paths that it has on the wire.
func load(from fs.FS) (map[string]file, error) {
	files := map[string]file{}
	err := fs.WalkDir(from, "dist", func(name string, d fs.DirEntry, err error) error {
		kind := types[path.Ext(name)]
		if err != nil || d.IsDir() || kind == "" {
			return err
		}
		content, err := fs.ReadFile(from, name)
		sum := sha256.Sum256(content)
		files[strings.TrimPrefix(name, "dist")] = file{content, kind, `"` + hex.EncodeToString(sum[:16]) + `"`}
		return err
	})
	return files, err
}

func serve(w http.ResponseWriter, r *http.Request, files map[string]file) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	name := r.URL.Path
	if first, _, _ := strings.Cut(strings.TrimPrefix(name, "/"), "/"); slices.Contains(pages, first) {
		name = "/index.html"
	}
	f, ok := files[name]
	if !ok {
		http.NotFound(w, r)
		return
	}
	if path.Dir(name) == "/assets" { // their names have digests of what is in them
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("ETag", f.tag)
	}
	h.Set("Content-Type", f.kind)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
}
