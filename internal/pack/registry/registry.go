// Package registry fetches the artifacts of packs from OCI registries and pushes
// them there.
//
// Invariants:
//
//   - What was fetched is what the reference led to at one time: the manifest is read
//     once, and everything else by the digests in it.
//   - Registries are spoken to by TLS; without it on this machine's loopback alone.
//   - No error repeats a credential.
//
// Layer: in ambit-pack, beside ambit; it imports the package artifact.
package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"ambit.dev/ambit/internal/pack/artifact"
)

// Config says how registries are spoken to.
type Config struct {
	Credentials string            // a file as Docker keeps it; it need not be there
	Transport   http.RoundTripper // nil: the usual one
}

// A client speaks to the registry of one reference.
type client struct {
	ref     name.Reference
	keys    *keychain
	options []remote.Option
}

// open reads a reference. It names the registry, and a tag or a digest: what is left
// out would be somebody's default.
func (c Config) open(ctx context.Context, text string) (*client, error) {
	ref, err := name.ParseReference(text, name.StrictValidation)
	if err != nil || text[0] == '.' { // which no host's name begins with, and paths do
		return nil, fmt.Errorf("the reference %q is not understood: want REGISTRY/NAME:TAG or REGISTRY/NAME@sha256:DIGEST", text)
	}
	keys, err := readKeychain(c.Credentials)
	if err != nil {
		return nil, err
	}
	t := c.Transport
	if t == nil {
		t = &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second,
			ResponseHeaderTimeout: time.Minute, DialContext: (&net.Dialer{Timeout: 30 * time.Second}).DialContext}
	}
	return &client{ref, keys, []remote.Option{remote.WithContext(ctx), remote.WithAuthFromKeychain(keys),
		remote.WithTransport(encrypted{t}), remote.WithUserAgent("ambit"), remote.WithJobs(1)}}, nil
}

// explain says what a person can do about an error of the registry's.
func (c *client) explain(what string, err error) error {
	var refused *transport.Error
	if errors.As(err, &refused) && (refused.StatusCode == http.StatusUnauthorized || refused.StatusCode == http.StatusForbidden) {
		return fmt.Errorf("%s %s: the registry refuses it (%d)%s", what, c.ref, refused.StatusCode, c.keys.hint(c.ref.Context().RegistryStr()))
	}
	return fmt.Errorf("%s %s: %w", what, c.ref, err)
}

// Fetch writes the pack that a reference leads to into a layout, and answers with
// the reference of exactly that.
func (c Config) Fetch(ctx context.Context, ref string, to artifact.Layout) (exact string, err error) {
	cl, err := c.open(ctx, ref)
	if err != nil {
		return "", err
	}
	if err := to.Begin(); err != nil {
		return "", err
	}
	d, err := cl.fetch(to)
	if err != nil {
		return "", cl.explain("fetch", err)
	}
	return cl.ref.Context().Digest(d.Digest).String(), to.End(d)
}

func (c *client) fetch(to artifact.Layout) (artifact.Descriptor, error) {
	text, err := c.manifest(c.ref)
	if err != nil {
		return artifact.Descriptor{}, err
	}
	m, err := artifact.ParseManifest(text)
	if d, e := artifact.ParseIndex(text); err != nil && e == nil { // it is a list, of which one is the pack
		if text, err = c.manifest(c.ref.Context().Digest(d.Digest)); err == nil {
			m, err = artifact.ParseManifest(text)
		}
	}
	d := artifact.Describe(artifact.ManifestType, text)
	d.ArtifactType = artifact.Type
	if err != nil {
		return d, err
	}
	for _, blob := range append([]artifact.Descriptor{m.Config}, m.Layers...) {
		if err := c.blob(blob, to); err != nil {
			return d, err
		}
	}
	return d, to.Put(d, bytes.NewReader(text))
}

// manifest fetches one.
//
// Security: where a digest was asked for, this is what has it. The library leaves
// that to the registry for some media types, and its type is the registry's word.
func (c *client) manifest(ref name.Reference) ([]byte, error) {
	got, err := remote.Get(ref, c.options...)
	switch {
	case err != nil:
		return nil, err
	case len(got.Manifest) > artifact.MaxManifest:
		return nil, errors.New("its manifest is too large")
	}
	if want, ok := ref.(name.Digest); ok && artifact.Describe("", got.Manifest).Digest != want.DigestStr() {
		return nil, fmt.Errorf("the registry answers %s with another manifest", want.DigestStr())
	}
	return got.Manifest, nil
}

func (c *client) blob(d artifact.Descriptor, to artifact.Layout) error {
	l, err := remote.Layer(c.ref.Context().Digest(d.Digest), c.options...)
	if err != nil {
		return err
	}
	r, err := l.Compressed()
	if err != nil {
		return err
	}
	defer r.Close()
	return to.Put(d, r)
}

// Push uploads the pack of a layout, and answers with the reference of exactly that.
func (c Config) Push(ctx context.Context, ref string, from artifact.Layout) (exact string, err error) {
	cl, err := c.open(ctx, ref)
	if err != nil {
		return "", err
	}
	if _, ok := cl.ref.(name.Digest); ok {
		return "", fmt.Errorf("%s names what is there already; a pack is pushed to a tag", cl.ref)
	}
	d, m, err := from.Manifest()
	if err != nil {
		return "", err
	}
	text, err := from.Bytes(d)
	if err != nil {
		return "", err
	}
	for _, blob := range append([]artifact.Descriptor{m.Config}, m.Layers...) {
		if err := remote.WriteLayer(cl.ref.Context(), layer{blob, from}, cl.options...); err != nil {
			return "", cl.explain("push", err)
		}
	}
	if err := remote.Put(cl.ref, document(text), cl.options...); err != nil {
		return "", cl.explain("push", err)
	}
	return cl.ref.Context().Digest(d.Digest).String(), nil
}

// layer is a blob of a layout, as the library wants it.
type layer struct {
	artifact.Descriptor
	from artifact.Layout
}

func (l layer) Digest() (v1.Hash, error)             { return v1.NewHash(l.Descriptor.Digest) }
func (l layer) DiffID() (v1.Hash, error)             { return l.Digest() }
func (l layer) Compressed() (io.ReadCloser, error)   { return l.from.Open(l.Descriptor) }
func (l layer) Uncompressed() (io.ReadCloser, error) { return l.Compressed() }
func (l layer) Size() (int64, error)                 { return l.Descriptor.Size, nil }
func (l layer) MediaType() (types.MediaType, error) {
	return types.MediaType(l.Descriptor.MediaType), nil
}

// document is a manifest, as the library wants it.
type document []byte

func (d document) RawManifest() ([]byte, error)        { return d, nil }
func (d document) MediaType() (types.MediaType, error) { return artifact.ManifestType, nil }

// encrypted refuses what is not: the library tries a registry in a private network
// without TLS as well.
type encrypted struct{ http.RoundTripper }

func (e encrypted) RoundTrip(r *http.Request) (*http.Response, error) {
	host := r.URL.Hostname()
	if addr := net.ParseIP(host); r.URL.Scheme != "https" && host != "localhost" && (addr == nil || !addr.IsLoopback()) {
		return nil, fmt.Errorf("%s would be spoken to without encryption", host)
	}
	return e.RoundTripper.RoundTrip(r)
}
