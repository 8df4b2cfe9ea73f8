package serve_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"connectrpc.com/connect"
	"golang.org/x/sys/unix"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/keep"
	"ambit.dev/ambit/internal/server/servertest"
)

// standsBy waits until a launcher of this host stands by, and says which it is.
func standsBy(t *testing.T, h *servertest.Host) (launcher int) {
	t.Helper()
	until(t, "no launcher stands by", func() bool {
		if numbers(t, h, "ambit_launchers_standing") == 0 {
			return false // one that is being made begins nothing
		}
		for _, keeper := range h.Keepers() {
			lists, _ := filepath.Glob(filepath.Join("/proc", keeper, "task", "*", "children")) // whichever thread started it
			for _, list := range lists {
				below, _ := os.ReadFile(list)
				for pid := range strings.FieldsSeq(string(below)) {
					line, _ := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
					if strings.HasPrefix(string(line), "ambit\x00run\x00--standby\x00") && !listed(t, h, pid) {
						launcher, _ = strconv.Atoi(pid)
					}
				}
			}
		}
		return launcher != 0
	})
	return launcher
}

// listed reports whether a process looks after a session.
func listed(t *testing.T, h *servertest.Host, pid string) bool {
	t.Helper()
	return slices.Contains(launchers(t, h), pid)
}

func launchers(t *testing.T, h *servertest.Host) (pids []string) {
	t.Helper()
	text, err := h.Command("ps", "--json").Output()
	var rows []struct{ PID int }
	if err = errors.Join(err, json.Unmarshal(text, &rows)); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		pids = append(pids, strconv.Itoa(r.PID))
	}
	return pids
}

// A session is begun by a launcher that stood by, and is as any other: folder,
// variables, output, exit status, denials.
func TestStandBy(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	by := standsBy(t, h)
	secret := filepath.Join(h.Home, "secret")
	folder := filepath.Join(h.Home, "folder")
	if err := errors.Join(os.WriteFile(secret, []byte("secret"), 0o600), os.Mkdir(folder, 0o755)); err != nil {
		t.Fatal(err)
	}
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sh", "-c", "pwd; echo $WORD; cat; ls -A /proc/self/fd | wc -w; cat " + secret + "; until [ -e end ]; do sleep 0.1; done"},
		Dir: folder, Allow: []string{"fs.read:" + folder}, Env: map[string]string{"WORD": "a b"}})
	until(t, "the session is not looked after by the launcher that stood by", func() bool { return listed(t, h, strconv.Itoa(by)) })
	if err := os.WriteFile(filepath.Join(folder, "end"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	// Descriptors of ls: its own three, and the folder that it reads.
	if out, bad, _ := c.output(t, s.GetId()); out != folder+"\na b\n4\n" || !strings.Contains(bad, "No such file") {
		t.Errorf("it wrote %q and %q", out, bad)
	}
	begun := func(by string) float64 { return numbers(t, h, `ambit_sessions_begun_total{launcher="`+by+`"}`) }
	standsBy(t, h)
	c.create(t, &pb.CreateSessionRequest{Argv: []string{"cat"}, Stdin: []byte("what nobody types")})
	if standing, other := begun("standing"), begun("new"); standing != 1 || other != 1 {
		t.Errorf("of two sessions, %v are counted as begun by a launcher that stood by, and %v by a new one", standing, other)
	}
}

// What a session wants that no sandbox has that stands by is counted by what it is.
func TestStandByAnew(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	folder := filepath.Join(h.Home, "folder")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for want, r := range map[string]*pb.CreateSessionRequest{
		"used":   {Allow: []string{"fs.read:" + folder}},
		"home":   {Home: "none"},
		"asking": {Ask: pb.Ask_ASK_QUEUE},
		"grants": {Allow: []string{"fs.read:" + h.Home}}, // in its place there is an empty one
	} {
		if want == "asking" && unix.Access("/dev/fuse", unix.R_OK|unix.W_OK) != nil {
			continue // nobody can be asked
		}
		r.Argv = []string{"true"}
		count := func() float64 {
			return numbers(t, h, `ambit_sandboxes_stood_by_total{outcome="`+want+`"}`)
		}
		before := count()
		until(t, "what stood by is not counted as "+want, func() bool { // others mount, too
			standsBy(t, h)
			c.output(t, c.create(t, r).GetId())
			return count() > before
		})
	}
}

// What was decided after a launcher began to stand by holds for what it launches: what
// is denied is denied, and what is granted is there.
func TestStandByDecidesAnew(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	standsBy(t, h)
	file := filepath.Join(h.Home, "file")
	if err := os.WriteFile(file, []byte("granted\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := c.grants.AddGrants(t.Context(), connect.NewRequest(&pb.AddGrantsRequest{Capabilities: []string{"fs.read:" + file}, Verdict: pb.Verdict_VERDICT_ALLOW})); err != nil {
		t.Fatal(err)
	}
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"cat", file}})
	if out, bad, _ := c.output(t, s.GetId()); out != "granted\n" {
		t.Errorf("it wrote %q and %q", out, bad)
	}
	standsBy(t, h)
	if _, err := c.grants.AddGrants(t.Context(), connect.NewRequest(&pb.AddGrantsRequest{Capabilities: []string{"fs.read:" + file}, Verdict: pb.Verdict_VERDICT_DENY})); err != nil {
		t.Fatal(err)
	}
	s = c.create(t, &pb.CreateSessionRequest{Argv: []string{"cat", file}})
	if out, bad, end := c.output(t, s.GetId()); out != "" || end.GetExit() == 0 {
		t.Errorf("after it was denied it wrote %q and %q, and ended with %v", out, bad, end)
	}
}

