package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
)

// TestBound: headers that nobody counts come to an end as well.
func TestBound(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	const n = 100
	for range n {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": strings.Repeat("x", 1000)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	for bound, want := range map[int64]string{1 << 20: "", 50_000: "more than 50000 bytes"} {
		seen := 0
		err := each(bytes.NewReader(b.Bytes()), bound, func(*tar.Header, io.Reader) error { seen++; return nil })
		if want == "" && (err != nil || seen != n) || want != "" && (err == nil || !strings.Contains(err.Error(), want) || seen >= n) {
			t.Errorf("%d bytes: %v after %d of %d", bound, err, seen, n)
		}
	}
}
