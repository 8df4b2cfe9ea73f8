package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// files is the FileService: each call is a run of `ambit files`, which has a session's
// launcher walk the path inside.
type files struct{ *Server }

// A pathOf is a request about a path of a session.
type pathOf interface {
	GetSession() string
	GetPath() string
	GetRawPath() []byte
}

// pathIn is a path as a request has it.
func pathIn(r pathOf) (string, error) {
	name := r.GetPath()
	if raw := r.GetRawPath(); len(raw) > 0 {
		if name != "" {
			return "", invalid("path, raw_path: expected one of them")
		}
		name = string(raw)
	}
	switch {
	case !path.IsAbs(name):
		return "", invalid("path: expected an absolute one")
	case strings.ContainsRune(name, 0):
		return "", invalid("path: a text has a NUL in it")
	case len(name) >= 4096:
		return "", invalid("path: at most 4095 bytes")
	}
	return name, nil
}

// about is SESSION:PATH of a request, where the session runs and is the caller's.
func (s files) about(ctx context.Context, r pathOf) (string, error) {
	name, err := pathIn(r)
	if err != nil {
		return "", err
	}
	if err := s.reachable(ctx, callerOf(ctx).Principal, r.GetSession()); err != nil {
		return "", err
	}
	return r.GetSession() + ":" + name, nil
}

// refused is what `ambit files --json` prints where a file could not be had.
type refused struct {
	Errno int `json:"errno"`
}

var fileCodes = map[syscall.Errno]connect.Code{
	syscall.ENOENT: connect.CodeNotFound,
	syscall.EACCES: connect.CodePermissionDenied, syscall.EPERM: connect.CodePermissionDenied,
	syscall.EEXIST: connect.CodeAlreadyExists,
	syscall.ENOSPC: connect.CodeResourceExhausted, syscall.EDQUOT: connect.CodeResourceExhausted, syscall.EFBIG: connect.CodeResourceExhausted,
	syscall.EINVAL: connect.CodeInvalidArgument, syscall.ENAMETOOLONG: connect.CodeInvalidArgument,
}

// failed gives an error of `ambit files` the code that says what a caller can do.
func (r refused) failed(err error) error {
	if err == nil || r.Errno == 0 {
		return failure(err)
	}
	code, ok := fileCodes[syscall.Errno(r.Errno)]
	if !ok {
		code = connect.CodeFailedPrecondition
	}
	return connect.NewError(code, errors.New(text(err.Error())))
}

// A fileEntry is a name, as `ambit files --json` prints it.
type fileEntry struct {
	Name     string    `json:"name"`
	Raw      []byte    `json:"raw"`
	Type     string    `json:"type"`
	Size     int64     `json:"size"`
	Mode     uint32    `json:"mode"`
	Modified time.Time `json:"modified"`
	Target   string    `json:"target"`
}

var fileKinds = map[string]pb.FileKind{
	"file": pb.FileKind_FILE_KIND_FILE, "folder": pb.FileKind_FILE_KIND_FOLDER, "link": pb.FileKind_FILE_KIND_LINK,
	"pipe": pb.FileKind_FILE_KIND_PIPE, "socket": pb.FileKind_FILE_KIND_SOCKET, "device": pb.FileKind_FILE_KIND_DEVICE,
}

func (e fileEntry) message() *pb.File {
	return &pb.File{Name: text(e.Name), RawName: e.Raw, Kind: fileKinds[e.Type], Size: e.Size, Mode: e.Mode, Modified: moment(e.Modified), Target: text(e.Target)}
}

