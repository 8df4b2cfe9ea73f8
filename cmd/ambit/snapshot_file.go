package main

import (
	"bufio"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// snapshotFormat is the version of the file: one line of JSON, its seal, and the
// parts behind it.
const snapshotFormat = 1

// snapshotKey, in the state, seals snapshots: whoever reads one believes what is in
// it, so it is taken only from this installation's own hand.
const snapshotKey = "snapshot.key"

// maxHead bounds the first line, and maxPart a part.
const (
	maxHead = 4 << 20
	maxPart = 64 << 30
)

// A snapshotHead says what a snapshot is of, and how it is begun again.
type snapshotHead struct {
	Format  int            `json:"format"`
	Session string         `json:"session"`
	Tier    string         `json:"tier"`
	Plan    string         `json:"plan"` // samePlan's digest
	Flags   snapshotFlags  `json:"flags"`
	Argv    []string       `json:"argv"`
	Dir     string         `json:"dir"`           // where ambit run was
	Env     []string       `json:"env,omitempty"` // of the program
	Parts   []snapshotPart `json:"parts"`
	Seal    string         `json:"seal,omitempty"` // over all of the above
}

// snapshotFlags are those of ambit run that a plan depends on.
type snapshotFlags struct {
	Pack    string   `json:"pack,omitempty"`
	Home    string   `json:"home,omitempty"`
	Watch   string   `json:"watch,omitempty"`
	Allow   []string `json:"allow,omitempty"`
	Deny    []string `json:"deny,omitempty"`
	Volumes []string `json:"volumes,omitempty"`
	Env     []string `json:"env,omitempty"`
	Limits  []string `json:"limits,omitempty"`
}

type snapshotPart struct {
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// samePlan is the digest of what has to be equal for a snapshot to go on: the plan
// without what each session has for itself, and which objects of the host it shows.
func samePlan(p enforce.Plan) string {
	p.Session, p.Program.Env = "", nil
	sum := sha256.New()
	_, _ = sum.Write(p.Text()) // a hash takes everything
	for _, e := range p.View {
		_, _ = fmt.Fprintf(sum, "%q %d %d\n", e.Path, e.Dev, e.Ino)
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil))
}

// seal is the head's seal by a key.
func (h snapshotHead) seal(key []byte) (string, error) {
	h.Seal = ""
	text, err := json.Marshal(h)
	if err != nil {
		return "", err
	}
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(text) // as above
	return hex.EncodeToString(mac.Sum(nil)), nil
}

// readSnapshotKey reads the key, and makes one if there is none and it is wanted.
func (a *app) readSnapshotKey(create bool) ([]byte, error) {
	dir, err := a.makeState()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, snapshotKey)
	key, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && create {
		fresh := make([]byte, sha256.Size)
		_, _ = rand.Read(fresh) // it never fails
		// It is made aside and linked: two that make it come to one key.
		aside, err := os.CreateTemp(dir, ".snapshot-key-")
		if err != nil {
			return nil, fmt.Errorf("make the key of snapshots: %w", err)
		}
		defer os.Remove(aside.Name()) //nolint:errcheck // its other name stays
		_, err = aside.Write(fresh)
		if err = errors.Join(err, aside.Sync(), aside.Close()); err == nil {
			if err = os.Link(aside.Name(), path); errors.Is(err, fs.ErrExist) {
				err = nil
			}
		}
		if err != nil {
			return nil, fmt.Errorf("make the key of snapshots: %w", err)
		}
		key, err = os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("read the key of snapshots: %w", err)
		}
	} else if err != nil {
		return nil, fmt.Errorf("read the key of snapshots: %w", err)
	}
	if len(key) != sha256.Size {
		return nil, fmt.Errorf("the key of snapshots in %s is damaged", path)
	}
	return key, nil
}

