package serve_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/api/ambit/v1/ambitv1connect"
	"ambit.dev/ambit/internal/server/servertest"
)

// A reviewed is a session that has ended, with what it changed of a folder.
type reviewed struct {
	changes ambitv1connect.ChangeServiceClient
	t       *testing.T
	session string
	source  string
	volume  string
	stamp   string // of what was listed last
}

// review runs a script in a folder of which every change is kept apart.
func review(t *testing.T, h *servertest.Host, script string) *reviewed {
	t.Helper()
	r := &reviewed{t: t, source: filepath.Join(h.Home, "work"), changes: ambitv1connect.NewChangeServiceClient(h.Client(), base)}
	for name, text := range map[string]string{"changed": "one\ntwo\nthree\n", "removed": "r\n", "same": "s\n", "d/in": "in\n", "binary": "a\x00b"} {
		r.put(name, text)
	}
	c := newClient(t, h)
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sh", "-c", "cd /work && " + script}, Volumes: []string{r.source + ":/work:cow"}})
	_, bad, end := c.output(t, s.GetId())
	if end.GetExit() != 0 {
		t.Fatalf("the session ends with %v: %s", end, bad)
	}
	until(t, "the session has not ended", func() bool {
		m, err := c.sessions.GetSession(t.Context(), connect.NewRequest(&pb.GetSessionRequest{Id: s.GetId()}))
		return err == nil && m.Msg.GetSession().GetState() == pb.SessionState_SESSION_STATE_ENDED
	})
	r.session = s.GetId()
	return r
}

