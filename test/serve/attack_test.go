package serve_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/server/servertest"
	"ambit.dev/ambit/internal/store"
)

// caller is a program that asks the sockets that it is given by folder and name,
// once it is told to, and says what each of them answers.
const caller = `
import os, socket, sys
print("ready", flush=True)
sys.stdin.readline()
for path in sys.argv[1:]:
    try:
        os.chdir(os.path.dirname(path))
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(60)
        s.connect(os.path.basename(path))
    except OSError as e:
        print("no connection", e.errno, flush=True)
        continue
    try:
        s.sendall(b"POST /ambit.v1.HostService/GetVersion HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
        print("answer", s.recv(4096)[:15], flush=True)
    except OSError as e:
        print("no answer", e.errno, flush=True)
`

// A call is a running caller.
type call struct {
	cmd *exec.Cmd
	in  *os.File
	out *bufio.Scanner
	bad bytes.Buffer
}

// begin starts a caller, and waits until it is there.
func begin(t *testing.T, cmd *exec.Cmd) *call {
	t.Helper()
	c := &call{cmd: cmd}
	cmd.Stderr = &c.bad
	read, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdin, c.in = read, in
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = read.Close() // it has a copy
	c.out = bufio.NewScanner(out)
	t.Cleanup(func() { _ = in.Close() })
	if line := c.line(); line != "ready" {
		t.Fatalf("the caller says %q: %s", line, c.bad.String())
	}
	return c
}

func (c *call) line() string {
	c.out.Scan()
	return c.out.Text()
}

// answers tells the caller to go on, and returns what each socket said.
func (c *call) answers(t *testing.T, n int) (all []string) {
	t.Helper()
	if _, err := c.in.WriteString("go\n"); err != nil {
		t.Fatal(err)
	}
	for range n {
		all = append(all, c.line())
	}
	if err := c.cmd.Wait(); err != nil {
		t.Fatalf("the caller: %v %s", err, c.bad.String())
	}
	return all
}

// python is a caller outside.
func python(paths ...string) *exec.Cmd {
	return exec.Command("/usr/bin/python3", append([]string{"-c", caller}, paths...)...)
}

func served(answer string) bool { return strings.HasPrefix(answer, "answer b'HTTP/1.1 200") }

// unserved: closed without a byte, however the kernel says that.
func unserved(answer string) bool {
	return answer == "answer b''" || strings.HasPrefix(answer, "no answer")
}

// plainListener answers whoever connects.
func plainListener(t *testing.T, path string) {
	t.Helper()
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	l, err := net.Listen("unix", fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path)))
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 4096))
			_, _ = c.Write([]byte("HTTP/1.1 200 OK\r\n\r\n"))
			c.Close()
		}
	}()
}

