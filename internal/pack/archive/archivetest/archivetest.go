// Package archivetest makes archives of packs that an honest tool would not write, for
// the tests of whatever unpacks some. It is not part of the product.
package archivetest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"strings"
)

// Manifest is that of each archive.
const Manifest = `{"id": "org.example.words", "version": "1.0", "kind": "cli-tool", "entry": ["./run"]}`

// Make makes an archive with a manifest and some entries.
func Make(entries ...tar.Header) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, h := range append([]tar.Header{{Name: "ambit.json", Typeflag: tar.TypeReg, Size: int64(len(Manifest))}}, entries...) {
		if h.Typeflag != tar.TypeXGlobalHeader {
			h.Mode |= 0o644
		}
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		text := Manifest
		if h.Name != "ambit.json" {
			text = strings.Repeat("x", int(h.Size))
		}
		if _, err := w.Write([]byte(text)); err != nil {
			return nil, err
		}
	}
	err := errors.Join(w.Close(), z.Close())
	return b.Bytes(), err
}

// Hostile is what no archive may bring, by what it is: each would write into outside, a
// folder beside the shelf, or bring what is no file.
func Hostile(outside string) map[string][]tar.Header {
	return map[string][]tar.Header{
		"up":                    {{Name: "../outside/x", Typeflag: tar.TypeReg, Size: 1}},
		"up, within":            {{Name: "a/../../outside/x", Typeflag: tar.TypeReg, Size: 1}},
		"absolute":              {{Name: outside + "/x", Typeflag: tar.TypeReg, Size: 1}},
		"through a link":        {{Name: "l", Typeflag: tar.TypeSymlink, Linkname: outside}, {Name: "l/x", Typeflag: tar.TypeReg, Size: 1}},
		"through a link up":     {{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "../../outside"}, {Name: "l/x", Typeflag: tar.TypeReg, Size: 1}},
		"through two links":     {{Name: "d/e", Typeflag: tar.TypeDir}, {Name: "d/e/k", Typeflag: tar.TypeSymlink, Linkname: "../.."}, {Name: "l", Typeflag: tar.TypeSymlink, Linkname: "d/e/k/../outside"}, {Name: "l/x", Typeflag: tar.TypeReg, Size: 1}},
		"a hard link":           {{Name: "l", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}},
		"a device":              {{Name: "d", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}},
		"a pipe":                {{Name: "p", Typeflag: tar.TypeFifo}},
		"a file a second time":  {{Name: "ambit.json", Typeflag: tar.TypeReg, Size: int64(len(Manifest))}},
		"a file over a link":    {{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "ambit.json"}, {Name: "l", Typeflag: tar.TypeReg, Size: 1}},
		"a folder over a file":  {{Name: "ambit.json/x", Typeflag: tar.TypeReg, Size: 1}},
		"deeper than is wanted": {{Name: strings.Repeat("d/", 80) + "x", Typeflag: tar.TypeReg, Size: 1}},
	}
}

// Bomb is small, and has more entries than a pack may have.
func Bomb(entries int) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(z)
	for i := range entries {
		if err := w.WriteHeader(&tar.Header{Name: "d" + strings.Repeat("x", i%50) + "/", Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
			return nil, err
		}
	}
	err = z.Close()
	return b.Bytes(), err
}
