// Package archive writes packs as archives (tar, gzip) and reads them.
//
// Invariants:
//
//   - The same pack gives the same bytes: there is no time, no owner and no order of
//     a disk in an archive.
//   - What is read is written by a pack.Writer, beneath one folder and within the
//     bounds of packs.
//
// Layer: in ambit-pack, beside ambit, where what is read can do no harm; it imports
// the package pack.
package archive

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/pack"
)

// Write writes a pack's folder as an archive.
func Write(dir string, to io.Writer) (p pack.Pack, err error) {
	if p, err = pack.Read(dir); err != nil {
		return p, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return p, err
	}
	defer root.Close() //nolint:errcheck // it was read
	entries := slices.Clone(p.Tree)
	if p.Signer != "" {
		entries = append(entries, pack.Entry{Path: pack.SignatureFile, Mode: 0o644})
	}
	z := gzip.NewWriter(to)
	w := tar.NewWriter(z)
	for _, e := range entries {
		if err := write(w, root, e); err != nil {
			return p, err
		}
	}
	return p, errors.Join(w.Close(), z.Close())
}

func write(w *tar.Writer, root *os.Root, e pack.Entry) error {
	h := &tar.Header{Name: e.Path, Mode: int64(pack.Plain(e.Mode)), Format: tar.FormatPAX}
	switch {
	case e.Mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, e.Path+"/"
	case e.Mode&fs.ModeSymlink != 0:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.Target
	default:
		return writeFile(w, root, h)
	}
	return w.WriteHeader(h)
}

func writeFile(w *tar.Writer, root *os.Root, h *tar.Header) error {
	f, err := root.Open(h.Name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h.Typeflag, h.Size = tar.TypeReg, info.Size()
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err = io.Copy(w, f) // one that grows meanwhile is an error of w's
	return err
}

// Read writes what an archive has (tar, or tar with gzip) beneath root, which is empty.
func Read(archive io.Reader, root *os.Root) error {
	in := bufio.NewReader(archive)
	if head, _ := in.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) { // shorter than that is no archive either
		z, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		defer z.Close() //nolint:errcheck // it was read
		in = bufio.NewReader(z)
	}
	w := pack.NewWriter(root)
	for t := tar.NewReader(in); ; {
		h, err := t.Next()
		if err == io.EOF && w.Count() > 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		if err := put(w, h, t); err != nil {
			return err
		}
	}
}

// put writes one entry.
func put(w *pack.Writer, h *tar.Header, content io.Reader) error {
	name := strings.TrimPrefix(strings.TrimSuffix(h.Name, "/"), "./")
	if name == "" {
		name = "." // "./" is the folder itself
	}
	switch h.Typeflag {
	case tar.TypeXGlobalHeader: // the commit's name, in what `git archive` writes
		return nil
	case tar.TypeDir:
		return w.Dir(name)
	case tar.TypeSymlink:
		return w.Link(name, h.Linkname)
	case tar.TypeReg:
		return w.File(name, h.FileInfo().Mode(), content)
	}
	return fmt.Errorf("the archive has %q, which is neither a file, a folder nor a link", h.Name)
}