func (s files) ListFiles(ctx context.Context, r *connect.Request[pb.ListFilesRequest]) (*connect.Response[pb.ListFilesResponse], error) {
	list, err := listOf(r.Msg)
	if err != nil {
		return nil, failure(err)
	}
	after, err := s.tokens.read(callerOf(ctx), list, r.Msg.GetPageToken())
	if err != nil {
		return nil, err
	}
	most, err := pageSize(r.Msg)
	if err != nil {
		return nil, err
	}
	at, err := s.about(ctx, r.Msg)
	if err != nil {
		return nil, failure(err)
	}
	var answer struct {
		refused
		Entries []fileEntry `json:"entries"`
		More    bool        `json:"more"`
	}
	if err := s.command(ctx, &answer, "files", "ls", "--after="+after, "--limit="+strconv.Itoa(most), "--", at); err != nil {
		return nil, answer.failed(err)
	}
	m := &pb.ListFilesResponse{}
	for _, e := range answer.Entries {
		m.Files = append(m.Files, e.message())
	}
	if n := len(answer.Entries); answer.More && n > 0 {
		last := answer.Entries[n-1]
		if after = string(last.Raw); after == "" {
			after = last.Name
		}
		m.NextPageToken = s.tokens.make(callerOf(ctx), list, after)
	}
	return connect.NewResponse(m), nil
}

func (s files) GetFile(ctx context.Context, r *connect.Request[pb.GetFileRequest]) (*connect.Response[pb.GetFileResponse], error) {
	at, err := s.about(ctx, r.Msg)
	if err != nil {
		return nil, failure(err)
	}
	var answer struct {
		refused
		fileEntry
	}
	if err := s.command(ctx, &answer, "files", "stat", "--", at); err != nil {
		return nil, answer.failed(err)
	}
	return connect.NewResponse(&pb.GetFileResponse{File: answer.message()}), nil
}

// removesWithin is how long a folder may take to be removed with what is in it.
const removesWithin = 5 * time.Minute

func (s files) RemoveFile(ctx context.Context, r *connect.Request[pb.RemoveFileRequest]) (*connect.Response[pb.RemoveFileResponse], error) {
	at, err := s.about(ctx, r.Msg)
	if err != nil {
		return nil, failure(err)
	}
	var answer struct {
		refused
		Names int64 `json:"names"`
	}
	all, folder := strconv.FormatBool(r.Msg.GetAll()), strconv.FormatBool(r.Msg.GetFolder())
	if err := s.commandWithin(ctx, removesWithin, &answer, "files", "rm", "--folder="+folder, "--recursive="+all, "--", at); err != nil {
		return nil, answer.failed(err)
	}
	return connect.NewResponse(&pb.RemoveFileResponse{Names: answer.Names}), nil
}

func (s files) MakeFolder(ctx context.Context, r *connect.Request[pb.MakeFolderRequest]) (*connect.Response[pb.MakeFolderResponse], error) {
	at, err := s.about(ctx, r.Msg)
	if err != nil {
		return nil, failure(err)
	}
	var answer refused
	if err := s.command(ctx, &answer, "files", "mkdir", "--", at); err != nil {
		return nil, answer.failed(err)
	}
	return connect.NewResponse(&pb.MakeFolderResponse{}), nil
}

// WriteFile takes parts, and has the file written when it is whole.
//
// Security: an upload is its caller's, and for the one path that was recorded when it was
// begun.
func (s files) WriteFile(ctx context.Context, r *connect.Request[pb.WriteFileRequest]) (*connect.Response[pb.WriteFileResponse], error) {
	at, err := s.about(ctx, r.Msg)
	if err != nil {
		return nil, failure(err)
	}
	caller := callerOf(ctx)
	sum := sha256.Sum256([]byte(whose(caller) + at))
	owner := hex.EncodeToString(sum[:])
	id, size, err := s.written.take(owner, r.Msg, func(string) error {
		return s.recordCall(ctx, caller, r.Spec().Procedure, r.Msg.GetSession(), objects(r.Msg))
	})
	if err == nil && r.Msg.GetLast() {
		err = s.put(ctx, id, owner, at)
	}
	if err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.WriteFileResponse{Upload: id, Size: size}), nil
}

// put has an upload written into a session.
func (s files) put(ctx context.Context, id, owner, at string) error {
	u, err := s.written.whole(id, owner)
	if err != nil {
		return err
	}
	defer u.discard()
	f, err := os.Open(u.path)
	if err != nil {
		return err
	}
	defer f.Close()
	var answer refused
	if err := s.commandFrom(ctx, f, &answer, "files", "write", "--", at); err != nil {
		return answer.failed(err)
	}
	return nil
}