// A sandboxed program has the person's uid. Where the socket is in a folder that it
// was granted, by another state, it connects to what is bound there later, and the
// host closes it out; a plain listener beside answers it.
func TestServeFromInside(t *testing.T) {
	t.Parallel()
	//nolint:usetesting // not beneath /tmp, which a sandbox has of its own
	dir, err := os.MkdirTemp(ownHome(t), ".ambit-inside-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	state := filepath.Join(dir, "granted", "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	sockets := []string{filepath.Join(state, "plain.sock"), filepath.Join(state, "host.sock")}
	run := exec.Command(binary, append([]string{"run", "--allow", "fs.write:" + filepath.Dir(state), "--", "/usr/bin/python3", "-c", caller}, sockets...)...)
	run.Dir = "/"
	run.Env = append(os.Environ(), "AMBIT_STATE_DIR="+filepath.Join(dir, "other"))
	inside := begin(t, run)
	h, err := servertest.Start(binary, filepath.Dir(state))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	plainListener(t, sockets[0])
	if got := begin(t, python(sockets...)).answers(t, 2); !served(got[0]) || !served(got[1]) {
		t.Errorf("outside: %q; want both to answer", got)
	}
	got := inside.answers(t, 2)
	if !served(got[0]) {
		t.Skipf("requires: a kernel on which sockets in a granted folder can be connected to: %q", got)
	}
	if !unserved(got[1]) {
		t.Errorf("a sandboxed program is answered %q", got[1])
	}
	if !strings.Contains(h.Said(), "is in a sandbox") {
		t.Errorf("the host says %s", h.Said())
	}
}

// In the host's own state nothing of it is there, whatever was granted around it; a
// grant of it is refused.
func TestServeStateHidden(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	socket := filepath.Join(h.State, "host.sock")
	run := h.Command("run", "--allow", "fs.write:"+h.Dir, "--", "/usr/bin/python3", "-c", caller, socket)
	if got := begin(t, run).answers(t, 1); !strings.HasPrefix(got[0], "no connection") {
		t.Errorf("inside: %q", got)
	}
	for _, name := range []string{"fs.read:" + h.State, "fs.write:" + h.State, "fs.write:" + socket, "fs.read:" + h.State + "/host"} {
		_, err := c.sessions.CreateSession(t.Context(), connect.NewRequest(&pb.CreateSessionRequest{Argv: []string{"true"}, Allow: []string{name}}))
		wantCode(t, name, err, connect.CodePermissionDenied)
	}
	_, err := c.sessions.CreateSession(t.Context(), connect.NewRequest(&pb.CreateSessionRequest{Argv: []string{"true"}, Volumes: []string{h.State + ":/data:rw"}}))
	wantCode(t, "a volume", err, connect.CodePermissionDenied)
}

// A process of this user in other namespaces is closed out, whoever made them.
func TestServeNamespaces(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	socket := filepath.Join(h.State, "host.sock")
	if got := begin(t, python(socket)).answers(t, 1); !served(got[0]) {
		t.Errorf("the host's own: %q", got)
	}
	for _, flags := range [][]string{{"-U", "-r"}, {"-U", "-r", "-m"}} {
		if exec.Command("unshare", append(flags, "true")...).Run() != nil {
			t.Skip("requires: user namespaces")
		}
		in := exec.Command("unshare", append(flags, "/usr/bin/python3", "-c", caller, socket)...)
		if got := begin(t, in).answers(t, 1); !unserved(got[0]) {
			t.Errorf("unshare %v: %q", flags, got)
		}
	}
}

// Another user is closed out, also where the modes of folder and socket would let
// them in.
func TestServeOtherUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("requires: root, to be another user")
	}
	h := newHost(t)
	socket := filepath.Join(h.State, "host.sock")
	other := func() string {
		cmd := python(socket)
		cmd.Dir = "/"
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		return begin(t, cmd).answers(t, 1)[0]
	}
	if got := other(); !strings.HasPrefix(got, "no connection 13") {
		t.Errorf("the modes let another user in: %q", got)
	}
	for _, dir := range []string{h.State, h.Dir, filepath.Dir(h.Dir)} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(socket, 0o777); err != nil {
		t.Fatal(err)
	}
	if got := other(); !unserved(got) {
		t.Errorf("another user is answered %q", got)
	}
	if got := begin(t, python(socket)).answers(t, 1); !served(got[0]) {
		t.Errorf("its own user is answered %q", got)
	}
}