// measured are the parts of a snapshot.
func measured(parts []*os.File) (all []snapshotPart, err error) {
	for _, f := range parts {
		sum := sha256.New()
		fi, err := f.Stat()
		if err != nil {
			return nil, err
		}
		n, err := io.Copy(sum, io.NewSectionReader(f, 0, fi.Size()))
		if err != nil {
			return nil, err
		}
		all = append(all, snapshotPart{n, hex.EncodeToString(sum.Sum(nil))})
	}
	return all, nil
}

// writeSnapshot makes the file, whole or not at all. It is for this user alone: it
// has the memory of the programs in it.
func writeSnapshot(path string, head *os.File, parts []*os.File) (err error) {
	out, err := os.CreateTemp(filepath.Dir(path), ".snapshot-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(out.Name()) // it may have its name already
		}
	}()
	for i, f := range append([]*os.File{head}, parts...) {
		fi, err := f.Stat()
		if err == nil {
			_, err = io.Copy(out, io.NewSectionReader(f, 0, fi.Size()))
		}
		if i == 0 && err == nil {
			_, err = out.WriteString("\n")
		}
		if err != nil {
			return errors.Join(err, out.Close())
		}
	}
	if err := errors.Join(out.Sync(), out.Close()); err != nil {
		return err
	}
	return unix.Renameat2(unix.AT_FDCWD, out.Name(), unix.AT_FDCWD, path, unix.RENAME_NOREPLACE)
}

// readSnapshot reads a file, into memory that nobody else has.
//
// Security: nothing of it is used before its seal was found to be that of this
// installation's key; what is handed on is the copy whose digests were compared,
// and not the file, which may change.
func (a *app) readSnapshot(path string) (h snapshotHead, parts []*os.File, err error) {
	defer func() {
		if err != nil {
			closeAll(parts)
		}
	}()
	f, err := os.Open(path)
	if err != nil {
		return h, nil, err
	}
	defer f.Close()
	r := bufio.NewReaderSize(f, 64<<10)
	line, err := readLine(r)
	if err != nil {
		return h, nil, fmt.Errorf("%s is not a snapshot: %w", path, err)
	}
	if err := json.Unmarshal(line, &h); err != nil || h.Format != snapshotFormat {
		return h, nil, fmt.Errorf("%s is not a snapshot of this version of ambit", path)
	}
	key, err := a.readSnapshotKey(false)
	if err != nil {
		return h, nil, err
	}
	want, err := h.seal(key)
	if err != nil {
		return h, nil, err
	}
	if !hmac.Equal([]byte(want), []byte(h.Seal)) {
		return h, nil, fmt.Errorf("%s was not made by this user's ambit, or was changed since", path)
	}
	for i, p := range h.Parts {
		part, err := copyPart(r, p)
		if err != nil {
			return h, parts, fmt.Errorf("part %d of %s: %w", i+1, path, err)
		}
		parts = append(parts, part)
	}
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		return h, parts, fmt.Errorf("there is more in %s than its snapshot", path)
	}
	return h, parts, nil
}

// readLine reads the first line, up to its bound.
func readLine(r *bufio.Reader) (line []byte, err error) {
	for {
		piece, err := r.ReadSlice('\n')
		line = append(line, piece...)
		switch {
		case len(line) > maxHead:
			return nil, errors.New("its first line is too long")
		case errors.Is(err, bufio.ErrBufferFull):
		case err != nil:
			return nil, errors.New("it has no first line")
		default:
			return line, nil
		}
	}
}

// copyPart copies a part and compares its digest.
func copyPart(r io.Reader, p snapshotPart) (*os.File, error) {
	if p.Size < 0 || p.Size > maxPart {
		return nil, fmt.Errorf("it has %d bytes", p.Size)
	}
	fd, err := unix.MemfdCreate("snapshot", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f, sum := os.NewFile(uintptr(fd), "snapshot"), sha256.New()
	_, err = io.CopyN(io.MultiWriter(f, sum), r, p.Size)
	if errors.Is(err, io.EOF) {
		err = errors.New("it was cut off")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if hex.EncodeToString(sum.Sum(nil)) != p.SHA256 {
		return nil, errors.Join(errors.New("it was changed"), f.Close())
	}
	return f, nil
}
