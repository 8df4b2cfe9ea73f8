// Package audittest makes of logs what a machine may leave of them, for tests of those
// who read them.
package audittest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// anotherBoot is the id of a boot that no machine has.
const anotherBoot = "00000000-0000-4000-8000-000000000000"

// Lose makes of the log in dir what is left of it after its machine stopped before the
// last commit was on the disk: that is gone, and the head file was signed in another
// boot. The last commit has to be one that was not waited for (AppendSoon), in the first
// segment.
func Lose(dir string) error {
	if err := signElsewhere(dir); err != nil {
		return err
	}
	name := filepath.Join(dir, "00000001.log")
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	end := bytes.LastIndex(text, []byte("\n{\"head\":"))
	before := bytes.LastIndex(text[:max(end, 0)], []byte("\n{\"head\":"))
	if before < 0 {
		return errors.New("the log has no two commits")
	}
	kept := before + 1 + bytes.IndexByte(text[before+1:], '\n') + 1
	return os.Truncate(name, int64(kept))
}

// signElsewhere signs the head file as one of another boot.
func signElsewhere(dir string) error {
	key, err := os.ReadFile(filepath.Join(dir, "key"))
	if err != nil {
		return err
	}
	private, _, _ := strings.Cut(string(key), "\n") // the public one is behind it
	signer, err := note.NewSigner(private)
	if err != nil {
		return err
	}
	name := filepath.Join(dir, "head")
	was, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	text, _, _ := strings.Cut(string(was), "\n\n")
	lines := strings.Split(text, "\n")
	ahead, _, ok := strings.Cut(strings.TrimPrefix(lines[len(lines)-1], "unsynced "), " ")
	if len(lines) != 4 || !ok {
		return fmt.Errorf("the last commit was waited for: %q", text)
	}
	lines[3] = "unsynced " + ahead + " " + anotherBoot
	signed, err := note.Sign(&note.Note{Text: strings.Join(lines, "\n") + "\n"}, signer)
	if err != nil {
		return err
	}
	signed = append(signed, bytes.Repeat([]byte("\n"), max(len(was)-len(signed), 0))...)
	return os.WriteFile(name, signed, 0o600)
}
