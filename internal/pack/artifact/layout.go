package artifact

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"ambit.dev/ambit/internal/pack"
	"ambit.dev/ambit/internal/pack/archive"
)

// The files of a layout.
const (
	indexFile = "index.json"
	blobsDir  = "blobs/sha256"
)

const layoutText = `{"imageLayoutVersion":"1.0.0"}`

// A Layout is a folder with one artifact in it, as the OCI image layout says.
type Layout struct{ root *os.Root }

// In is the layout in a folder.
func In(root *os.Root) Layout { return Layout{root} }

// Manifest reads the manifest of the pack that a layout has, and what leads to it.
func (l Layout) Manifest() (Descriptor, Manifest, error) {
	none := Descriptor{}
	text, err := l.read(archive.LayoutFile)
	if err != nil {
		return none, Manifest{}, err
	}
	var version struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := json.Unmarshal(text, &version); err != nil || version.Version != "1.0.0" {
		return none, Manifest{}, fmt.Errorf("%s says nothing that is understood", archive.LayoutFile)
	}
	if text, err = l.read(indexFile); err != nil {
		return none, Manifest{}, err
	}
	d, err := ParseIndex(text)
	if err != nil {
		return d, Manifest{}, err
	}
	if text, err = l.Bytes(d); err != nil {
		return d, Manifest{}, err
	}
	m, err := ParseManifest(text)
	return d, m, err
}

// Bytes reads a small blob, and checks it.
func (l Layout) Bytes(d Descriptor) ([]byte, error) {
	if d.Size > MaxManifest {
		return nil, fmt.Errorf("the blob %s is too large for what it is", d.Digest)
	}
	f, err := l.Open(d)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var b strings.Builder
	err = d.Verify(f, &b)
	return []byte(b.String()), err
}

// Open opens a blob. Nothing of it is checked yet.
func (l Layout) Open(d Descriptor) (*os.File, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	return l.file(path.Join(blobsDir, strings.TrimPrefix(d.Digest, "sha256:")))
}

// Unpack writes what a pack's layers have.
//
// Security: a layer is checked while it is unpacked. Where this is an error, what
// was written is not the pack.
func (l Layout) Unpack(m Manifest, w *pack.Writer) error {
	for _, d := range m.Layers {
		if err := l.layer(d, w); err != nil {
			return err
		}
	}
	return nil
}

func (l Layout) layer(d Descriptor, w *pack.Writer) error {
	f, err := l.Open(d)
	if err != nil {
		return err
	}
	defer f.Close()
	checked, layer := io.Pipe()
	unpacked := make(chan error, 1)
	go func() {
		err := archive.ReadLayer(checked, w)
		if err == nil { // what stands behind the archive belongs to the blob
			_, err = io.Copy(io.Discard, checked)
		}
		_ = checked.CloseWithError(err) // whoever writes is told why
		unpacked <- err
	}()
	err = d.Verify(f, layer)
	_ = layer.CloseWithError(err) // a pipe in memory
	if failed := <-unpacked; failed != nil {
		return failed
	}
	return err
}

func (l Layout) read(name string) ([]byte, error) {
	f, err := l.file(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, MaxManifest+1))
	if err == nil && len(text) > MaxManifest {
		err = fmt.Errorf("%s is too large", name)
	}
	return text, err
}

// file opens a file, and nothing else: a pipe would never be read to its end.
func (l Layout) file(name string) (*os.File, error) {
	info, err := l.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is not a file", name)
	}
	return l.root.Open(name)
}

// Begin writes what every layout has, into a folder that is empty.
func (l Layout) Begin() error {
	return errors.Join(l.root.MkdirAll(blobsDir, 0o755), l.root.WriteFile(archive.LayoutFile, []byte(layoutText), 0o644))
}

// Put writes a blob that is described already, and checks it.
func (l Layout) Put(d Descriptor, blob io.Reader) error {
	if err := d.check(); err != nil {
		return err
	}
	f, err := l.root.OpenFile(path.Join(blobsDir, strings.TrimPrefix(d.Digest, "sha256:")), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, os.ErrExist) {
		return nil // the same blob stands twice in a manifest; it was checked
	}
	if err != nil {
		return err
	}
	return errors.Join(d.Verify(blob, f), f.Close())
}

// End writes the index, which leads to the manifest.
func (l Layout) End(d Descriptor) error {
	text, err := encode(Index{SchemaVersion: 2, MediaType: IndexType, Manifests: []Descriptor{d}})
	if err != nil {
		return err
	}
	return l.root.WriteFile(indexFile, text, 0o644)
}

// Make writes the artifact of a pack's folder into a layout that was begun.
func (l Layout) Make(dir string) (Descriptor, error) {
	none := Descriptor{}
	p, layer, err := l.makeLayer(dir)
	if err != nil {
		return none, err
	}
	for _, e := range p.Tree {
		if archive.Whiteout(e.Path) {
			return none, fmt.Errorf("%q has a name that means something else in an OCI layer", e.Path)
		}
	}
	config := Describe(emptyType, empty)
	config.Data = empty
	text, err := encode(Manifest{SchemaVersion: 2, MediaType: ManifestType, ArtifactType: Type, Config: config, Layers: []Descriptor{layer},
		Annotations: map[string]string{"org.opencontainers.image.title": p.Manifest.ID, "org.opencontainers.image.version": p.Manifest.Version}})
	if err != nil {
		return none, err
	}
	d := Describe(ManifestType, text)
	d.ArtifactType = Type
	for _, blob := range [][]byte{empty, text} {
		if err := l.Put(Describe("", blob), strings.NewReader(string(blob))); err != nil {
			return none, err
		}
	}
	return d, l.End(d)
}

// makeLayer writes the archive of a pack under the name of its digest, which is
// known when it is written.
func (l Layout) makeLayer(dir string) (p pack.Pack, d Descriptor, err error) {
	draft := path.Join(blobsDir, "layer") // in the same folder: a confined process moves no file to another
	f, err := l.root.OpenFile(draft, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return p, d, err
	}
	h := sha256.New()
	if p, err = archive.Write(dir, io.MultiWriter(h, f)); err != nil {
		return p, d, errors.Join(err, f.Close())
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return p, d, err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	d = Descriptor{MediaType: gzipType, Digest: "sha256:" + sum, Size: info.Size()}
	return p, d, l.root.Rename(draft, path.Join(blobsDir, sum))
}
