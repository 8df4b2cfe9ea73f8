package serve_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/api/ambit/v1/ambitv1connect"
	"ambit.dev/ambit/internal/server/servertest"
)

// A viewed is a session whose files are looked at.
type viewed struct {
	client
	t  *testing.T
	id string
}

// view runs a script, waits until it is done, and lets the session run on.
func view(t *testing.T, h *servertest.Host, script string, volumes ...string) *viewed {
	t.Helper()
	c := newClient(t, h)
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sh", "-c", script + "; > /tmp/.done; exec sleep 3600"}, Volumes: volumes, Limits: map[string]string{"disk": "80M"}})
	v := &viewed{c, t, s.GetId()}
	t.Cleanup(func() {
		if _, err := c.sessions.StopSession(context.WithoutCancel(t.Context()), connect.NewRequest(&pb.StopSessionRequest{Id: v.id})); err != nil {
			t.Errorf("stop %s: %v", v.id, err)
		}
	})
	until(t, "the script is not done", func() bool { return v.stat("/tmp/.done") == nil })
	return v
}

func (v *viewed) stat(name string) error {
	_, err := v.files.GetFile(v.t.Context(), connect.NewRequest(&pb.GetFileRequest{Session: v.id, Path: name}))
	return err
}

func (v *viewed) read(r *pb.StreamFileRequest) (text string, end *pb.FileEnd, err error) {
	r.Session = v.id
	s, err := v.files.StreamFile(v.t.Context(), connect.NewRequest(r))
	if err != nil {
		return "", nil, err
	}
	defer s.Close()
	var all bytes.Buffer
	for s.Receive() {
		all.Write(s.Msg().GetData())
		end = s.Msg().GetEnd()
	}
	return all.String(), end, s.Err()
}

// write sends a file in parts of a size.
func (v *viewed) write(name, text string, piece int) error {
	r := &pb.WriteFileRequest{Session: v.id, Path: name}
	for {
		n := min(piece, len(text))
		r.Data, r.Last = []byte(text[:n]), n == len(text)
		m, err := v.files.WriteFile(v.t.Context(), connect.NewRequest(r))
		if err != nil || r.Last {
			return err
		}
		r.Upload, r.Offset, text = m.Msg.GetUpload(), m.Msg.GetSize(), text[n:]
	}
}

// names are those of a folder, by pages of a size.
func (v *viewed) names(folder string, size int32) (all []string) {
	v.t.Helper()
	for token := ""; ; {
		m, err := v.files.ListFiles(v.t.Context(), connect.NewRequest(&pb.ListFilesRequest{Session: v.id, Path: folder, PageSize: size, PageToken: token}))
		if err != nil {
			v.t.Fatal(err)
		}
		for _, f := range m.Msg.GetFiles() {
			name := f.GetName()
			if raw := f.GetRawName(); len(raw) > 0 {
				name = string(raw)
			}
			all = append(all, name)
		}
		if token = m.Msg.GetNextPageToken(); token == "" {
			return all
		}
	}
}

