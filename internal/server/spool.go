package server

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
)

// Bounds of what is sent in parts: of one part, of the whole, of how many there are and
// for how long nobody may go on with one.
const (
	maxPart     = 1 << 20
	maxUpload   = 64 << 20
	maxUploads  = 4
	maxFiles    = 16
	uploadLasts = 15 * time.Minute
)

// A spool is where what is sent in parts is put together: a file each, named by its id
// and by whose it is.
type spool struct {
	dir  string
	what string // it is, in words
	many int    // there may be
	now  func() time.Time

	mu sync.Mutex // held while its files change
}

// file is the file of an upload. Its name is made of nothing that a caller writes but
// lower-case letters and digits.
//
// Security: it has the owner in it, so that nobody else's id leads to it.
func (s *spool) file(id, owner string) (string, error) {
	word, ok := strings.CutPrefix(id, "u-")
	if !ok || word == "" || len(word) > 32 || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return "", notFound("upload", id)
	}
	return filepath.Join(s.dir, id+"-"+owner), nil
}

// A part is some of what is sent.
type part interface {
	GetUpload() string
	GetOffset() int64
	GetData() []byte
}

// take adds a part, to a new file where it is the first; begun is called with its id
// before it is made.
func (s *spool) take(owner string, p part, begun func(id string) error) (id string, size int64, err error) {
	if len(p.GetData()) > maxPart {
		return "", 0, invalid("data: at most 1 MiB")
	}
	id = p.GetUpload()
	s.mu.Lock()
	defer s.mu.Unlock()
	if id == "" {
		id = "u-" + strings.ToLower(rand.Text())
		if err := s.begin(id, owner, begun); err != nil {
			return "", 0, err
		}
	}
	size, err = s.add(owner, id, p)
	return id, size, err
}

// begin makes the file of an upload, where there is room for one.
func (s *spool) begin(id, owner string, begun func(id string) error) error {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	all, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	left := 0
	for _, e := range all {
		info, err := e.Info()
		if err == nil && s.now().Sub(info.ModTime()) < uploadLasts {
			left++
		} else if err := os.Remove(filepath.Join(s.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if left >= s.many {
		return connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("%d %ss are being uploaded already; each is forgotten %v after its last part", s.many, s.what, uploadLasts))
	}
	if err := begun(id); err != nil {
		return err
	}
	file, err := s.file(id, owner)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// add adds what was sent to an upload, if it is the next of it.
func (s *spool) add(owner, id string, p part) (size int64, err error) {
	file, err := s.file(id, owner)
	if err != nil {
		return 0, err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, notFound("upload", id)
	}
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	switch {
	case err != nil:
		return 0, err
	case info.Size() != p.GetOffset():
		return 0, unmet(fmt.Sprintf("offset: the upload has %d bytes", info.Size()))
	case info.Size()+int64(len(p.GetData())) > maxUpload:
		return 0, connect.NewError(connect.CodeResourceExhausted, errors.New("what is uploaded has at most 64 MiB: "+s.what))
	}
	n, err := f.Write(p.GetData())
	return info.Size() + int64(n), err
}

// An upload is something that was sent whole.
type upload struct{ path string }

// whole has an upload for one use: nobody adds to it any more, and discard removes it.
func (s *spool) whole(id, owner string) (upload, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	file, err := s.file(id, owner)
	if err != nil {
		return upload{}, err
	}
	aside := file + ".taken"
	if err := os.Rename(file, aside); errors.Is(err, fs.ErrNotExist) {
		return upload{}, notFound("upload", id)
	} else if err != nil {
		return upload{}, err
	}
	return upload{aside}, nil
}

// discard removes it. What stays is removed with what is too old.
func (u upload) discard() { _ = os.Remove(u.path) }