// portsOf are the sockets of the internet that a process has open.
func portsOf(t *testing.T, pid int) (found []string) {
	t.Helper()
	inodes := map[string]string{}
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6", "raw", "raw6"} {
		text, err := os.ReadFile("/proc/self/net/" + table)
		if err != nil {
			continue // not on this kernel
		}
		for line := range strings.Lines(string(text)) {
			if words := strings.Fields(line); len(words) > 9 {
				inodes["socket:["+words[9]+"]"] = table + " " + words[1]
			}
		}
	}
	all, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/fd/*")
	if err != nil || len(all) == 0 {
		t.Fatalf("process %d has no descriptors: %v", pid, err)
	}
	for _, fd := range all {
		if to, err := os.Readlink(fd); err == nil && inodes[to] != "" {
			found = append(found, inodes[to])
		}
	}
	return found
}

// Nothing listens on the network, whatever was asked for.
func TestServeNoPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if len(portsOf(t, os.Getpid())) == 0 {
		t.Fatal("this test's own port is not found")
	}
	h := newHost(t)
	c := newClient(t, h)
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"true"}})
	c.output(t, s.GetId())
	if _, err := c.grants.ListGrants(t.Context(), connect.NewRequest(&pb.ListGrantsRequest{})); err != nil {
		t.Fatal(err)
	}
	if ports := portsOf(t, h.PID()); len(ports) > 0 {
		t.Errorf("the host has %v", ports)
	}
}

// What is another principal's in the same store is not there for a caller: not in
// lists, not by its id, and not to change.
func TestServeSomebodyElses(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := newClient(t, h)
	const other, now = "uid:4242", "g-aaaaaaaaaa"
	name, err := capability.Parse("fs.read:" + h.Home + "/theirs")
	if err != nil {
		t.Fatal(err)
	}
	g := grant.Grant{ID: now, Principal: other, Capability: name, Outcome: grant.Allow, Lifespan: grant.Lifespan{Span: grant.Always}, Origin: "a test", Created: time.Now().UTC()}
	mine := g
	mine.ID, mine.Principal = "g-bbbbbbbbbb", fmt.Sprintf("uid:%d", os.Getuid())
	row := store.Approval{ID: "d-aaaaaaaaaa", Session: "s-aaaaaaaaaa", Principal: other, Program: "/bin/cat", PID: 1, Argv: []string{"cat"}, Capability: name,
		Offers: []store.Offer{{Capability: name, Scope: "file", Words: "it"}}, Asked: time.Now(), Expires: time.Now().Add(time.Hour)}
	own := row
	own.ID, own.Principal = "d-bbbbbbbbbb", mine.Principal
	put(t, h, []grant.Grant{g, mine}, []store.Approval{row, own})
	questions, err1 := c.questions.ListQuestions(t.Context(), connect.NewRequest(&pb.ListQuestionsRequest{}))
	grants, err2 := c.grants.ListGrants(t.Context(), connect.NewRequest(&pb.ListGrantsRequest{Ended: true}))
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if all := questions.Msg.GetQuestions(); len(all) != 1 || all[0].GetId() != own.ID {
		t.Errorf("the caller's questions are %v", all)
	}
	if all := grants.Msg.GetGrants(); len(all) != 1 || all[0].GetId() != mine.ID {
		t.Errorf("the caller's grants are %v", all)
	}
	_, err = c.questions.AnswerQuestion(t.Context(), connect.NewRequest(&pb.AnswerQuestionRequest{Id: row.ID, Verdict: pb.Verdict_VERDICT_ALLOW}))
	wantCode(t, "an answer to somebody else's question", err, connect.CodeNotFound)
	_, err = c.grants.RevokeGrants(t.Context(), connect.NewRequest(&pb.RevokeGrantsRequest{Ids: []string{mine.ID, g.ID}}))
	wantCode(t, "a revocation of somebody else's grant", err, connect.CodeNotFound)
	if _, err := c.grants.RevokeGrants(t.Context(), connect.NewRequest(&pb.RevokeGrantsRequest{Ids: []string{mine.ID}})); err != nil {
		t.Errorf("a revocation of the caller's own grant: %v", err)
	}
	for _, ref := range []string{"1", "3"} { // who opened it is nobody's; the third is theirs
		m, err := c.audit.GetRecord(t.Context(), connect.NewRequest(&pb.GetRecordRequest{Ref: ref}))
		if ref == "1" && err != nil || ref == "3" && connect.CodeOf(err) != connect.CodeNotFound {
			t.Errorf("record %s: %v %v", ref, m, err)
		}
	}
}

// put puts grants, questions and two records, the second of somebody else, into the
// state of a host.
func put(t *testing.T, h *servertest.Host, grants []grant.Grant, questions []store.Approval) {
	t.Helper()
	db := &store.Database{Path: filepath.Join(filepath.Dir(binary), "ambit-store")}
	st, err := db.Open(filepath.Join(h.State, "ambit.db"))
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range grants {
		err = errors.Join(err, st.AddGrant(t.Context(), g))
	}
	list, bad := db.OpenList(filepath.Join(h.State, "sessions.db"))
	if err = errors.Join(err, bad); err != nil {
		t.Fatal(err)
	}
	for _, q := range questions {
		err = errors.Join(err, list.AddApproval(t.Context(), q))
	}
	t.Cleanup(func() { list.Close() }) // whoever asks is there as long
	if err = errors.Join(err, st.Close()); err != nil {
		t.Fatal(err)
	}
	l, err := audit.Open(filepath.Join(h.State, "audit"), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{questions[1].Principal, questions[0].Principal} {
		r, bad := audit.New(audit.DecisionBody{Capability: "fs.read:/x", Outcome: "deny"})
		r.Principal = who
		_, failed := l.Append(t.Context(), r)
		err = errors.Join(err, bad, failed)
	}
	if err = errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
}

// ownHome is a folder that is not beneath /tmp.
func ownHome(t *testing.T) string {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	return home
}
