package serve_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	pb "ambit.dev/ambit/api/ambit/v1"
	"ambit.dev/ambit/internal/server/servertest"
)

// typer types into every terminal of a host that it finds beneath a folder, when it is
// told to.
const typer = `
import base64, glob, os, socket, sys
print("ready", flush=True)
sys.stdin.readline()
for path in glob.glob(sys.argv[1] + "/host/sessions/*/input"):
    os.chdir(os.path.dirname(path))
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(60)
    try:
        s.connect("input")
    except OSError as e:
        print("no connection", e.errno, flush=True)
        continue
    try:
        s.send(b'{"writer":"%s","data":"%s"}' % (sys.argv[2].encode(), base64.b64encode(sys.argv[2].encode() + b"\n")))
        print("answer", s.recv(4096), flush=True)
    except OSError as e:
        print("no answer", e.errno, flush=True)
`

// A sandboxed program that was granted the folder in which the terminals of another
// host's sessions lie types into none of them: what keeps them closes it out, and
// answers the same program outside.
func TestServeTypeFromInside(t *testing.T) {
	t.Parallel()
	//nolint:usetesting // not beneath /tmp, which a sandbox has of its own
	dir, err := os.MkdirTemp(ownHome(t), ".ambit-type-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	state := filepath.Join(dir, "granted", "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		t.Fatal(err)
	}
	run := exec.Command(binary, "run", "--allow", "fs.write:"+filepath.Dir(state), "--", "/usr/bin/python3", "-c", typer, state, "inside")
	run.Dir = "/"
	run.Env = append(os.Environ(), "AMBIT_STATE_DIR="+filepath.Join(dir, "other"))
	inside := begin(t, run)
	h, err := servertest.Start(binary, filepath.Dir(state))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	c := newClient(t, h)
	s := c.create(t, &pb.CreateSessionRequest{Argv: []string{"sh", "-c", "echo ready; read line; echo got=$line"}, Terminal: eighty})
	w := c.typist(t, s.GetId())
	w.until("ready")
	answers := inside.answers(t, 1)
	outside := begin(t, exec.Command("/usr/bin/python3", "-c", typer, state, "outside"))
	if got := outside.answers(t, 1); !strings.HasPrefix(got[0], `answer b'{"next":8`) {
		t.Fatalf("outside: %q", got)
	}
	if all, _ := w.until(""); !strings.Contains(all, "got=outside") || strings.Contains(all, "inside") {
		t.Errorf("a sandboxed program typed: %q", all)
	}
	if strings.HasPrefix(answers[0], "no connection") {
		t.Skipf("requires: a kernel on which sockets in a granted folder can be connected to: %q", answers)
	}
	if !unserved(answers[0]) {
		t.Errorf("a sandboxed program is answered %q", answers[0])
	}
}
