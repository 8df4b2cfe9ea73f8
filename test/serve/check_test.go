package serve_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// check says what a session would be allowed, and wants an answer.
func (c client) check(t *testing.T, r *pb.CreateSessionRequest) *pb.CheckSessionResponse {
	t.Helper()
	m, err := c.sessions.CheckSession(t.Context(), connect.NewRequest(&pb.CheckSessionRequest{Session: r}))
	if err != nil {
		t.Fatalf("check %v: %v", r.GetArgv(), err)
	}
	return m.Msg
}

// recorded is how many records there are.
func (c client) recorded(t *testing.T) int {
	t.Helper()
	m, err := c.audit.ListRecords(t.Context(), connect.NewRequest(&pb.ListRecordsRequest{PageSize: 1000}))
	if err != nil {
		t.Fatal(err)
	}
	return len(m.Msg.GetRecords())
}

// What was looked at is what is started. Whoever changes what it would be allowed, between
// the look and the start, has it refused.
func TestServeChecked(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	file := filepath.Join(h.Home, "file")
	if err := os.WriteFile(file, []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := &pb.CreateSessionRequest{Argv: []string{"cat", file}, Limits: map[string]string{"wall": "1m"}, Dir: "/"}
	first := c.check(t, r)
	if again := c.check(t, r); again.GetDigest() != first.GetDigest() || first.GetDigest() == "" {
		t.Errorf("the same has the digests %q and %q", first.GetDigest(), again.GetDigest())
	}
	if got := c.recorded(t); got != 0 {
		t.Errorf("looking has left %d records", got)
	}
	if !first.GetStarts() || first.GetTier() != "process" || first.GetDir() == "" || !slices.Equal(first.GetArgv(), r.GetArgv()) || first.GetLimits()["wall"] != "1m" {
		t.Errorf("it is said: %v", first)
	}
	r.Checked = first.GetDigest()
	if _, _, end := c.output(t, c.create(t, r).GetId()); end.GetExit() != 1 {
		t.Errorf("what was looked at ends with %d", end.GetExit())
	}

	if _, err := c.grants.AddGrants(t.Context(), connect.NewRequest(&pb.AddGrantsRequest{Verdict: pb.Verdict_VERDICT_ALLOW, Capabilities: []string{"fs.read:" + file}})); err != nil {
		t.Fatal(err)
	}
	_, err := c.sessions.CreateSession(t.Context(), connect.NewRequest(r))
	wantCode(t, "what was not looked at", err, connect.CodeFailedPrecondition)
	if err == nil || !strings.Contains(err.Error(), "look at it again") {
		t.Errorf("it says %v", err)
	}
	now := c.check(t, r)
	reads := func(row *pb.CheckedCapability) bool {
		return row.GetCapability() == "fs.read:"+file && row.GetMeaning() == "read "+file && row.GetOutcome() == "allow"
	}
	if !slices.ContainsFunc(now.GetCapabilities(), reads) || now.GetDigest() == first.GetDigest() {
		t.Errorf("what was granted since is not said: %v", now)
	}
	r.Checked = now.GetDigest()
	if out, bad, _ := c.output(t, c.create(t, r).GetId()); out != "content" {
		t.Errorf("it wrote %q %q", out, bad)
	}
	r.Argv = append(r.Argv, "/etc/hostname")
	_, err = c.sessions.CreateSession(t.Context(), connect.NewRequest(r))
	wantCode(t, "another command", err, connect.CodeFailedPrecondition)

	// What a pattern has come to match since is in no word of what was said.
	r = &pb.CreateSessionRequest{Argv: []string{"true"}, Allow: []string{"fs.read:" + h.Home + "/*"}}
	r.Checked = c.check(t, r).GetDigest()
	if err := os.WriteFile(filepath.Join(h.Home, "later"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = c.sessions.CreateSession(t.Context(), connect.NewRequest(r))
	wantCode(t, "one more file", err, connect.CodeFailedPrecondition)
}

// A session that would be allowed more than was looked at is refused, also where that
// comes of what the pack is now: a zone, or a bound that it has no more.
func TestServeCheckedPack(t *testing.T) {
	t.Parallel()
	requireFUSE(t)
	h := newHost(t)
	c := newClient(t, h)
	dir := filepath.Join(h.Home, "pack")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	install := func(rest string) {
		t.Helper()
		text := `{"id": "org.example.checked", "kind": "cli-tool", "entry": ["ls", "/zones"]` + rest + `}`
		if err := os.WriteFile(filepath.Join(dir, "ambit.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := h.Command("pack", "install", "--yes", "--broad", dir).CombinedOutput(); err != nil {
			t.Fatalf("install: %v %s", err, out)
		}
	}
	for _, step := range []struct{ what, rest, says string }{
		{"a zone", `, "zones": {"out": {"mode": "rw", "files": "2", "disk": "1M"}}`, "/zones/out rw out 1048576 2"},
		{"a wider bound", `, "zones": {"out": {"mode": "rw", "files": "2", "disk": "2M"}}`, "/zones/out rw out 2097152 2"},
		{"no bound", `, "zones": {"out": {"mode": "rw"}}`, "/zones/out rw out 0 0"},
		{"a variable", `, "zones": {"out": {"mode": "rw"}}, "env": ["AMBIT_STATE_DIR"]`, "/zones/out rw out 0 0"},
	} {
		if step.what == "a zone" {
			install("")
		}
		r := &pb.CreateSessionRequest{Pack: "org.example.checked"}
		r.Checked = c.check(t, r).GetDigest()
		c.output(t, c.create(t, r).GetId()) // as it was looked at it is started
		install(step.rest)
		_, err := c.sessions.CreateSession(t.Context(), connect.NewRequest(r))
		wantCode(t, step.what, err, connect.CodeFailedPrecondition)
		now := c.check(t, r)
		if len(now.GetVolumes()) != 1 {
			t.Fatalf("%s: it is said: %v", step.what, now)
		}
		v := now.GetVolumes()[0]
		if said := fmt.Sprint(v.GetTarget(), " ", v.GetMode(), " ", v.GetZone(), " ", v.GetBytes(), " ", v.GetFiles()); said != step.says {
			t.Errorf("%s: it is said: %s, want %s", step.what, said, step.says)
		}
	}

	// What a pattern of the pack has come to match since is in its plan alone: neither in its
	// digest nor in a word.
	files := filepath.Join(h.Home, "files")
	put := func(name string) {
		t.Helper()
		if err := errors.Join(os.MkdirAll(files, 0o755), os.WriteFile(filepath.Join(files, name), []byte("content"), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	put("one")
	install(`, "capabilities": ["fs.read:` + files + `/*"]`)
	r := &pb.CreateSessionRequest{Pack: "org.example.checked"}
	r.Checked = c.check(t, r).GetDigest()
	c.output(t, c.create(t, r).GetId()) // as it was looked at it is started
	put("two")
	_, err := c.sessions.CreateSession(t.Context(), connect.NewRequest(r))
	wantCode(t, "one more file", err, connect.CodeFailedPrecondition)
}

// A digest is the same each time as long as nothing changes, whatever a session has, so
// that what was looked at can be started.
func TestServeCheckedKinds(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	for what, r := range map[string]*pb.CreateSessionRequest{
		"a terminal":   {Terminal: &pb.Terminal{Rows: 24, Columns: 80}},
		"asking":       {Ask: pb.Ask_ASK_QUEUE, AskBy: "notification"},
		"a copy":       {Volumes: []string{h.Home + ":/copy:cow"}},
		"a network":    {Allow: []string{"net.connect:127.0.0.1:9"}},
		"requests":     {Allow: []string{"net.connect:localhost:9/http:GET"}},
		"a bound":      {Limits: map[string]string{"memory": "100M", "pids": "20", "disk": "10M"}},
		"a variable":   {Env: map[string]string{"A": "b"}},
		"a denial":     {Deny: []string{"fs.read:" + h.Home}},
		"what is kept": {Allow: []string{"storage.write:a"}},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			if what == "what is kept" {
				requireFUSE(t)
			}
			r.Argv, r.Dir = []string{"true"}, "/"
			seen := c.check(t, r)
			if !seen.GetStarts() {
				t.Fatalf("it is said: %v", seen)
			}
			r.Checked = seen.GetDigest()
			if _, bad, end := c.output(t, c.create(t, r).GetId()); end.GetExit() != 0 {
				t.Errorf("what was looked at ends with %v: %s", end, bad)
			}
		})
	}
}

// Volumes, variables and denials are said, also where nothing asks for what is denied, and
// with another one of them nothing is started.
func TestServeCheckedBeside(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	r := &pb.CreateSessionRequest{Argv: []string{"true"}, Dir: "/", Volumes: []string{h.Home + ":/data:ro"}, Env: map[string]string{"A": "b=c d", "E": ""}, Deny: []string{"fs.read:/nowhere"}}
	m := c.check(t, r)
	denied := func(row *pb.CheckedCapability) bool {
		return row.GetCapability() == "fs.read:/nowhere" && row.GetOutcome() == "deny" && !row.GetStops() && row.GetWhy() != ""
	}
	if !m.GetStarts() || !slices.Equal(m.GetEnv(), []string{"A=b=c d", "E="}) || !slices.ContainsFunc(m.GetCapabilities(), denied) || len(m.GetVolumes()) != 1 {
		t.Fatalf("it is said: %v", m)
	}
	r.Checked = m.GetDigest()
	c.output(t, c.create(t, r).GetId())
	for what, change := range map[string]func(*pb.CreateSessionRequest){
		"another value":  func(r *pb.CreateSessionRequest) { r.Env["A"] = "b=c" },
		"one more":       func(r *pb.CreateSessionRequest) { r.Env["B"] = "" },
		"a wider volume": func(r *pb.CreateSessionRequest) { r.Volumes = []string{h.Home + ":/data:rw"} },
		"no volume":      func(r *pb.CreateSessionRequest) { r.Volumes = nil },
		"no denial":      func(r *pb.CreateSessionRequest) { r.Deny = nil },
	} {
		other := proto.Clone(r).(*pb.CreateSessionRequest)
		change(other)
		_, err := c.sessions.CreateSession(t.Context(), connect.NewRequest(other))
		wantCode(t, what, err, connect.CodeFailedPrecondition)
	}
	_, err := c.sessions.CheckSession(t.Context(), connect.NewRequest(&pb.CheckSessionRequest{Session: &pb.CreateSessionRequest{Argv: []string{"true"}, Volumes: []string{"home:/data:ro"}}}))
	if wantCode(t, "a relative volume", err, connect.CodeInvalidArgument); err == nil || !strings.Contains(err.Error(), "volume home:/data:ro: ") {
		t.Errorf("it says %v, and not which one", err)
	}
}

// What would be denied is told as that; what could be none at all is an error.
func TestServeCheckDenied(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	m := c.check(t, &pb.CreateSessionRequest{Argv: []string{"true"}, Allow: []string{"fs.read:" + h.State}})
	stops := func(row *pb.CheckedCapability) bool {
		return row.GetStops() && row.GetOutcome() == "deny" && row.GetWhy() != ""
	}
	if m.GetStarts() || !slices.ContainsFunc(m.GetCapabilities(), stops) {
		t.Errorf("it is said: %v", m)
	}
	if got := c.recorded(t); got != 0 {
		t.Errorf("looking has left %d records", got)
	}
	for what, want := range map[string]struct {
		r    *pb.CreateSessionRequest
		code connect.Code
	}{
		"nothing":        {nil, connect.CodeInvalidArgument},
		"a flag":         {&pb.CreateSessionRequest{Pack: "--allow=fs.read:/", Dir: "/"}, connect.CodeFailedPrecondition},
		"no such one":    {&pb.CreateSessionRequest{Argv: []string{"no-such-program"}}, connect.CodeFailedPrecondition},
		"no such folder": {&pb.CreateSessionRequest{Argv: []string{"true"}, Dir: "/no/such"}, connect.CodeFailedPrecondition},
		"no such tier":   {&pb.CreateSessionRequest{Argv: []string{"true"}, Tier: "none"}, connect.CodeFailedPrecondition},
	} {
		_, err := c.sessions.CheckSession(t.Context(), connect.NewRequest(&pb.CheckSessionRequest{Session: want.r}))
		wantCode(t, what, err, want.code)
	}
}

// requireFUSE skips a test of what the kernel asks for through its device.
func requireFUSE(t *testing.T) {
	t.Helper()
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("requires: /dev/fuse that this user can open (%v)", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}