func (r *reviewed) put(name, text string) {
	r.t.Helper()
	path := filepath.Join(r.source, name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// has is what the folder on the host has.
func (r *reviewed) has() string {
	var all []string
	err := filepath.WalkDir(r.source, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			var text []byte
			text, err = os.ReadFile(path)
			all = append(all, strings.TrimPrefix(path, r.source+"/")+"="+string(text))
		}
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// list is what is kept apart.
func (r *reviewed) list() (all []string) {
	r.t.Helper()
	for token := ""; ; {
		m, err := r.changes.ListChanges(r.t.Context(), connect.NewRequest(&pb.ListChangesRequest{Session: r.session, PageSize: 2, PageToken: token}))
		if err != nil {
			r.t.Fatal(err)
		}
		for _, v := range m.Msg.GetVolumes() {
			r.volume, r.stamp = v.GetVolume(), v.GetStamp()
		}
		for _, c := range m.Msg.GetChanges() {
			all = append(all, c.GetWhat()+" "+c.GetPath())
		}
		if token = m.Msg.GetNextPageToken(); token == "" {
			return all
		}
	}
}

// look takes the stamp of what is kept apart, where it can be looked at.
func (r *reviewed) look() {
	m, err := r.changes.ListChanges(r.t.Context(), connect.NewRequest(&pb.ListChangesRequest{Session: r.session}))
	if err == nil && len(m.Msg.GetVolumes()) == 1 {
		r.stamp = m.Msg.GetVolumes()[0].GetStamp()
	}
}

func (r *reviewed) apply(paths ...string) error {
	_, err := r.changes.ApplyChanges(r.t.Context(), connect.NewRequest(&pb.ApplyChangesRequest{Session: r.session, Volume: r.volume, Stamp: r.stamp, Paths: paths, All: len(paths) == 0}))
	return err
}

const fill = `printf 'one\n2\nthree\n' > changed; rm removed; mkdir new; echo n > new/file; printf 'a\0c' > binary; echo '<b>' > "$(printf 'x\033[31m')"; mkdir -p .git/hooks; echo h > .git/hooks/post-commit`

// What a session changed is listed and shown file by file; what is chosen is applied,
// and the rest is dropped.
func TestChanges(t *testing.T) {
	t.Parallel()
	r := review(t, newHost(t), fill)
	want := []string{"added .git", "added .git/hooks", "added .git/hooks/post-commit", "changed binary", "changed changed", "added new", "added new/file", "removed removed", "added x\x1b[31m"}
	if got := r.list(); !slices.Equal(got, want) {
		t.Fatalf("listed %q", got)
	}
	before := r.has()
	for path, want := range map[string]string{"changed": "DIFFERENCE_KIND_TEXT -two\n+2\n", "binary": "DIFFERENCE_KIND_BINARY ", "new/file": "DIFFERENCE_KIND_TEXT +n\n",
		"removed": "DIFFERENCE_KIND_TEXT -r\n", "new": "DIFFERENCE_KIND_UNSPECIFIED ", "x\x1b[31m": "DIFFERENCE_KIND_TEXT +<b>\n"} {
		m, err := r.changes.GetDifference(t.Context(), connect.NewRequest(&pb.GetDifferenceRequest{Session: r.session, Volume: r.volume, Path: path}))
		if err != nil {
			t.Fatal(path, err)
		}
		kind, lines, _ := strings.Cut(want, " ")
		if m.Msg.GetKind().String() != kind || !strings.Contains(m.Msg.GetText(), lines) || m.Msg.GetMore() {
			t.Errorf("%q became %v", path, m.Msg)
		}
	}
	if err := r.apply("changed", "new/file"); err != nil {
		t.Fatal(err)
	}
	after := strings.Replace(before, "two", "2", 1)
	if got := r.has(); !strings.Contains(got, "changed=one\n2\n") || !strings.Contains(got, "new/file=n") || strings.Contains(got, "post-commit") || strings.Replace(got, " new/file=n\n", "", 1) != after {
		t.Errorf("applied: %q", got)
	}
	wantCode(t, "the stamp of what was looked at before", r.apply("removed"), connect.CodeFailedPrecondition)
	if got := r.list(); slices.Contains(got, "changed changed") || len(got) != len(want)-3 {
		t.Errorf("left is %q", got)
	}
	kept := r.has()
	if _, err := r.changes.DropChanges(t.Context(), connect.NewRequest(&pb.DropChangesRequest{Session: r.session, Volume: r.volume})); err != nil {
		t.Fatal(err)
	}
	if got := r.list(); len(got) > 0 || r.has() != kept {
		t.Errorf("dropped: %q, %q", got, r.has())
	}
}

// Where the host's files were changed since, or lead elsewhere, nothing is applied, and
// nothing outside is written.
func TestChangesConflict(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(r *reviewed, outside string) error{
		"the file": func(r *reviewed, _ string) error {
			return os.WriteFile(filepath.Join(r.source, "changed"), []byte("mine\n"), 0o644)
		},
		"a link in its place": func(r *reviewed, outside string) error {
			path := filepath.Join(r.source, "changed")
			if err := os.Remove(path); err != nil {
				return err
			}
			return os.Symlink(filepath.Join(outside, "file"), path)
		},
		"a link in the place of its folder": func(r *reviewed, outside string) error {
			if err := os.RemoveAll(filepath.Join(r.source, "d")); err != nil {
				return err
			}
			return os.Symlink(outside, filepath.Join(r.source, "d"))
		},
		"another folder": func(r *reviewed, _ string) error {
			if err := os.Rename(r.source, r.source+"-2"); err != nil {
				return err
			}
			r.put("changed", "mine\n")
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := review(t, newHost(t), `echo evil > changed; echo evil > d/file; echo evil > d/new; rm removed`)
			outside := t.TempDir()
			if err := os.WriteFile(filepath.Join(outside, "file"), []byte("mine\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			r.list()
			if err := meanwhile(r, outside); err != nil {
				t.Fatal(err)
			}
			before := r.has()
			for _, look := range []string{"as it was looked at before", "as it is looked at now"} {
				if look == "as it is looked at now" {
					r.look()
				}
				err := r.apply()
				wantCode(t, look, err, connect.CodeFailedPrecondition)
				if r.has() != before || strings.Contains(r.has(), "evil") {
					t.Errorf("applied %s: %q", look, r.has())
				}
				if name == "the file" && !strings.Contains(fmt.Sprint(err), `"changed" was changed on the host`) {
					t.Errorf("it does not name the file: %v", err)
				}
			}
			text, err2 := os.ReadFile(filepath.Join(outside, "file"))
			left, err3 := os.ReadDir(outside)
			if err2 != nil || err3 != nil || string(text) != "mine\n" || len(left) != 1 {
				t.Errorf("outside is %q, %v", text, left)
			}
		})
	}
}

// Nothing is applied that was not looked at, nothing of a session that runs, and nothing
// by who may only look at sessions.
func TestChangesRefused(t *testing.T) {
	t.Parallel()
	h, address := listening(t, "--listen", "127.0.0.1:0")
	r := review(t, h, fill)
	r.list()
	before := r.has()
	seen := r.stamp
	for _, stamp := range []string{"x", strings.Repeat("0", 64), seen[1:]} {
		r.stamp = stamp
		wantCode(t, "stamp "+stamp, r.apply(), connect.CodeFailedPrecondition)
	}
	r.stamp = ""
	wantCode(t, "no stamp", r.apply(), connect.CodeInvalidArgument)
	r.stamp = seen
	for _, path := range []string{"same", "../changed", "/changed", "new/../changed", "", "new/file/x", "--exact", "d"} {
		wantCode(t, "path "+path, r.apply("changed", path), connect.CodeFailedPrecondition)
	}
	// Somebody writes to what is kept apart after it was looked at.
	upper := filepath.Join(h.State, "changes", r.session, r.volume, "upper", "new", "file")
	if err := os.WriteFile(upper, []byte("m\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "changed since it was looked at", r.apply("changed"), connect.CodeFailedPrecondition)
	for _, volume := range []string{"7", "../" + r.volume, ".", r.volume + "/upper"} {
		_, err := r.changes.ApplyChanges(t.Context(), connect.NewRequest(&pb.ApplyChangesRequest{Session: r.session, Volume: volume, Stamp: seen, All: true}))
		wantCode(t, "volume "+volume, err, connect.CodeFailedPrecondition)
	}
	_, err := r.changes.ApplyChanges(t.Context(), connect.NewRequest(&pb.ApplyChangesRequest{Session: r.session, Volume: r.volume, Stamp: seen}))
	wantCode(t, "neither paths nor all", err, connect.CodeInvalidArgument)
	for _, session := range []string{"s-aaaaaaaaaa", "../" + r.session, "", "--json"} {
		_, err := r.changes.ListChanges(t.Context(), connect.NewRequest(&pb.ListChangesRequest{Session: session}))
		wantCode(t, "session "+session, err, connect.CodeNotFound)
		_, err = r.changes.DropChanges(t.Context(), connect.NewRequest(&pb.DropChangesRequest{Session: session, All: true}))
		wantCode(t, "session "+session, err, connect.CodeNotFound)
	}
	for _, role := range []string{"viewer", "approver"} {
		c := ambitv1connect.NewChangeServiceClient(holder(t, h, token(t, h, role, role)), "https://"+address)
		_, err1 := c.ListChanges(t.Context(), connect.NewRequest(&pb.ListChangesRequest{Session: r.session}))
		_, err2 := c.GetDifference(t.Context(), connect.NewRequest(&pb.GetDifferenceRequest{Session: r.session, Volume: r.volume, Path: "changed"}))
		_, err3 := c.ApplyChanges(t.Context(), connect.NewRequest(&pb.ApplyChangesRequest{Session: r.session, Volume: r.volume, Stamp: seen, All: true}))
		_, err4 := c.DropChanges(t.Context(), connect.NewRequest(&pb.DropChangesRequest{Session: r.session, All: true}))
		for i, err := range []error{err1, err2, err3, err4} {
			wantCode(t, fmt.Sprint(role, " ", i), err, connect.CodePermissionDenied)
		}
	}
	c := newClient(t, h)
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sh", "-c", "echo evil > /work/changed; sleep 600"}, Volumes: []string{r.source + ":/work:cow"}})
	_, err = r.changes.ListChanges(t.Context(), connect.NewRequest(&pb.ListChangesRequest{Session: s.GetId()}))
	wantCode(t, "a session that runs", err, connect.CodeFailedPrecondition)
	if _, err := c.sessions.StopSession(t.Context(), connect.NewRequest(&pb.StopSessionRequest{Id: s.GetId()})); err != nil {
		t.Fatal(err)
	}
	if r.has() != before {
		t.Errorf("something was applied: %q", r.has())
	}
}