// Whatever is lost of what stands by, sessions begin; and with the host nothing of it
// is left.
func TestStandByLost(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	standsBy(t, h)
	for _, keeper := range h.Keepers() {
		pid, _ := strconv.Atoi(keeper)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"echo", "begun"}})
	if out, bad, _ := c.output(t, s.GetId()); out != "begun\n" {
		t.Errorf("it wrote %q and %q", out, bad)
	}
	by := standsBy(t, h)
	if err := syscall.Kill(by, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "a sandbox stands by for a launcher that was killed", func() bool { return len(standing(t, by)) == 0 })
	if by = standsBy(t, h); by == 0 {
		t.Fatal("no launcher stands by in its place")
	}
	var inside []int
	until(t, "no sandbox stands by", func() bool { inside = standing(t, by); return len(inside) > 0 })
	if err := h.End(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	until(t, "a launcher or a sandbox stands by for a host that was killed", func() bool {
		return len(h.Keepers()) == 0 && !slices.ContainsFunc(append(inside, by), func(pid int) bool { return syscall.Kill(pid, 0) == nil })
	})
}

// standing are the processes of sandboxes that a launcher has made and not used.
func standing(t *testing.T, launcher int) (pids []int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		text, _ := os.ReadFile(name) // it may have ended
		for line := range strings.Lines(string(text)) {
			if strings.TrimSpace(line) == "PPid:\t"+strconv.Itoa(launcher) {
				pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// A launcher that was told of a session, and not that it is its own, leaves no trace of
// it: nothing runs, and nothing is recorded.
func TestStandByNotClaimed(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for claim, want := range map[string]bool{"": false, "x": false, "\n": true} {
		id, file := audit.NewID("s"), filepath.Join(h.Home, "begun")
		text, err := json.Marshal(keep.Launch{Args: []string{"run", "--session-id=" + id, "--ask=none", "--allow=fs.write:" + h.Home, "--", "touch", file}, Dir: h.Home})
		if err != nil {
			t.Fatal(err)
		}
		cmd := h.Command("run", "--"+keep.StandByFlag, keep.StateFlag+h.State)
		read := [2]*os.File{}
		for i, text := range []string{string(text), claim} { // LaunchFD, ClaimFD
			from, to, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			_, err = to.WriteString(text)
			if read[i], err = from, errors.Join(err, to.Close()); err != nil {
				t.Fatal(err)
			}
		}
		stands, err := os.CreateTemp(t.TempDir(), "stands")
		if err != nil {
			t.Fatal(err)
		}
		cmd.ExtraFiles = append(read[:], stands)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(read[0].Close(), read[1].Close()); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); (err == nil) != want {
			t.Errorf("claimed by %q: it ended with %v", claim, err)
		}
		if _, err := os.Lstat(file); (err == nil) != want {
			t.Errorf("claimed by %q, the program has run: %v", claim, err == nil)
		}
		var log []byte
		segments, _ := filepath.Glob(filepath.Join(h.State, "audit", "*")) // there may be no log yet
		for _, s := range segments {
			text, _ := os.ReadFile(s)
			log = append(log, text...)
		}
		if strings.Contains(string(log), id) != want {
			t.Errorf("claimed by %q, the log has: %s", claim, log)
		}
		_ = os.Remove(file) // for the next one
	}
}

// A sandbox that stands by has a copy of the host's mounts as they were: where they
// are others now, it is not used.
func TestStandByMoved(t *testing.T) { // alone: what stands by for other tests would go
	if os.Getuid() != 0 {
		t.Skip("requires: root, to mount something")
	}
	h := newHost(t)
	c := newClient(t, h)
	standsBy(t, h)
	folder := filepath.Join(h.Home, "mounted")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("none", folder, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("requires: a host that lets root mount: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, []byte("granted\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"cat", file}, Allow: []string{"fs.read:" + file}})
	if out, bad, _ := c.output(t, s.GetId()); out != "granted\n" {
		t.Errorf("it wrote %q and %q", out, bad)
	}
	// One that nobody wants does not keep in use for long what the host takes out.
	by := standsBy(t, h)
	other := filepath.Join(h.Home, "other")
	if err := errors.Join(os.Mkdir(other, 0o755), unix.Mount("none", other, "tmpfs", 0, "size=64k"), unix.Unmount(other, 0)); err != nil {
		t.Fatal(err)
	}
	until(t, "the launcher still stands by", func() bool { return errors.Is(syscall.Kill(by, 0), syscall.ESRCH) })
	standsBy(t, h)
}
