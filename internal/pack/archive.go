package pack

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
)

// Export writes a pack's folder as an archive (tar, gzip). The same pack gives the
// same bytes: there is no time, no owner and no order of a disk in it.
func Export(dir string, to io.Writer) (p Pack, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return p, err
	}
	defer root.Close() //nolint:errcheck // it was read, or every write of it was checked
	if p, err = read(root); err != nil {
		return p, err
	}
	entries := slices.Clone(p.Tree)
	if p.Signer != "" {
		entries = append(entries, Entry{Path: SignatureFile, Mode: 0o644})
	}
	z := gzip.NewWriter(to)
	w := tar.NewWriter(z)
	for _, e := range entries {
		if err := export(w, root, e); err != nil {
			return p, err
		}
	}
	return p, errors.Join(w.Close(), z.Close())
}

func export(w *tar.Writer, root *os.Root, e Entry) error {
	h := &tar.Header{Name: e.Path, Mode: int64(plain(e.Mode)), Format: tar.FormatPAX}
	switch {
	case e.Mode.IsDir():
		h.Typeflag, h.Name = tar.TypeDir, e.Path+"/"
	case e.Mode&fs.ModeSymlink != 0:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.Target
	default:
		text, err := readBounded(root, e.Path, MaxBytes)
		if err != nil {
			return err
		}
		h.Typeflag, h.Size = tar.TypeReg, int64(len(text))
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	}
	return w.WriteHeader(h)
}

// plain is the mode that an entry has in every pack: who may write to it, and
// anything that is special, is not the author's to say.
func plain(m fs.FileMode) fs.FileMode {
	if m.IsDir() || m.Perm()&0o111 != 0 {
		return 0o755
	}
	return 0o644
}

// extract writes an archive beneath root, which is empty.
//
// Security: names and sizes are the archive's author's. A name is clean and
// within; os.Root follows no link out of it, and nothing that was written is
// written again; only files, folders and links within are made.
func extract(archive io.Reader, root *os.Root) error {
	in := bufio.NewReader(archive)
	if head, _ := in.Peek(2); bytes.Equal(head, []byte{0x1f, 0x8b}) { // shorter than that is no archive either
		z, err := gzip.NewReader(in)
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		defer z.Close() //nolint:errcheck // it was read, or every write of it was checked
		in = bufio.NewReader(z)
	}
	x := extraction{root: root, room: MaxBytes}
	for t := tar.NewReader(in); ; {
		h, err := t.Next()
		if err == io.EOF && x.count > 0 {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the archive: %w", err)
		}
		if err := x.write(h, t); err != nil {
			return err
		}
	}
}

type extraction struct {
	root  *os.Root
	room  int64 // how many bytes may still come
	count int
}

func (x *extraction) write(h *tar.Header, content io.Reader) error {
	name := strings.TrimPrefix(strings.TrimSuffix(h.Name, "/"), "./")
	if name == "" || name == "." || name == gitDir || strings.HasPrefix(name, gitDir+"/") {
		return nil
	}
	if !fs.ValidPath(name) {
		return fmt.Errorf("the archive has the name %q, which is not within it", h.Name)
	}
	x.count++
	if err := roomFor(x.count, name); err != nil {
		return err
	}
	if err := x.root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return x.root.MkdirAll(name, 0o755)
	case tar.TypeSymlink:
		if err := within(name, h.Linkname); err != nil {
			return err
		}
		return x.root.Symlink(h.Linkname, name)
	case tar.TypeReg:
		return x.file(name, plain(h.FileInfo().Mode()), content)
	}
	return fmt.Errorf("the archive has %q, which is neither a file, a folder nor a link", h.Name)
}

func (x *extraction) file(name string, mode fs.FileMode, content io.Reader) error {
	f, err := x.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	n, err := io.Copy(f, io.LimitReader(content, x.room+1))
	if x.room -= n; err == nil && x.room < 0 {
		err = tooLarge()
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// copyTree writes what is in a folder beneath another, which is empty.
func copyTree(from *os.Root, tree []Entry, to *os.Root) error {
	x := extraction{root: to, room: MaxBytes}
	for _, e := range tree {
		var err error
		switch {
		case e.Mode.IsDir():
			err = to.MkdirAll(e.Path, 0o755)
		case e.Mode&fs.ModeSymlink != 0:
			err = to.Symlink(e.Target, e.Path)
		default:
			err = x.copy(from, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *extraction) copy(from *os.Root, e Entry) error {
	f, err := from.Open(e.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	return x.file(e.Path, plain(e.Mode), f)
}
