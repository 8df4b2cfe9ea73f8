package pack_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/pack"
)

const manifestText = `{"id": "org.example.words", "version": "1.0", "kind": "cli-tool", "entry": ["./run"]}`

// folder makes a pack with two files, a folder and a link.
func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, "ambit.json", manifestText, 0o644)
	put(t, dir, "run", "#!/bin/sh\necho words\n", 0o755)
	put(t, dir, "lib/a", "a", 0o600)
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("lib/a", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func put(t *testing.T, dir, name, text string, mode fs.FileMode) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir string) pack.Pack {
	t.Helper()
	p, err := pack.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Whatever somebody changes in a pack changes its digest; what is not in a pack
// does not.
func TestDigest(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(t *testing.T, dir string)
		same   bool
	}{
		"nothing":           {func(*testing.T, string) {}, true},
		"content":           {func(t *testing.T, dir string) { put(t, dir, "lib/a", "b", 0o600) }, false},
		"a program":         {func(t *testing.T, dir string) { put(t, dir, "lib/a", "a", 0o700) }, false},
		"another file":      {func(t *testing.T, dir string) { put(t, dir, "lib/b", "", 0o600) }, false},
		"another name":      {func(t *testing.T, dir string) { rename(t, dir, "lib/a", "lib/b") }, false},
		"an empty folder":   {func(t *testing.T, dir string) { remove(t, dir, "empty") }, false},
		"a link":            {func(t *testing.T, dir string) { remove(t, dir, "link"); link(t, dir, "lib", "link") }, false},
		"a file for a link": {func(t *testing.T, dir string) { remove(t, dir, "link"); put(t, dir, "link", "a", 0o644) }, false},
		"the manifest":      {func(t *testing.T, dir string) { put(t, dir, "ambit.json", manifestText+"\n", 0o644) }, false},
		"who may read":      {func(t *testing.T, dir string) { put(t, dir, "lib/a", "a", 0o644) }, true},
		"version control":   {func(t *testing.T, dir string) { put(t, dir, ".git/HEAD", "x", 0o644) }, true},
		"it further below":  {func(t *testing.T, dir string) { put(t, dir, "lib/.git/HEAD", "x", 0o644) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			before := read(t, dir)
			tc.change(t, dir)
			if after := read(t, dir); (after.Digest == before.Digest) != tc.same {
				t.Errorf("the digest was %s and is %s", before.Digest, after.Digest)
			}
		})
	}
}

func rename(t *testing.T, dir, from, to string) {
	t.Helper()
	if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, dir, target, name string) {
	t.Helper()
	if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

// What cannot be a pack is refused with a reason.
func TestReadRefuses(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(t *testing.T, dir string)
		why    string
	}{
		"no manifest":      {func(t *testing.T, dir string) { remove(t, dir, "ambit.json") }, "neither ambit.json nor aip.json"},
		"a linked one":     {func(t *testing.T, dir string) { rename(t, dir, "ambit.json", "m"); link(t, dir, "m", "ambit.json") }, "is not a file"},
		"a link out":       {func(t *testing.T, dir string) { link(t, dir, "../x", "lib/../out") }, "not in the pack"},
		"an absolute link": {func(t *testing.T, dir string) { link(t, dir, "/etc/passwd", "out") }, "not in the pack"},
		"a pipe": {func(t *testing.T, dir string) {
			if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
				t.Fatal(err)
			}
		}, "neither a file"},
		"too deep": {func(t *testing.T, dir string) { put(t, dir, strings.Repeat("d/", 70)+"f", "", 0o644) }, "deeper than"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t)
			tc.change(t, dir)
			if _, err := pack.Read(dir); err == nil || !strings.Contains(err.Error(), tc.why) {
				t.Errorf("it says %v", err)
			}
		})
	}
}

// A signature holds for what was signed by that key, and for nothing else.
func TestSign(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	public, err := pack.NewKey("example.org", key)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(t *testing.T) string {
		dir := folder(t)
		p, err := pack.Sign(dir, key)
		if err != nil || p.Signer != public {
			t.Fatal(p.Signer, err)
		}
		return dir
	}
	dir := signed(t)
	unsigned := read(t, folder(t))
	if p := read(t, dir); p.Signer != public || p.Digest != unsigned.Digest {
		t.Errorf("it was signed by %q, and has the digest %s", p.Signer, p.Digest)
	}
	other := filepath.Join(t.TempDir(), "key")
	otherPublic, err := pack.NewKey("example.org", other)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(t *testing.T, dir string){
		"content": func(t *testing.T, dir string) { put(t, dir, "lib/a", "b", 0o600) },
		"another id": func(t *testing.T, dir string) {
			put(t, dir, "ambit.json", strings.Replace(manifestText, "words", "verbs", 1), 0o644)
		},
		"another version": func(t *testing.T, dir string) {
			put(t, dir, "ambit.json", strings.Replace(manifestText, "1.0", "2.0", 1), 0o644)
		},
		"another key":  func(t *testing.T, dir string) { edit(t, dir, public, otherPublic) },
		"a digest":     func(t *testing.T, dir string) { edit(t, dir, "digest sha256:", "digest sha256:0") },
		"no signature": func(t *testing.T, dir string) { edit(t, dir, "\n\n—", "\n") },
		"empty":        func(t *testing.T, dir string) { put(t, dir, pack.SignatureFile, "", 0o644) },
		"a folder": func(t *testing.T, dir string) {
			remove(t, dir, pack.SignatureFile)
			put(t, dir, pack.SignatureFile+"/x", "", 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := signed(t)
			change(t, dir)
			if p, err := pack.Read(dir); err == nil {
				t.Errorf("it was signed by %q", p.Signer)
			}
		})
	}
	// Who has the pack may sign it anew, as themselves.
	if p, err := pack.Sign(dir, other); err != nil || p.Signer != otherPublic {
		t.Error(p.Signer, err)
	}
	if err := os.Chmod(key, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := pack.Sign(dir, key); err == nil || !strings.Contains(err.Error(), "read by others") {
		t.Errorf("a key that others may read signs: %v", err)
	}
}

func edit(t *testing.T, dir, from, to string) {
	t.Helper()
	path := filepath.Join(dir, pack.SignatureFile)
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), from) {
		t.Fatalf("%v, %s", err, text)
	}
	put(t, dir, pack.SignatureFile, strings.ReplaceAll(string(text), from, to), 0o644)
}
