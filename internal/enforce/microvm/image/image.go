// Package image keeps what a machine is started from: a kernel, an initramfs with
// the guest's first program, and a read-only root file system. What makes these is
// the package build.
//
// An image is a folder that is named by the digest of what is in it, so that a
// changed one is another image. It is made aside and renamed: it is whole or absent.
//
// It starts no machine, and links nothing that reads or makes file systems: each
// run has it. Layer: beneath the microVM tier; it imports nothing of ours.
package image

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The files of an image.
const (
	kernelFile = "kernel"
	initFile   = "initrd"
	rootFile   = "root.erofs"
	namesFile  = "names" // paths that the root file system has
	aboutFile  = "image.json"
	// defaultFile lies beside the images and names the one that is used.
	defaultFile = "default"
)

// digested are the files that an image is named by.
var digested = []string{kernelFile, initFile, rootFile, namesFile}

// Image is one image. Its fields are in the order in which they are written.
type Image struct {
	ID       string            `json:"id"`
	Release  string            `json:"release"`  // of the kernel
	Parts    []string          `json:"parts"`    // as in an order
	Packages int               `json:"packages"` // of Debian, whose files it has
	Provides []string          `json:"provides"` // directories, and files of settings, that a guest has from it
	Digests  map[string]string `json:"digests"`  // SHA-256 of each file
	Size     int64             `json:"size"`     // of all of them

	Dir string `json:"-"`
}

// Kernel is the kernel's file.
func (i Image) Kernel() string { return filepath.Join(i.Dir, kernelFile) }

// Initrd is the file of the initramfs.
func (i Image) Initrd() string { return filepath.Join(i.Dir, initFile) }

// Root is the file of the root file system.
func (i Image) Root() string { return filepath.Join(i.Dir, rootFile) }

// Seal names a finished image by the digests of its files, and writes what it says
// of itself.
func (i *Image) Seal() error {
	i.Digests = map[string]string{}
	for _, f := range digested {
		sum, n, err := digest(filepath.Join(i.Dir, f))
		if err != nil {
			return err
		}
		i.Digests[f] = sum
		i.Size += n
	}
	i.ID = i.identity()
	text, err := json.MarshalIndent(i, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(i.Dir, aboutFile), append(text, '\n'), 0o400)
}

func (i *Image) identity() string {
	h := sha256.New()
	for _, f := range digested {
		fmt.Fprintf(h, "%s %s\n", f, i.Digests[f])
	}
	return hex.EncodeToString(h.Sum(nil))[:16]
}

func digest(path string) (sum string, n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer f.Close()
	h := sha256.New()
	n, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), n, err
}

// Keep moves a sealed image to its name, and makes it the one that is used. One
// that is there already stays.
func (i *Image) Keep(store string) error {
	to := filepath.Join(store, i.ID)
	if err := os.Rename(i.Dir, to); err != nil {
		if _, there := Open(store, i.ID); there != nil {
			return fmt.Errorf("keep the image: %w", err)
		}
	}
	i.Dir = to
	return Use(store, i.ID)
}

// Use makes an image the one that is used.
func Use(store, id string) error {
	tmp := filepath.Join(store, "."+defaultFile+"-"+id)
	if err := os.WriteFile(tmp, []byte(id+"\n"), 0o600); err != nil {
		return fmt.Errorf("name the image to use: %w", err)
	}
	if err := os.Rename(tmp, filepath.Join(store, defaultFile)); err != nil {
		return fmt.Errorf("name the image to use: %w", err)
	}
	return nil
}

// ErrNone says that there is no image yet.
var ErrNone = errors.New("there is no image yet: run `ambit image build`")

// Default opens the image that is used.
func Default(store string) (Image, error) {
	id, err := os.ReadFile(filepath.Join(store, defaultFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Image{}, ErrNone
	}
	if err != nil {
		return Image{}, fmt.Errorf("find the image to use: %w", err)
	}
	return Open(store, strings.TrimSpace(string(id)))
}

// Open reads what an image says of itself. Its files are what it was named by:
// they were made so and only this user can write them.
func Open(store, id string) (Image, error) {
	if !validID(id) {
		return Image{}, fmt.Errorf("%q is not the name of an image: want 16 hexadecimal digits", id)
	}
	dir := filepath.Join(store, id)
	text, err := os.ReadFile(filepath.Join(dir, aboutFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Image{}, fmt.Errorf("there is no image %s: `ambit image ls` lists those there are", id)
	}
	if err != nil {
		return Image{}, fmt.Errorf("open the image %s: %w", id, err)
	}
	var i Image
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&i); err != nil {
		return Image{}, fmt.Errorf("open the image %s: %w", id, err)
	}
	if i.Digests[namesFile] == "" {
		return Image{}, fmt.Errorf("the image %s was made by an older version: remove it with `ambit image rm %s` and build it anew", id, id)
	}
	if i.ID != id || i.identity() != id {
		return Image{}, fmt.Errorf("the image in %q says that it is another one: remove it with `ambit image rm %s`", dir, id)
	}
	i.Dir = dir
	return i, nil
}

func validID(id string) bool {
	b, err := hex.DecodeString(id)
	return err == nil && len(b) == 8 && strings.ToLower(id) == id
}

// List lists the images, by name.
func List(store string) (all []Image, err error) {
	entries, err := os.ReadDir(store)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list the images: %w", err)
	}
	for _, e := range entries {
		if !validID(e.Name()) {
			continue
		}
		i, err := Open(store, e.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, i)
	}
	slices.SortFunc(all, func(a, b Image) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// Remove removes an image and its templates. Machines that run keep what they
// have open.
func Remove(store, id string) error {
	if !validID(id) {
		return fmt.Errorf("%q is not the name of an image: want 16 hexadecimal digits", id)
	}
	dir := filepath.Join(store, id)
	if _, err := os.Lstat(dir); err != nil {
		return fmt.Errorf("there is no image %s: `ambit image ls` lists those there are", id)
	}
	if now, err := os.ReadFile(filepath.Join(store, defaultFile)); err == nil && strings.TrimSpace(string(now)) == id {
		if err := os.Remove(filepath.Join(store, defaultFile)); err != nil {
			return err
		}
	}
	// Renamed first: nobody opens half of it.
	aside := filepath.Join(store, ".old-"+id)
	if err := errors.Join(os.RemoveAll(aside), os.Rename(dir, aside)); err != nil {
		return fmt.Errorf("remove the image: %w", err)
	}
	return os.RemoveAll(aside)
}
