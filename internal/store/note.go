package store

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A line is added to a file for a small part of what opening SQLite takes. So
// sessions are noted in such a file beside the list, one line when they begin to
// last and one when they end, and whoever opens the list takes them in. Both hold
// the lock of that file; what was taken in and not yet cut off, because a process
// ended in between, changes nothing the second time.

// maxNotes is the length of the file from which on it should be taken in.
const maxNotes = 256 << 10

// Noted is a line of the file: words as Go quotes them, so that a program's path
// may be of any bytes, and numbers.
type Noted struct {
	Session
	Process string // what process the session's PID is
}

func (n *Noted) words() []*string {
	return []*string{&n.ID, &n.Principal, &n.Pack, &n.Digest, &n.Program, &n.Tier, &n.Status, &n.Process}
}

func (n *Noted) append(b []byte) []byte {
	for _, w := range n.words() {
		b = append(strconv.AppendQuote(b, *w), ' ')
	}
	for _, v := range []int64{int64(n.PID), number(n.Started), number(n.Ended)} {
		b = append(strconv.AppendInt(b, v, 10), ' ')
	}
	return append(b, '.') // a line that was cut off has none
}

// parseNote reads a line, strictly.
func parseNote(line string) (n Noted, ok bool) {
	for _, w := range n.words() {
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			return n, false
		}
		if *w, err = strconv.Unquote(quoted); err != nil {
			return n, false
		}
		line = strings.TrimPrefix(line[len(quoted):], " ")
	}
	var pid, started, ended int64
	if _, err := fmt.Sscanf(line, "%d %d %d .", &pid, &started, &ended); err != nil {
		return n, false
	}
	n.PID, n.Started, n.Ended = int(pid), fromNumber(started), fromNumber(ended)
	return n, n.whole()
}

// number is a time in nanoseconds since 1970, 0 for none.
func number(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNumber(v int64) time.Time { return Moment{v, v != 0}.Time() }

func notesPath(list string) string { return list + ".notes" }

// Note keeps a session in the list at path, without opening it: one that has
// begun, whose end is to follow, or one that has ended, whether its begin was
// noted or not. It outlives the end of the process, as all that the list keeps.
// What process its PID is, is noted with one that has begun, so that another one
// with that PID is not taken for it later.
//
// full says that there are many notes, and that somebody should TakeIn.
func Note(path string, n Session) (full bool, err error) {
	size, err := addNote(notesPath(path), n)
	if err != nil {
		return false, fmt.Errorf("note session %q in %q: %w", n.ID, notesPath(path), err)
	}
	return size >= maxNotes, nil
}

// addNote adds a line and returns how long the file is then.
func addNote(path string, n Session) (size int64, err error) {
	line := Noted{Session: n}
	if n.Status == "" && n.Ended.IsZero() {
		line.Status, line.Process = Running, ProcessOf(n.PID)
	}
	if !line.whole() {
		return 0, errors.New("it needs an id, and when it has ended a time and a status")
	}
	f, err := openNotes(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// Between two newlines: what a full disk left of another's line stays apart.
	if _, err := f.Write(append(line.append([]byte{'\n'}), '\n')); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// whole reports whether a line can be taken in.
func (n Noted) whole() bool {
	return n.ID != "" && n.Status != "" && n.Ended.IsZero() == (n.Status == Running)
}

// openNotes opens the file and locks it. Closing it gives the lock up.
//
// Security: as with the list itself, one that others may write is refused. A
// link in its place is not followed.
func openNotes(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errors.New("it is not a file")
	case info.Mode().Perm()&0o022 != 0:
		err = fmt.Errorf("others may write it (mode %#o); chmod 600 it if nobody has", info.Mode().Perm())
	default:
		for {
			if err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
				break
			}
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// TakeNotes has what was noted beside the list at path kept in it, and takes it
// away then. Another one that takes or notes waits meanwhile.
func TakeNotes(list string, keep func([]Noted) error) (err error) {
	path := notesPath(list)
	f, err := openNotes(path, os.O_RDWR)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%q: %w", path, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	text, err := io.ReadAll(f)
	if err != nil || len(text) == 0 {
		return err
	}
	if err := keep(readNotes(text)); err != nil {
		return err
	}
	return f.Truncate(0)
}

// readNotes reads the lines of the file. One that is not whole was being
// written when the disk was full or the host stopped, and nobody was told that
// it is kept.
func readNotes(text []byte) (all []Noted) {
	for line := range strings.Lines(string(text)) {
		if n, ok := parseNote(line); ok {
			all = append(all, n)
		}
	}
	return all
}