// Files of a session go in and out by the API, whatever their names are, and what the
// program may not is not done.
func TestFilesAPI(t *testing.T) {
	t.Parallel()
	v := view(t, newHost(t), `mkdir /tmp/many /tmp/odd; cd /tmp/odd; : > "$(printf 'a\nb')"; : > "$(printf '\377\033[2J')"; ln -s /etc/shadow l; mkfifo p; cd ../many; seq 1 2500 | xargs touch`)
	if got := v.names("/tmp/odd", 1); !slices.Equal(got, []string{"a\nb", "l", "p", "\xff\x1b[2J"}) {
		t.Errorf("the names are %q", got)
	}
	got := v.names("/tmp/many", 1000)
	if len(got) != 2500 || len(slices.Compact(slices.Clone(got))) != 2500 || !slices.IsSorted(got) {
		t.Errorf("there are %d names", len(got))
	}
	text := strings.Repeat("0123456789", 200_000)
	if err := v.write("/tmp/f", text, 1<<20); err != nil {
		t.Fatal(err)
	}
	if got, end, err := v.read(&pb.StreamFileRequest{RawPath: []byte("/tmp/f")}); got != text || end.GetSize() != int64(len(text)) || end.GetChanged() || err != nil {
		t.Errorf("it is read as %d bytes, %v, %v", len(got), end, err)
	}
	if got, _, err := v.read(&pb.StreamFileRequest{Path: "/tmp/f", Offset: 1_999_995, Length: 100}); got != "56789" || err != nil {
		t.Errorf("its end is read as %q, %v", got, err)
	}
	if got, end, err := v.read(&pb.StreamFileRequest{RawPath: []byte("/tmp/odd/\xff\x1b[2J")}); got != "" || end == nil || err != nil {
		t.Errorf("an empty file is read as %q, %v, %v", got, end, err)
	}
	for name, want := range map[string]connect.Code{"/tmp/odd/l": connect.CodeNotFound, "/tmp/odd/p": connect.CodeInvalidArgument, "/dev/null": connect.CodeInvalidArgument, "/tmp": connect.CodeFailedPrecondition, "tmp": connect.CodeInvalidArgument, "/tmp/\x00": connect.CodeInvalidArgument} {
		_, _, err := v.read(&pb.StreamFileRequest{Path: name})
		wantCode(t, "to read "+name, err, want)
	}
	wantCode(t, "to write to what is read only", v.write("/usr/x", "x", 1), connect.CodeFailedPrecondition)
	wantCode(t, "what does not fit", errors.Join(v.write("/tmp/g", text+text, 1<<20), v.write("/tmp/big", strings.Repeat("x", 64<<20)+"y", 1<<20)), connect.CodeResourceExhausted)
	_, err := v.files.RemoveFile(t.Context(), connect.NewRequest(&pb.RemoveFileRequest{Session: v.id, Path: "/tmp/many", Folder: true}))
	wantCode(t, "to remove a folder with something in it", err, connect.CodeFailedPrecondition)
	_, err = v.files.MakeFolder(t.Context(), connect.NewRequest(&pb.MakeFolderRequest{Session: v.id, Path: "/tmp/many"}))
	wantCode(t, "to make what is there", err, connect.CodeAlreadyExists)
	_, err = v.files.RemoveFile(t.Context(), connect.NewRequest(&pb.RemoveFileRequest{Session: v.id, RawPath: []byte("/tmp/odd/\xff\x1b[2J")}))
	if err != nil || slices.Contains(v.names("/tmp/odd", 10), "\xff\x1b[2J") {
		t.Errorf("it is there still: %v", err)
	}
	m, err := v.files.RemoveFile(t.Context(), connect.NewRequest(&pb.RemoveFileRequest{Session: v.id, Path: "/tmp/many", Folder: true, All: true}))
	if err != nil || m.Msg.GetNames() != 2501 || slices.Contains(v.names("/tmp", 10), "many") {
		t.Errorf("a folder with what is in it: %v, %v", m, err)
	}
	readOnly := connect.CodeFailedPrecondition
	if os.Getuid() != 0 {
		readOnly = connect.CodePermissionDenied // by its owner, which is looked at first
	}
	for name, want := range map[string]connect.Code{"/tmp/many": connect.CodeNotFound, "/tmp/f": connect.CodeFailedPrecondition, "/": connect.CodeInvalidArgument, "/tmp": connect.CodeFailedPrecondition, "/usr/bin": readOnly} {
		_, err := v.files.RemoveFile(t.Context(), connect.NewRequest(&pb.RemoveFileRequest{Session: v.id, Path: name, All: true}))
		wantCode(t, "to remove all of "+name, err, want)
	}
}

