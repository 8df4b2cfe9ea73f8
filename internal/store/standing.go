package store

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"syscall"

	"ambit.dev/ambit/internal/core/grant"
)

// Opening SQLite for one small query is the longest thing that a launch does for
// itself. So whoever has read the store leaves what stands in a file beside it,
// and the next launch reads that, for as long as the store has not changed.
//
// Security: such a copy must never allow what the store does not.
//
//   - Stale: it names the content that it was read from by a fingerprint of the
//     store's file, see there. Any other content, and a change that is going on
//     or was broken off, has the store itself asked. A revocation that has
//     returned has changed the fingerprint, so no later launch sees the grant.
//   - Mixed: it is written only if the fingerprint was the same before the store
//     was opened and after it was closed, so that nothing changed in between.
//   - Forged: whoever can write it can write the store, which lies in the same
//     folder with the same mode; one that is not this user's own is not read.
//   - Damaged: its first line is a digest of the rest. It is no signature; it
//     is for the disk, since nobody waits for this file.
//
// The second line is the fingerprint, each further one a grant as JSON: most
// stores are empty, and then no reader of JSON has to be made ready.
//
// Whatever does not fit is no error: the store is asked, and says what is wrong.
const standingMark = "ambit standing grants 2 "

// MaxStanding is how many grants such a copy has at most; with more the index of
// the store is quicker.
const MaxStanding = 1000

func standingPath(store string) string { return store + ".standing" }

// Standing answers what (*Store).Grants would, without opening the store, if it
// has this Fingerprint. Where it does not know, ok is false and the store has to
// be asked.
//
// Security: the fingerprint is taken now, by whoever calls. One that goes on to
// compare it later misses no change since this answer.
//
// A process that has the store open in SQLite must not call it: closing a file
// gives up the locks that the process has on it (fcntl(2)). A launcher has not.
func Standing(path, now, principal, pack string) (all []grant.Grant, ok bool) {
	if now == "" {
		return nil, false
	}
	text, err := readOwn(standingPath(path))
	if err != nil {
		return nil, false
	}
	first, rest, _ := strings.Cut(string(text), "\n")
	of, rest, whole := strings.Cut(rest, "\n")
	if !whole || of != now || first != standingLine(text[len(first)+1:]) {
		return nil, false
	}
	for line := range strings.Lines(rest) {
		g, err := readStanding(line)
		if err != nil {
			return nil, false
		}
		if g.Principal == principal && g.Pack == pack {
			all = append(all, g)
		}
	}
	return all, true
}

// readStanding reads one line, strictly.
func readStanding(line string) (grant.Grant, error) {
	var r Row
	d := json.NewDecoder(strings.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return grant.Grant{}, err
	}
	if r.Revoked.Valid {
		return grant.Grant{}, errors.New("it is revoked")
	}
	return r.Grant()
}

func standingLine(rest []byte) string {
	sum := sha256.Sum256(rest)
	return standingMark + hex.EncodeToString(sum[:])
}

// Stamp tells a change of the store at path from outside, without opening it: it
// may be called while this process has the store open. A change that follows
// another one at once may keep it.
func Stamp(path string) string {
	info, err := os.Lstat(path)
	if err != nil {
		return ""
	}
	return identity(info)
}

// Fingerprint names what the store at path holds: while it stays the same, the
// grants do. It is "" where that cannot be told from outside, as during a change.
//
// Security: in a store without a write-ahead log every change writes into the
// file itself, counts one up in its header (sqlite.org/fileformat.html, 1.3.5)
// and moves its times; a change by other means moves the times, and that of the
// inode cannot be set. While a change is going on, and after one that was broken
// off, there is a journal. It is looked for last, so that a header that was
// being written is not taken for a change that is done.
func Fingerprint(path string) string {
	c, err := Inspect(path, GrantsFormat)
	if err != nil || c.Version != GrantsFormat.Version {
		return ""
	}
	for _, suffix := range []string{"-journal", "-wal"} {
		if _, err := os.Lstat(path + suffix); !errors.Is(err, os.ErrNotExist) {
			return ""
		}
	}
	return c.print
}

// printOf is the fingerprint that the header of a file and its inode make.
func printOf(header [100]byte, info os.FileInfo) string {
	const noLog = 1 // how to read and to write it: not by a write-ahead log
	if header[18] != noLog || header[19] != noLog {
		return ""
	}
	if id := identity(info); id != "" {
		return id + " " + hex.EncodeToString(header[:])
	}
	return ""
}

// Leave writes the file for a store that has this fingerprint: all is what stands
// in it. It may fail: the next launch asks the store.
func Leave(path, fingerprint string, all []grant.Grant) {
	text := []byte(fingerprint + "\n")
	for _, g := range all {
		r := RowOf(g)
		line, err := json.Marshal(r)
		if err != nil || !r.plain() {
			return // JSON would change it
		}
		text = append(append(text, line...), '\n')
	}
	temp := standingPath(path) + ".new-" + rand.Text()[:8]
	err := os.WriteFile(temp, append([]byte(standingLine(text)+"\n"), text...), 0o600)
	if err == nil {
		err = os.Rename(temp, standingPath(path))
	}
	if err != nil {
		_ = os.Remove(temp) // it may not be there
	}
}

// readOwn reads a file that nobody else can have written.
func readOwn(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Mode().Perm()&0o022 != 0 || !own(info) {
		return nil, errors.New("it is not only this user's")
	}
	return io.ReadAll(f)
}
