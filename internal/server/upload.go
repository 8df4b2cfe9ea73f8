package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// Bounds of what is uploaded: of one part, of one archive, of how many there are and
// for how long nobody may go on with one.
const (
	maxPart     = 1 << 20
	maxUpload   = 64 << 20
	maxUploads  = 4
	uploadLasts = 15 * time.Minute
)

// uploads is where archives are put together: a file each, named by its id and by
// whose it is.
func (s *Server) uploads() string { return filepath.Join(s.cfg.State, "host", "uploads") }

// uploadFile is the file of an upload. Its name is made of nothing that a caller
// writes but lower-case letters and digits.
//
// Security: it has the caller in it, so that nobody else's id leads to it.
func (s *Server) uploadFile(caller Caller, id string) (string, error) {
	word, ok := strings.CutPrefix(id, "u-")
	if !ok || word == "" || len(word) > 32 || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return "", notFound("upload", id)
	}
	return filepath.Join(s.uploads(), id+"-"+whose(caller)), nil
}

func (s packs) UploadPack(ctx context.Context, r *connect.Request[pb.UploadPackRequest]) (*connect.Response[pb.UploadPackResponse], error) {
	m := r.Msg
	if len(m.GetData()) == 0 || len(m.GetData()) > maxPart {
		return nil, invalid("data: expected some, and at most 1 MiB")
	}
	id := m.GetUpload()
	s.uploading.Lock()
	defer s.uploading.Unlock()
	if id == "" {
		id = "u-" + strings.ToLower(rand.Text())
		if err := s.beginUpload(ctx, r.Spec().Procedure, id); err != nil {
			return nil, failure(err)
		}
	}
	size, err := s.addPart(callerOf(ctx), id, m)
	if err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.UploadPackResponse{Upload: id, Size: size}), nil
}

// beginUpload makes the file of an upload, where there is room for one, and records
// who began it.
func (s *Server) beginUpload(ctx context.Context, procedure, id string) error {
	if err := os.MkdirAll(s.uploads(), 0o700); err != nil {
		return err
	}
	all, err := os.ReadDir(s.uploads())
	if err != nil {
		return err
	}
	left := 0
	for _, e := range all {
		info, err := e.Info()
		if err == nil && s.cfg.Now().Sub(info.ModTime()) < uploadLasts {
			left++
		} else if err := os.Remove(filepath.Join(s.uploads(), e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if left >= maxUploads {
		return connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("%d archives are being uploaded already; each is forgotten %v after its last part", maxUploads, uploadLasts))
	}
	caller := callerOf(ctx)
	if err := s.recordCall(ctx, caller, procedure, "", []string{id}); err != nil {
		return err
	}
	file, err := s.uploadFile(caller, id)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// addPart adds what was sent to an upload, if it is the next of it.
func (s *Server) addPart(caller Caller, id string, m *pb.UploadPackRequest) (size int64, err error) {
	file, err := s.uploadFile(caller, id)
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
	case info.Size() != m.GetOffset():
		return 0, unmet(fmt.Sprintf("offset: the upload has %d bytes", info.Size()))
	case info.Size()+int64(len(m.GetData())) > maxUpload:
		return 0, connect.NewError(connect.CodeResourceExhausted, errors.New("an archive that is uploaded has at most 64 MiB; install a larger one from a path or a registry"))
	}
	n, err := f.Write(m.GetData())
	return info.Size() + int64(n), err
}

// An upload is an archive that was sent whole.
type upload struct{ path string }

// takeUpload has an upload for one use: nobody adds to it any more, and discard removes it.
func (s *Server) takeUpload(caller Caller, id string) (upload, error) {
	s.uploading.Lock()
	defer s.uploading.Unlock()
	file, err := s.uploadFile(caller, id)
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
