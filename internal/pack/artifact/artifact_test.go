package artifact_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/pack"
	"ambit.dev/ambit/internal/pack/archive"
	"ambit.dev/ambit/internal/pack/artifact"
)

const manifestText = `{"id": "org.example.words", "version": "1.0", "kind": "cli-tool", "entry": ["./run"]}`

const layerType = "application/vnd.oci.image.layer.v1.tar+gzip"

// folder makes a pack with a program and a link.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"ambit.json": manifestText, "run": "#!/bin/sh\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("run", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// layout makes an empty layout in a folder of its own.
func layout(t *testing.T) (artifact.Layout, string) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	l := artifact.In(root)
	if err := l.Begin(); err != nil {
		t.Fatal(err)
	}
	return l, dir
}

// take reads a layout as an installation does, but in this process.
func take(t *testing.T, l artifact.Layout) (pack.Pack, error) {
	t.Helper()
	shelf := filepath.Join(t.TempDir(), "shelf")
	d, err := pack.At(shelf).Draft(func(dir string) error {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return err
		}
		defer root.Close()
		_, m, err := l.Manifest()
		if err != nil {
			return err
		}
		return l.Unpack(m, pack.NewWriter(root))
	})
	if left, e := os.ReadDir(filepath.Dir(shelf)); e != nil || len(left) != 1 {
		t.Errorf("it wrote beside the shelf: %v, %v", left, e)
	}
	if err != nil {
		if left, e := os.ReadDir(shelf); e != nil || len(left) > 0 {
			t.Errorf("it left %v, %v", left, e)
		}
		return pack.Pack{}, err
	}
	defer d.Close()
	return d.Pack, nil
}

