package server

import (
	"context"
	"slices"
	"strconv"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// stored is the StorageService: each call is a run of `ambit storage`.
type stored struct{ *Server }

// A storedVersion is one version, as `ambit storage show --json` prints it.
type storedVersion struct {
	Number  int64     `json:"number"`
	Digest  string    `json:"digest"`
	Size    int64     `json:"size"`
	Time    time.Time `json:"time"`
	Session string    `json:"session"`
	Removed bool      `json:"removed"`
}

func (v storedVersion) message() *pb.StoredVersion {
	return &pb.StoredVersion{Number: v.Number, Digest: v.Digest, Size: v.Size, Time: moment(v.Time), Session: v.Session, Removed: v.Removed}
}

// A storedRow is one line of `ambit storage ls --json`.
type storedRow struct {
	storedVersion
	Principal string    `json:"principal"`
	Pack      string    `json:"pack"`
	Left      time.Time `json:"left"`
	Key       string    `json:"key"`
	Version   int64     `json:"version"`
	Versions  int       `json:"versions"`
	Bytes     int64     `json:"bytes"`
}

func (r storedRow) message() *pb.StoredValue {
	r.Number = r.Version
	m := &pb.StoredValue{Pack: r.Pack, Key: r.Key, Current: r.storedVersion.message(), Versions: int32(r.Versions), Bytes: r.Bytes}
	if !r.Left.IsZero() {
		m.Left = moment(r.Left)
	}
	return m
}

func (s stored) ListValues(ctx context.Context, r *connect.Request[pb.ListValuesRequest]) (*connect.Response[pb.ListValuesResponse], error) {
	var all []storedRow
	if err := s.command(ctx, &all, "storage", "ls"); err != nil {
		return nil, failure(err)
	}
	caller := callerOf(ctx)
	all = slices.DeleteFunc(all, func(v storedRow) bool { return v.Principal != caller.Principal }) // who runs the machine is told of others' too
	key := func(v storedRow) string {
		return v.Pack + "\x00" + v.Left.UTC().Format(time.RFC3339Nano) + "\x00" + v.Key
	}
	some, next, err := page(s.tokens, caller, r.Msg, all, key, false)
	if err != nil {
		return nil, failure(err)
	}
	m := &pb.ListValuesResponse{NextPageToken: next}
	for _, v := range some {
		m.Values = append(m.Values, v.message())
	}
	return connect.NewResponse(m), nil
}

// A keyed is a request about one key.
type keyed interface {
	GetPack() string
	GetKey() string
}

// aboutKey runs a command about one key; args stand before the key, and more behind it.
func (s stored) aboutKey(ctx context.Context, answer any, r keyed, args []string, more ...string) error {
	if r.GetKey() == "" {
		return invalid("key: expected one")
	}
	args = append([]string{"storage"}, args...)
	args = append(args, "--pack="+r.GetPack(), "--", r.GetKey())
	return s.command(ctx, answer, append(args, more...)...)
}

func (s stored) GetValue(ctx context.Context, r *connect.Request[pb.GetValueRequest]) (*connect.Response[pb.GetValueResponse], error) {
	var v struct {
		Versions []storedVersion `json:"versions"`
	}
	if err := s.aboutKey(ctx, &v, r.Msg, []string{"show"}); err != nil {
		return nil, failure(err)
	}
	m := &pb.GetValueResponse{}
	for _, ver := range v.Versions {
		m.Versions = append(m.Versions, ver.message())
	}
	return connect.NewResponse(m), nil
}

func (s stored) GetContent(ctx context.Context, r *connect.Request[pb.GetContentRequest]) (*connect.Response[pb.GetContentResponse], error) {
	if r.Msg.GetVersion() < 0 || r.Msg.GetOffset() < 0 {
		return nil, invalid("version, offset: expected none that is less than 0")
	}
	var part struct {
		Version int64  `json:"version"`
		Size    int64  `json:"size"`
		Data    []byte `json:"data"`
	}
	args := []string{"cat", "--version=" + strconv.FormatInt(r.Msg.GetVersion(), 10), "--offset=" + strconv.FormatInt(r.Msg.GetOffset(), 10)}
	if err := s.aboutKey(ctx, &part, r.Msg, args); err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.GetContentResponse{Version: part.Version, Size: part.Size, Data: part.Data}), nil
}

func (s stored) RemoveValue(ctx context.Context, r *connect.Request[pb.RemoveValueRequest]) (*connect.Response[pb.RemoveValueResponse], error) {
	var done []string
	if err := s.aboutKey(ctx, &done, r.Msg, []string{"rm"}); err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.RemoveValueResponse{}), nil
}

func (s stored) RestoreValue(ctx context.Context, r *connect.Request[pb.RestoreValueRequest]) (*connect.Response[pb.RestoreValueResponse], error) {
	if r.Msg.GetVersion() < 1 {
		return nil, invalid("version: expected the number of one")
	}
	var v storedVersion
	if err := s.aboutKey(ctx, &v, r.Msg, []string{"restore"}, strconv.FormatInt(r.Msg.GetVersion(), 10)); err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.RestoreValueResponse{Version: v.message()}), nil
}

func (s stored) ForgetValue(ctx context.Context, r *connect.Request[pb.ForgetValueRequest]) (*connect.Response[pb.ForgetValueResponse], error) {
	var done []string
	if err := s.aboutKey(ctx, &done, r.Msg, []string{"rm", "--forget"}); err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.ForgetValueResponse{}), nil
}

func (s stored) AdoptValues(ctx context.Context, r *connect.Request[pb.AdoptValuesRequest]) (*connect.Response[pb.AdoptValuesResponse], error) {
	if r.Msg.GetPack() == "" {
		return nil, invalid("pack: expected the id of one")
	}
	var to struct{}
	if err := s.command(ctx, &to, "storage", "adopt", "--", r.Msg.GetPack()); err != nil {
		return nil, failure(err)
	}
	return connect.NewResponse(&pb.AdoptValuesResponse{}), nil
}