// A file that is changed while it is sent is said to be.
func TestFilesChanged(t *testing.T) {
	t.Parallel()
	v := view(t, newHost(t), `head -c 60000000 /dev/zero > /tmp/f`)
	s, err := v.files.StreamFile(t.Context(), connect.NewRequest(&pb.StreamFileRequest{Session: v.id, Path: "/tmp/f"}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !s.Receive() {
		t.Fatal(s.Err())
	}
	e := v.start(t, &pb.CreateExecRequest{Session: v.id, Argv: []string{"sh", "-c", "echo x >> /tmp/f"}})
	until(t, "it is not changed", func() bool { return v.get(t, e.GetId()).GetState() == pb.SessionState_SESSION_STATE_ENDED })
	size, changed := len(s.Msg().GetData()), false
	for s.Receive() {
		size += len(s.Msg().GetData())
		changed = s.Msg().GetEnd().GetChanged()
	}
	if s.Err() != nil || size != 60000000 || !changed {
		t.Errorf("%d bytes, changed: %v, %v", size, changed, s.Err())
	}
}

// Who may not see what programs write may not see their files; an upload is its
// caller's, for the path that it was begun with; who reads and changes is in the log.
func TestFilesRoles(t *testing.T) {
	t.Parallel()
	h, address := listening(t, "--listen", "127.0.0.1:0")
	v := view(t, h, "echo secret > /tmp/f")
	as := func(hc *http.Client) *viewed {
		w := *v
		w.files = ambitv1connect.NewFileServiceClient(hc, "https://"+address)
		return &w
	}
	for _, role := range []string{"viewer", "approver"} {
		w := as(holder(t, h, token(t, h, "some-"+role, role)))
		_, _, err := w.read(&pb.StreamFileRequest{Path: "/tmp/f"})
		wantCode(t, "to read as "+role, err, connect.CodePermissionDenied)
		wantCode(t, "to look as "+role, w.stat("/tmp/f"), connect.CodePermissionDenied)
		wantCode(t, "to write as "+role, w.write("/tmp/f", "x", 1), connect.CodePermissionDenied)
	}
	one, other := as(holder(t, h, token(t, h, "one", "operator"))), as(holder(t, h, token(t, h, "other", "operator")))
	m, err := one.files.WriteFile(t.Context(), connect.NewRequest(&pb.WriteFileRequest{Session: v.id, Path: "/tmp/a", Data: []byte("a")}))
	if err != nil {
		t.Fatal(err)
	}
	for who, w := range map[string]*viewed{"/tmp/a": other, "/tmp/b": one} {
		_, err := w.files.WriteFile(t.Context(), connect.NewRequest(&pb.WriteFileRequest{Session: v.id, Path: who, Upload: m.Msg.GetUpload(), Offset: 1, Last: true}))
		wantCode(t, "to go on with an upload", err, connect.CodeNotFound)
	}
	if _, err := one.files.WriteFile(t.Context(), connect.NewRequest(&pb.WriteFileRequest{Session: v.id, Path: "/tmp/a", Upload: m.Msg.GetUpload(), Offset: 1, Last: true})); err != nil {
		t.Error(err)
	}
	if text, _, err := one.read(&pb.StreamFileRequest{Path: "/tmp/a"}); text != "a" || err != nil {
		t.Errorf("it has %q, %v", text, err)
	}
	out, err := h.Command("audit", "ls").Output()
	for _, want := range []string{"by token one, operator: FileService/WriteFile", "by token one, operator: FileService/StreamFile", "copied in: /tmp/a", "copied out: /tmp/a"} {
		if n := strings.Count(string(out), want); n != 1 || err != nil {
			t.Errorf("the log has %d of %q: %v\n%s", n, want, err, out)
		}
	}
	wantCode(t, "a session that is not there", (&viewed{v.client, t, "s-aaaaaaaaaa"}).stat("/tmp"), connect.CodeNotFound)
	wantCode(t, "what is no session", (&viewed{v.client, t, fmt.Sprintf("%s:/x", v.id)}).stat("/tmp"), connect.CodeNotFound)
}