// An artifact has what the folder has, and the same folder gives the same one.
func TestMake(t *testing.T) {
	dir := folder(t)
	key := filepath.Join(t.TempDir(), "key")
	if _, err := pack.NewKey("example.org", key); err != nil {
		t.Fatal(err)
	}
	want, err := pack.Sign(dir, key)
	if err != nil {
		t.Fatal(err)
	}
	l, _ := layout(t)
	first, err := l.Make(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := take(t, l)
	if err != nil || got.Digest != want.Digest || got.Signer != want.Signer {
		t.Errorf("it came back as %s of %q, %v", got.Digest, got.Signer, err)
	}
	if err := os.Chtimes(filepath.Join(dir, "run"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	again, _ := layout(t)
	if second, err := again.Make(dir); err != nil || second.Digest != first.Digest {
		t.Errorf("it is %s and %s, %v", first.Digest, second.Digest, err)
	}
	if err := errors.Join(os.Remove(filepath.Join(dir, pack.SignatureFile)), os.WriteFile(filepath.Join(dir, ".wh.run"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	other, _ := layout(t)
	if _, err := other.Make(dir); err == nil || !strings.Contains(err.Error(), "means something else") {
		t.Errorf("it says %v", err)
	}
}

// tarred makes an archive of entries that an honest tool would not write.
func tarred(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	w := tar.NewWriter(z)
	for _, h := range entries {
		h.Mode |= 0o644
		text := manifestText
		if h.Typeflag == tar.TypeReg && h.Name != "ambit.json" {
			text = strings.Repeat("x", int(h.Size))
		}
		if h.Typeflag == tar.TypeReg {
			h.Size = int64(len(text))
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Typeflag == tar.TypeReg {
			if _, err := w.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

var ambitJSON = tar.Header{Name: "ambit.json", Typeflag: tar.TypeReg}

// put writes a blob into a layout.
func put(t *testing.T, l artifact.Layout, d artifact.Descriptor, blob []byte) artifact.Descriptor {
	t.Helper()
	if err := l.Put(d, bytes.NewReader(blob)); err != nil {
		t.Fatal(err)
	}
	return d
}

// of makes a layout of layers, after edit has changed its manifest.
func of(t *testing.T, edit func(*artifact.Manifest), layers ...[]byte) (artifact.Layout, string) {
	t.Helper()
	l, dir := layout(t)
	m := artifact.Manifest{SchemaVersion: 2, MediaType: artifact.ManifestType, ArtifactType: artifact.Type}
	m.Config = put(t, l, artifact.Describe("application/vnd.oci.empty.v1+json", []byte("{}")), []byte("{}"))
	for _, blob := range layers {
		m.Layers = append(m.Layers, put(t, l, artifact.Describe(layerType, blob), blob))
	}
	if edit != nil {
		edit(&m)
	}
	text, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.End(put(t, l, artifact.Describe(artifact.ManifestType, text), text)); err != nil {
		t.Fatal(err)
	}
	return l, dir
}

// TestLayers: what a hostile layer has is not written, whatever the layer before it
// had.
func TestLayers(t *testing.T) {
	file := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg, Size: 1} }
	base := tarred(t, ambitJSON, file("lib/a"))
	for name, second := range map[string][]tar.Header{
		"up":                      {file("../x")},
		"absolute":                {file("/tmp/x")},
		"through a link":          {{Name: "l", Typeflag: tar.TypeSymlink, Linkname: "/tmp"}, file("l/x")},
		"a hard link":             {{Name: "l", Typeflag: tar.TypeLink, Linkname: "ambit.json"}},
		"a hard link out":         {{Name: "l", Typeflag: tar.TypeLink, Linkname: "/etc/passwd"}},
		"a device":                {{Name: "d", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}},
		"a disk":                  {{Name: "d", Typeflag: tar.TypeBlock, Devmajor: 8}},
		"a whiteout":              {file("lib/.wh.a")},
		"an opaque whiteout":      {file("lib/.wh..wh..opq")},
		"a whiteout as a folder":  {{Name: ".wh.lib/", Typeflag: tar.TypeDir}},
		"a whiteout as a device":  {{Name: "lib/a", Typeflag: tar.TypeChar}},
		"a whiteout, not clean":   {file("lib/.wh.a/.")},
		"the manifest once more":  {ambitJSON},
		"a file of another layer": {file("lib/a")},
		"a file over a folder":    {file("lib")},
		"a link over a folder":    {{Name: "lib", Typeflag: tar.TypeSymlink, Linkname: "."}},
	} {
		t.Run(name, func(t *testing.T) {
			l, _ := of(t, nil, base, tarred(t, second...))
			if p, err := take(t, l); err == nil {
				t.Errorf("it was taken: %v", p.Tree)
			}
		})
	}
	l, _ := of(t, nil, base, tarred(t, tar.Header{Name: "lib/", Typeflag: tar.TypeDir}, file("lib/b")))
	if p, err := take(t, l); err != nil || len(p.Tree) != 4 {
		t.Errorf("honest layers: %v %v", p.Tree, err)
	}
}

// TestManifests: a manifest that is not a pack's is refused, and one that leads to
// other blobs than it says.
func TestManifests(t *testing.T) {
	base := tarred(t, ambitJSON)
	for name, tc := range map[string]struct {
		edit func(*artifact.Manifest)
		why  string
	}{
		"a container image":        {func(m *artifact.Manifest) { m.ArtifactType = "" }, "it is no pack"},
		"another artifact":         {func(m *artifact.Manifest) { m.ArtifactType = "application/vnd.example+json" }, "it is no pack"},
		"Docker's manifest":        {func(m *artifact.Manifest) { m.MediaType = "application/vnd.docker.distribution.manifest.v2+json" }, "media type"},
		"an older one":             {func(m *artifact.Manifest) { m.SchemaVersion = 1 }, "media type"},
		"another layer's type":     {func(m *artifact.Manifest) { m.Layers[0].MediaType = "application/zip" }, "media type"},
		"zstd":                     {func(m *artifact.Manifest) { m.Layers[0].MediaType = "application/vnd.oci.image.layer.v1.tar+zstd" }, "media type"},
		"no layers":                {func(m *artifact.Manifest) { m.Layers = nil }, "0 layers"},
		"many layers":              {func(m *artifact.Manifest) { m.Layers = make([]artifact.Descriptor, 1000) }, "1000 layers"},
		"a larger size":            {func(m *artifact.Manifest) { m.Layers[0].Size++ }, "does not have the"},
		"a smaller size":           {func(m *artifact.Manifest) { m.Layers[0].Size-- }, "does not have the"},
		"no size":                  {func(m *artifact.Manifest) { m.Layers[0].Size = -1 }, "-1 bytes"},
		"a huge size":              {func(m *artifact.Manifest) { m.Layers[0].Size = 1 << 62 }, "bytes"},
		"huge sizes":               {func(m *artifact.Manifest) { m.Layers[0].Size, m.Config.Size = pack.MaxBytes, pack.MaxBytes }, "more than"},
		"another kind of digest":   {func(m *artifact.Manifest) { m.Layers[0].Digest = "md5:d41d8cd98f00b204e9800998ecf8427e" }, "only SHA-256"},
		"a path for a digest":      {func(m *artifact.Manifest) { m.Layers[0].Digest = "sha256:../../../../etc/passwd" }, "only SHA-256"},
		"a blob that is not there": {func(m *artifact.Manifest) { m.Layers[0].Digest = "sha256:" + strings.Repeat("0", 64) }, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			l, _ := of(t, tc.edit, base)
			if _, err := take(t, l); err == nil || !strings.Contains(err.Error(), tc.why) {
				t.Errorf("it says %v", err)
			}
		})
	}
}

// TestBlobs: a layout's files are what they are named, and files.
func TestBlobs(t *testing.T) {
	blobs := filepath.Join("blobs", "sha256")
	other := tarred(t, ambitJSON, tar.Header{Name: "evil", Typeflag: tar.TypeReg, Size: 1})
	layerOf := func(t *testing.T, l artifact.Layout) string {
		_, m, err := l.Manifest()
		if err != nil {
			t.Fatal(err)
		}
		return filepath.Join(blobs, strings.TrimPrefix(m.Layers[0].Digest, "sha256:"))
	}
	for name, tc := range map[string]struct {
		change func(t *testing.T, dir, layer string) error
		why    string
	}{
		"another layer": {func(_ *testing.T, dir, layer string) error {
			return os.WriteFile(filepath.Join(dir, layer), other, 0o600)
		}, "the blob"},
		"another one, as long and as good": {func(_ *testing.T, dir, layer string) error {
			blob, err := os.ReadFile(filepath.Join(dir, layer))
			if err != nil {
				return err
			}
			blob[4]++ // a time in gzip's head, which says nothing of the content
			return os.WriteFile(filepath.Join(dir, layer), blob, 0o600)
		}, "has another digest"},
		"a byte behind it": {func(_ *testing.T, dir, layer string) error {
			f, err := os.OpenFile(filepath.Join(dir, layer), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.Write([]byte{0})
			return errors.Join(err, f.Close())
		}, "does not have the"},
		"a link to a blob": {func(t *testing.T, dir, layer string) error {
			outside := filepath.Join(t.TempDir(), "layer")
			return errors.Join(os.Rename(filepath.Join(dir, layer), outside), os.Symlink(outside, filepath.Join(dir, layer)))
		}, "is not a file"},
		"a pipe": {func(_ *testing.T, dir, layer string) error {
			return errors.Join(os.Remove(filepath.Join(dir, layer)), unix.Mkfifo(filepath.Join(dir, layer), 0o600))
		}, "is not a file"},
		"two packs":   {func(_ *testing.T, dir, _ string) error { return index(dir, 2) }, "2 packs"},
		"none":        {func(_ *testing.T, dir, _ string) error { return index(dir, 0) }, "0 packs"},
		"no index":    {func(_ *testing.T, dir, _ string) error { return os.Remove(filepath.Join(dir, "index.json")) }, "index.json"},
		"a large one": {func(_ *testing.T, dir, _ string) error { return os.Truncate(filepath.Join(dir, "index.json"), 2<<20) }, "too large"},
		"a later version": {func(_ *testing.T, dir, _ string) error {
			return os.WriteFile(filepath.Join(dir, archive.LayoutFile), []byte(`{"imageLayoutVersion":"2.0.0"}`), 0o600)
		}, "nothing that is understood"},
	} {
		t.Run(name, func(t *testing.T) {
			l, dir := of(t, nil, tarred(t, ambitJSON))
			if _, err := take(t, l); err != nil {
				t.Fatal("before:", err)
			}
			if err := tc.change(t, dir, layerOf(t, l)); err != nil {
				t.Fatal(err)
			}
			if _, err := take(t, l); err == nil || !strings.Contains(err.Error(), tc.why) {
				t.Errorf("it says %v", err)
			}
		})
	}
}

// index has the index of a layout list its manifest a number of times.
func index(dir string, times int) error {
	path := filepath.Join(dir, "index.json")
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var x artifact.Index
	if err := json.Unmarshal(text, &x); err != nil {
		return err
	}
	d := x.Manifests[0]
	x.Manifests = nil
	for range times {
		x.Manifests = append(x.Manifests, d)
	}
	if text, err = json.Marshal(x); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// TestBombs: what is small and becomes large ends where the bound is.
func TestBombs(t *testing.T) {
	var headers bytes.Buffer
	z, err := gzip.NewWriterLevel(&headers, gzip.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	w := tar.NewWriter(z)
	for range pack.MaxFiles + 1 {
		if err := w.WriteHeader(&tar.Header{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o755}); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	l, _ := of(t, nil, tarred(t, ambitJSON), headers.Bytes())
	if _, err := take(t, l); err == nil || !strings.Contains(err.Error(), "more than 50000 files") {
		t.Errorf("it says %v", err)
	}
}

// FuzzManifest: whatever a manifest says, what is taken for a pack's is within the
// bounds and names blobs by digests alone.
func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"mediaType":"` + artifact.ManifestType + `","artifactType":"` + artifact.Type + `","layers":[{}]}`))
	f.Add([]byte(`{"manifests":[{"mediaType":"` + artifact.ManifestType + `"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		all := []artifact.Descriptor{}
		if m, err := artifact.ParseManifest(text); err == nil {
			all = append(append(all, m.Config), m.Layers...)
		}
		if d, err := artifact.ParseIndex(text); err == nil {
			all = append(all, d)
		}
		for _, d := range all {
			if d.Size < 0 || d.Size > pack.MaxBytes || !fs.ValidPath(d.Digest) || strings.ContainsAny(d.Digest, "/.") {
				t.Errorf("%+v", d)
			}
		}
	})
}
