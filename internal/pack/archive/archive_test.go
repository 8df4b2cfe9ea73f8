package archive_test

import (
	"archive/tar"
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/pack"
	"ambit.dev/ambit/internal/pack/archive"
	"ambit.dev/ambit/internal/pack/archive/archivetest"
)

const manifestText = archivetest.Manifest

// folder makes a pack with a program, a folder and a link.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"ambit.json": manifestText, "run": "#!/bin/sh\n", "lib/a": "a"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("lib/a", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	return dir
}

// draft reads an archive as an installation does, but in this process.
func draft(shelf, file string) (*pack.Draft, error) {
	return pack.At(shelf).Draft(func(dir string) error {
		root, err := os.OpenRoot(dir)
		if err != nil {
			return err
		}
		defer root.Close()
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		defer f.Close()
		return archive.Read(f, pack.NewWriter(root))
	})
}

// An archive has what the folder has, and the same folder gives the same archive.
func TestExport(t *testing.T) {
	dir := folder(t)
	key := filepath.Join(t.TempDir(), "key")
	if _, err := pack.NewKey("example.org", key); err != nil {
		t.Fatal(err)
	}
	if _, err := pack.Sign(dir, key); err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	p, err := archive.Write(dir, &first)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(filepath.Join(dir, "run"), time.Unix(1, 0), time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Write(dir, &second); err != nil || !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Errorf("the archives differ, %v", err)
	}
	file := filepath.Join(t.TempDir(), "pack.tar.gz")
	if err := os.WriteFile(file, first.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := draft(filepath.Join(t.TempDir(), "shelf"), file)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if d.Digest != p.Digest || d.Signer != p.Signer || d.Manifest.ID != "org.example.words" {
		t.Errorf("it came back as %s of %q", d.Digest, d.Signer)
	}
}

// hostile makes one of entries that an honest tool would not write.
func hostile(t *testing.T, entries ...tar.Header) string {
	t.Helper()
	text, err := archivetest.Make(entries...)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "a.tgz")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// An archive cannot write out of its folder, nor bring what is no file.
func TestHostileArchives(t *testing.T) {
	shelf := filepath.Join(t.TempDir(), "shelf")
	outside := filepath.Join(filepath.Dir(shelf), "outside")
	if err := os.Mkdir(outside, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, entries := range archivetest.Hostile(outside) {
		t.Run(name, func(t *testing.T) {
			d, err := draft(shelf, hostile(t, entries...))
			if err == nil {
				t.Errorf("it was taken: %s", d.Digest)
				d.Close()
			}
			if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
				t.Errorf("it wrote outside: %v, %v", left, err)
			}
			if left, err := os.ReadDir(shelf); err != nil || len(left) > 0 {
				t.Errorf("it left %v, %v", left, err)
			}
		})
	}
	d, err := draft(shelf, hostile(t, tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "of git archive"}}, tar.Header{Name: ".git/config", Typeflag: tar.TypeReg, Size: 3},
		tar.Header{Name: "s", Typeflag: tar.TypeReg, Size: 3, Mode: 0o6755}))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	folder, err := d.Keep()
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(folder, "s")); err != nil || info.Mode() != 0o755 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	if _, err := os.Stat(filepath.Join(folder, ".git")); !os.IsNotExist(err) {
		t.Errorf("it has what its digest does not: %v", err)
	}
}

// A bomb ends where the bound is.
func TestBomb(t *testing.T) {
	text, err := archivetest.Bomb(pack.MaxFiles + 1)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "bomb.tgz")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := draft(t.TempDir(), file); err == nil || !strings.Contains(err.Error(), "more than 50000 files") {
		t.Errorf("it says %v", err)
	}
}
