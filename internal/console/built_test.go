package console_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What is embedded was built from the sources that are there, and not changed since.
func TestBuilt(t *testing.T) {
	noted, err := os.ReadFile("dist/BUILD")
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("sources %s\nfiles %s\n", sum(t, "../../console", "node_modules"), sum(t, "dist", "BUILD"))
	if string(noted) != want {
		t.Errorf("internal/console/dist does not belong to console/: run make console.\nnoted:\n%sfound:\n%s", noted, want)
	}
}

// sum is the digest that console/stamp.mjs makes: of a line for each file, with its
// digest and its name, in the order of the names' bytes.
func sum(t *testing.T, dir, leave string) string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.Name() == leave && d.IsDir():
			return fs.SkipDir
		case d.IsDir() || d.Name() == leave:
			return nil
		}
		name, err = filepath.Rel(dir, name)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	slices.Sort(names)
	var all strings.Builder
	for _, name := range names {
		content, readErr := os.ReadFile(filepath.Join(dir, name))
		err = errors.Join(err, readErr)
		fmt.Fprintf(&all, "%s  %s\n", digest(content), name)
	}
	if err != nil {
		t.Fatal(err)
	}
	return digest([]byte(all.String()))
}

func digest(content []byte) string {
	d := sha256.Sum256(content)
	return hex.EncodeToString(d[:])
}
