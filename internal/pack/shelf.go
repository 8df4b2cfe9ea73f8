package pack

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ambit.dev/ambit/internal/statefile"
)

// A Shelf is the folder that installed packs lie in, each in one of its own that
// is named by its digest.
type Shelf struct{ dir string }

// At is the shelf in a folder, which need not be there.
func At(dir string) Shelf { return Shelf{dir} }

// Folder is where the pack with a digest lies, if it is there.
func (s Shelf) Folder(digest string) string {
	return filepath.Join(s.dir, strings.Replace(digest, ":", "-", 1))
}

const draftPrefix = ".new-"

// A Draft is a pack that was copied or unpacked, and is not installed yet.
type Draft struct {
	Pack
	dir   string
	shelf Shelf
}

// Spool makes an empty folder on the shelf, for what is on its way, and has it used.
func (s Shelf) Spool(use func(dir string) error) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(s.dir, draftPrefix)
	if err != nil {
		return err
	}
	return errors.Join(use(dir), os.RemoveAll(dir))
}

// Draft makes a folder of its own on the shelf, has it filled, and reads the pack
// in it back. Close removes what Keep has not put into its place.
//
// Security: whoever fills the folder may have done it for somebody hostile: what is
// believed is what is read back.
func (s Shelf) Draft(fill func(dir string) error) (d *Draft, err error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(s.dir, draftPrefix)
	if err != nil {
		return nil, err
	}
	d = &Draft{dir: dir, shelf: s}
	if err = fill(dir); err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err == nil {
		d.Pack, err = Read(dir)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Copy writes a pack's folder, with its signature, into another one, which is empty.
func Copy(dir, into string) error {
	to, err := os.OpenRoot(into)
	if err != nil {
		return err
	}
	defer to.Close() //nolint:errcheck // every write was checked
	from, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer from.Close()                            //nolint:errcheck // it was read, or every write of it was checked
	if _, err := readManifest(from); err != nil { // or a home would be copied first
		return err
	}
	tree, err := list(from)
	if err != nil {
		return err
	}
	if err := copyTree(from, tree, to); err != nil {
		return err
	}
	text, err := readBounded(from, SignatureFile, maxSignature)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return to.WriteFile(SignatureFile, text, 0o644)
}

// Keep puts the pack into its place, durably, and answers that.
func (d *Draft) Keep() (folder string, err error) {
	folder = d.shelf.Folder(d.Digest)
	there, err := Read(folder)
	switch {
	case err == nil && there.Digest == d.Digest && there.Signer == d.Signer:
		return folder, nil // by an earlier installation, which may have ended in the middle
	case !errors.Is(err, fs.ErrNotExist):
		// It was changed where it lies, or is signed otherwise. Who runs it has it open.
		if err := os.RemoveAll(folder); err != nil {
			return "", err
		}
	}
	if err := syncTree(d.dir, d.Tree); err != nil {
		return "", err
	}
	if err := os.Rename(d.dir, folder); err != nil {
		return "", err
	}
	d.dir = ""
	return folder, statefile.SyncDir(d.shelf.dir)
}

// syncTree makes the names of a tree durable; its files are.
func syncTree(dir string, tree []Entry) error {
	for _, e := range tree {
		if e.Mode.IsDir() {
			if err := statefile.SyncDir(filepath.Join(dir, filepath.FromSlash(e.Path))); err != nil {
				return err
			}
		}
	}
	return statefile.SyncDir(dir)
}

// Leave leaves the draft on the shelf: Close removes nothing any more.
func (d *Draft) Leave() { d.dir = "" }

// Close removes what was not kept.
func (d *Draft) Close() error {
	if d.dir == "" {
		return nil
	}
	return os.RemoveAll(d.dir)
}

// Unused reports whether an entry of the shelf is of no use to the packs that are
// installed: one of none of them, or a draft that nobody finished.
func Unused(e fs.DirEntry, folder string, installed []Owner, now time.Time) bool {
	if strings.HasPrefix(e.Name(), draftPrefix) {
		info, err := e.Info()
		return err == nil && now.Sub(info.ModTime()) > 24*time.Hour
	}
	return strings.HasPrefix(e.Name(), "sha256-") && !slices.ContainsFunc(installed, func(o Owner) bool { return o.Folder == folder })
}

// Verify reads an installed pack anew, and says if it is another than was
// installed.
func (s Shelf) Verify(o Owner) (Pack, error) {
	p, err := Read(o.Folder)
	switch {
	case err != nil:
		return p, err
	case p.Digest != o.Digest:
		return p, fmt.Errorf("%q was changed since it was installed: its digest is %s, and was %s", o.Folder, p.Digest, o.Digest)
	case o.Signer != "" && p.Signer != o.Signer:
		return p, fmt.Errorf("the signature of %q is gone or another's", o.Folder)
	}
	return p, nil
}
