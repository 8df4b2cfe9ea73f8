package serve_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// What ended long ago is removed when the host begins, and what is left of it where the
// host was killed meanwhile; what runs stays, and so do the list and the log. A key of what
// was removed starts nothing.
func TestServeKeeps(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	request := &pb.CreateSessionRequest{Argv: []string{"echo", "kept"}, IdempotencyKey: "old"}
	old, fresh, runs := c.create(t, request).GetId(), c.create(t, &pb.CreateSessionRequest{Argv: []string{"echo", "fresh"}}).GetId(), c.sleeper(t)
	program := c.start(t, &pb.CreateExecRequest{Session: runs, Argv: []string{"true"}}).GetId()
	for _, id := range []string{old, fresh, program} {
		c.output(t, id) // until it has ended
	}
	if err := h.End(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	jobs := filepath.Join(h.State, "host", "sessions")
	ago := time.Now().Add(-8 * 24 * time.Hour)
	for _, dir := range []string{filepath.Join(jobs, old), filepath.Join(jobs, runs), filepath.Join(h.State, "host", "execs", program)} {
		if err := errors.Join(os.Chtimes(filepath.Join(dir, "output"), ago, ago), os.Chtimes(dir, ago, ago)); err != nil {
			t.Fatal(err)
		}
	}
	half := filepath.Join(jobs, ".gone-s-aaaaaaaaaa") // without its job, as when it is killed while it removes
	if err := errors.Join(os.Mkdir(half, 0o700), os.WriteFile(filepath.Join(half, "output"), nil, 0o600), h.Again()); err != nil {
		t.Fatal(err)
	}
	c = newClient(t, h)
	gone := func(path string) bool {
		_, err := os.Lstat(path)
		return errors.Is(err, os.ErrNotExist)
	}
	until(t, "something old is still there", func() bool {
		return gone(half) && gone(filepath.Join(jobs, old)) && gone(filepath.Join(h.State, "host", "execs", program))
	})
	all, err := c.sessions.ListSessions(t.Context(), connect.NewRequest(&pb.ListSessionsRequest{Ended: true}))
	if err != nil {
		t.Fatal(err)
	}
	kept := map[string]bool{}
	for _, s := range all.Msg.GetSessions() {
		kept[s.GetId()] = s.GetKept()
	}
	if was, listed := kept[old]; was || !listed || !kept[fresh] || !kept[runs] {
		t.Errorf("listed: %v; want %s without its output, and %s and %s with it", kept, old, fresh, runs)
	}
	if out, _, _ := c.output(t, fresh); out != "fresh\n" {
		t.Errorf("of what ended now there is %q", out)
	}
	if _, err := c.execs.GetExec(t.Context(), connect.NewRequest(&pb.GetExecRequest{Id: program})); connect.CodeOf(err) != connect.CodeNotFound {
		t.Errorf("the program that is removed: %v", err)
	}
	if _, err := c.sessions.CreateSession(t.Context(), connect.NewRequest(request)); connect.CodeOf(err) != connect.CodeFailedPrecondition || !strings.Contains(err.Error(), "not kept any more") {
		t.Errorf("the key of what is removed: %v", err)
	}
	if len(recorded(t, h, "session.end")) < 2 {
		t.Error("the log has lost ends of sessions")
	}
}

// A key starts nothing for a week after what it started is gone, and is forgotten then.
func TestServeForgetsKeys(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	request := &pb.CreateSessionRequest{Argv: []string{"true"}, IdempotencyKey: "once"}
	first := c.create(t, request).GetId()
	c.output(t, first) // until it has ended
	keys, job := filepath.Join(h.State, "host", "keys"), filepath.Join(h.State, "host", "sessions", first)
	names, err := os.ReadDir(keys)
	if err != nil || len(names) != 1 {
		t.Fatal(names, err)
	}
	key, aside := filepath.Join(keys, names[0].Name()), filepath.Join(keys, "z.s-aaaaaaaaaa") // that one is looked at last
	again := func(name string, ago time.Duration) {
		t.Helper()
		if err := h.End(syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		// The keeper of a request that was sent again looks into the folder, too.
		until(t, "a keeper goes on", func() bool { return len(h.Keepers()) == 0 })
		at := time.Now().Add(-ago)
		if err := errors.Join(os.Chtimes(name, at, at), os.WriteFile(aside, []byte(first), 0o600)); err != nil {
			t.Fatal(err)
		}
		at = time.Now().Add(-2 * time.Hour)
		if err := errors.Join(os.Chtimes(aside, at, at), h.Again()); err != nil {
			t.Fatal(err)
		}
		until(t, "what was put aside is still there", func() bool {
			_, err := os.Lstat(aside)
			return errors.Is(err, os.ErrNotExist)
		})
		c = newClient(t, h)
	}
	const day = 24 * time.Hour
	again(key, 30*day) // what it started is there
	if same := c.create(t, request).GetId(); same != first {
		t.Errorf("the key started %s and %s", first, same)
	}
	if err := os.Chtimes(filepath.Join(job, "output"), time.Unix(0, 0), time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	again(job, 30*day) // from now on it is gone
	for _, ago := range []time.Duration{0, 6 * day} {
		again(key, ago)
		_, err := c.sessions.CreateSession(t.Context(), connect.NewRequest(request))
		wantCode(t, "a key of what is gone", err, connect.CodeFailedPrecondition)
	}
	again(key, 8*day)
	if other := c.create(t, request).GetId(); other == first {
		t.Error("the key is not forgotten")
	}
}
