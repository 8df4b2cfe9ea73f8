// Package artifact makes packs into OCI artifacts and reads them: a manifest with a
// type of Ambit's own, and layers that are archives (tar, gzip).
//
// Invariants:
//
//   - A pack's artifact is the same bytes whoever makes it and when, so that its
//     digest is the pack's.
//   - Nothing is believed for its name or its place: a blob counts if its size and its
//     digest are those that led to it, and what leads to the first is checked
//     by whoever wanted it.
//   - Layers are unpacked within the bounds of packs, by a pack.Writer: none takes
//     away or replaces what another one has.
//
// Layer: in ambit-pack, beside ambit; it opens no connection. It imports the
// packages pack and archive.
package artifact

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"

	"ambit.dev/ambit/internal/pack"
)

// Types of what an artifact is made of.
const (
	Type         = "application/vnd.ambit.pack.v1" // of the artifact
	ManifestType = "application/vnd.oci.image.manifest.v1+json"
	IndexType    = "application/vnd.oci.image.index.v1+json"
	emptyType    = "application/vnd.oci.empty.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar"
	gzipType     = "application/vnd.oci.image.layer.v1.tar+gzip"
)

// Bounds of an artifact. A manifest may be no larger than what registries take.
const (
	MaxManifest = 1 << 20
	maxLayers   = 16
)

// A Descriptor says what a blob is.
type Descriptor struct {
	MediaType    string            `json:"mediaType"`
	ArtifactType string            `json:"artifactType,omitempty"`
	Digest       string            `json:"digest"`
	Size         int64             `json:"size"`
	Annotations  map[string]string `json:"annotations,omitempty"`
	Data         []byte            `json:"data,omitempty"`
}

// A Manifest is that of an artifact, as far as a pack has one.
type Manifest struct {
	SchemaVersion int               `json:"schemaVersion"`
	MediaType     string            `json:"mediaType"`
	ArtifactType  string            `json:"artifactType,omitempty"`
	Config        Descriptor        `json:"config"`
	Layers        []Descriptor      `json:"layers"`
	Annotations   map[string]string `json:"annotations,omitempty"`
}

// An Index lists manifests.
type Index struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType,omitempty"`
	Manifests     []Descriptor `json:"manifests"`
}

// empty is the blob that stands for a configuration where there is none.
var empty = []byte("{}")

// ParseManifest reads the manifest of a pack, and refuses any other. What it has
// beside is for others to read, and stays unread.
func ParseManifest(text []byte) (m Manifest, err error) {
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("the manifest is not understood: %w", err)
	}
	switch {
	case m.SchemaVersion != 2 || m.MediaType != ManifestType:
		return m, fmt.Errorf("it has the media type %q, and a pack is an OCI artifact (%s)", m.MediaType, ManifestType)
	case m.ArtifactType != Type:
		return m, fmt.Errorf("it is no pack: its artifact type is %q, not %s", m.ArtifactType, Type)
	case len(m.Layers) == 0 || len(m.Layers) > maxLayers:
		return m, fmt.Errorf("it has %d layers, and a pack has 1 to %d", len(m.Layers), maxLayers)
	}
	var size int64
	for _, d := range append([]Descriptor{m.Config}, m.Layers...) {
		if err := d.check(); err != nil {
			return m, err
		}
		if size += d.Size; size > pack.MaxBytes {
			return m, fmt.Errorf("it has more than %d MiB", pack.MaxBytes>>20)
		}
	}
	if m.Config.Size > MaxManifest {
		return m, errors.New("its configuration is too large")
	}
	for _, l := range m.Layers {
		if l.MediaType != layerType && l.MediaType != gzipType {
			return m, fmt.Errorf("it has a layer of the media type %q, and a pack's are %s, with gzip or without", l.MediaType, layerType)
		}
	}
	return m, nil
}

// ParseIndex reads an index, and answers with the one pack that it has.
func ParseIndex(text []byte) (Descriptor, error) {
	var x Index
	if err := json.Unmarshal(text, &x); err != nil {
		return Descriptor{}, fmt.Errorf("the index is not understood: %w", err)
	}
	var found []Descriptor
	for _, d := range x.Manifests {
		// Who wrote the index may have left the artifact's type to its manifest.
		if d.MediaType == ManifestType && (d.ArtifactType == Type || d.ArtifactType == "") {
			found = append(found, d)
		}
	}
	if len(found) != 1 {
		return Descriptor{}, fmt.Errorf("its index has %d packs, want one", len(found))
	}
	if found[0].Size > MaxManifest {
		return Descriptor{}, errors.New("its manifest is too large")
	}
	return found[0], found[0].check()
}

// digests are of the one kind that is computed here. Upper case would be another
// name of the same blob.
var digests = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

func (d Descriptor) check() error {
	if !digests.MatchString(d.Digest) {
		return fmt.Errorf("it has the digest %q, and only SHA-256 is understood", d.Digest)
	}
	if d.Size < 0 || d.Size > pack.MaxBytes {
		return fmt.Errorf("it has a blob of %d bytes, and a pack has %d MiB at most", d.Size, pack.MaxBytes>>20)
	}
	return nil
}

// Describe is the descriptor of a blob.
func Describe(mediaType string, blob []byte) Descriptor {
	sum := sha256.Sum256(blob)
	return Descriptor{MediaType: mediaType, Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(blob))}
}

// Verify reads a whole blob into to, and returns an error if it is not the one
// that is described. No more than it has is read.
//
// Security: what to did with it before counts for nothing where this is an error.
func (d Descriptor) Verify(blob io.Reader, to io.Writer) error {
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(h, to), io.LimitReader(blob, d.Size+1))
	switch got := "sha256:" + hex.EncodeToString(h.Sum(nil)); {
	case err != nil:
		return err
	case n != d.Size:
		return fmt.Errorf("the blob %s does not have the %d bytes that it should", d.Digest, d.Size)
	case got != d.Digest:
		return fmt.Errorf("the blob %s has another digest: %s", d.Digest, got)
	}
	return nil
}

// encode writes a document, the same each time.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}
