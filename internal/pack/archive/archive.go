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
	"path"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/core/manifest"
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

// WriteFolder writes the files and folders beneath root, which is no pack, as an
// archive (tar).
func WriteFolder(root *os.Root, to io.Writer) error {
	w := tar.NewWriter(to)
	err := fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		mode := fs.FileMode(0o644)
		if d.IsDir() {
			mode = fs.ModeDir | 0o755
		}
		return write(w, root, pack.Entry{Path: name, Mode: mode})
	})
	return errors.Join(err, w.Close())
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

// maxStream bounds what an archive has when it is unpacked: the files, and the
// headers of as many as there may be.
const maxStream = pack.MaxBytes + pack.MaxFiles*8<<10

// Read writes what an archive has (tar, or tar with gzip).
func Read(archive io.Reader, w *pack.Writer) error {
	return each(archive, maxStream, func(h *tar.Header, content io.Reader) error { return put(w, h, content) })
}

// whiteout begins the names by which a layer of an OCI image takes away what one
// beneath it has.
const whiteout = ".wh."

// Whiteout reports whether a name is one.
func Whiteout(name string) bool { return strings.HasPrefix(path.Base(name), whiteout) }

// ReadLayer is Read for one of several layers. A pack's layers lie side by side:
// none takes away or replaces what another has.
func ReadLayer(archive io.Reader, w *pack.Writer) error {
	return each(archive, maxStream, func(h *tar.Header, content io.Reader) error {
		if Whiteout(path.Clean(h.Name)) {
			return fmt.Errorf("the layer has %q, which takes away what other layers have", h.Name)
		}
		return put(w, h, content)
	})
}

// IsLayout reports whether an archive has an OCI layout in it, and no pack.
func IsLayout(archive io.Reader) (yes bool, err error) {
	err = each(archive, maxStream, func(h *tar.Header, _ io.Reader) error {
		switch strings.TrimPrefix(h.Name, "./") {
		case manifest.File, manifest.ForeignFile:
			return io.EOF
		case LayoutFile:
			yes = true
			return io.EOF
		}
		return nil
	})
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return yes, err
}

// LayoutFile is what every OCI layout has.
const LayoutFile = "oci-layout"

// each does something with each entry, until that says otherwise.
//
// Security: what is unpacked is bounded before anything looks at it: headers that
// nobody counts come to an end too.
func each(archive io.Reader, bound int64, do func(h *tar.Header, content io.Reader) error) error {
	in := bufio.NewReader(archive)
	if head, _ := in.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) { // shorter than that is no archive either
		z, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		defer z.Close() //nolint:errcheck // it was read
		in = bufio.NewReader(z)
	}
	bounded := &io.LimitedReader{R: in, N: bound}
	for t := tar.NewReader(bounded); ; {
		h, err := t.Next()
		switch {
		case err == io.EOF:
			return nil
		case err != nil && bounded.N == 0:
			return fmt.Errorf("the archive has more than %d bytes", bound)
		case err != nil:
			return fmt.Errorf("read the archive: %w", err)
		}
		if err := do(h, t); err != nil {
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
