// Package pack keeps packs: it reads them from folders and archives, tells one
// content from another, checks who signed it, and remembers which folder an id
// belongs to.
//
// A pack says who it is; anybody can write the same. What was granted to an id
// belongs to one folder, or to what one signer signs, and the Index says to which.
//
// Invariants:
//
//   - The digest of a pack is over everything in it but its signature, so that a
//     pack with the same digest has the same content.
//   - A pack is installed whole or not at all: written elsewhere, read back,
//     synced, then renamed.
//   - What is read from an archive is written beneath one folder. Links that lead
//     out of it, devices, and what is larger or more than the bounds are errors.
//   - An index that cannot be understood is an error, never an empty one.
//
// Layer: it imports internal/core only, and decides nothing.
package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"ambit.dev/ambit/internal/core/manifest"
)

// Bounds of a pack.
const (
	MaxFiles = 50_000
	MaxBytes = 1 << 30 // of all files together
	maxDepth = 64      // of folders
)

// A Pack is a folder with a manifest, as it was read.
type Pack struct {
	Manifest manifest.Manifest // as it is written: unresolved
	Digest   string            // of the content: "sha256:" and hexadecimal digits
	Signer   string            // key of who signed it; "" if nobody did
	Tree     []Entry
	// Handovers are what keys have said of who signs it after them.
	Handovers []Handover
}

// Read reads a pack, all of it. A signature that is there and does not hold is an
// error.
func Read(dir string) (Pack, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Pack{}, err
	}
	defer root.Close() //nolint:errcheck // it was read, or every write of it was checked
	return read(root)
}

func read(root *os.Root) (p Pack, err error) {
	if p.Manifest, err = readManifest(root); err != nil {
		return p, err
	}
	if p.Tree, err = list(root); err != nil {
		return p, err
	}
	p.Digest = digest(p.Tree)
	statements, err := readHandoverFile(root)
	if err == nil {
		p.Handovers, err = parseHandovers(statements, p.Manifest.ID)
	}
	if err != nil {
		return p, fmt.Errorf("%s: %w", HandoverFile, err)
	}
	text, err := readBounded(root, SignatureFile, maxSignature)
	if errors.Is(err, fs.ErrNotExist) {
		return p, nil
	}
	if err != nil {
		return p, err
	}
	if p.Signer, err = verify(text, p); err != nil {
		return p, fmt.Errorf("%s: %w", SignatureFile, err)
	}
	return p, nil
}

// maxManifest bounds the manifest's file.
const maxManifest = 1 << 20

func readManifest(root *os.Root) (manifest.Manifest, error) {
	for _, name := range []string{manifest.File, manifest.ForeignFile} {
		text, err := readBounded(root, name, maxManifest)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return manifest.Manifest{}, err
		}
		return manifest.Parse(name, text)
	}
	return manifest.Manifest{}, fmt.Errorf("it is not a pack: it has neither %s nor %s", manifest.File, manifest.ForeignFile)
}
