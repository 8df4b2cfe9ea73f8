package script_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shownNetwork is a line of `ambit net --json`.
type shownNetwork struct {
	Session, Program string
	PID              int
	Carried          struct{ Flows, Refused int }
	Ports            []struct {
		Port int
		At   string
	}
	Flows []struct {
		Name, Dialled, Program string
		Open                   bool
		In, Out                int
	}
}

// TestNet: what a session does in the network is shown while it runs, and nothing
// of it afterwards, however it ended.
func TestNet(t *testing.T) {
	needPython(t)
	b := newBench(t)
	port, _ := server(t)
	at := freePort(t)
	b.run("net").want(t, 0, "No session with a network runs.")
	const program = `
import socket, sys
try: socket.create_connection(("10.0.0.1", 80))
except OSError: pass
s = socket.create_connection(("host.ambit.internal", int(sys.argv[1])))
s.sendall(b"GET /stream HTTP/1.0\r\n\r\n")
s.recv(10)
print("connected", flush=True)
while s.recv(100): pass
`
	r := b.start("run", "--allow", "net.connect:host.ambit.internal:"+port, "--allow", fmt.Sprintf("net.listen:8000/%d", at), "--",
		"/usr/bin/python3", "-c", program, port)
	r.says(t, "connected")
	var all []shownNetwork
	if err := json.Unmarshal([]byte(b.run("net", "--json").out), &all); err != nil || len(all) != 1 {
		t.Fatalf("%v: %+v", err, all)
	}
	n := all[0]
	if n.Program != "/usr/bin/python3" || n.PID != r.Process.Pid || len(n.Ports) != 1 || n.Ports[0].At != fmt.Sprintf("127.0.0.1:%d", at) || n.Carried.Refused != 1 {
		t.Errorf("%+v", n)
	}
	if len(n.Flows) != 1 || n.Flows[0].Name != "host.ambit.internal" || !n.Flows[0].Open || n.Flows[0].In == 0 || n.Flows[0].Out != 24 ||
		n.Flows[0].Dialled != "127.0.0.1:"+port {
		t.Errorf("%+v", n.Flows)
	}
	b.run("net").want(t, 0, n.Session+"  python3", "open", "host.ambit.internal:"+port, fmt.Sprintf("127.0.0.1:%d leads to its port 8000", at))
	b.run("net", n.Session).want(t, 0, n.Session)
	b.run("net", "s-none").want(t, 125, "no session")

	// Another sandbox cannot ask, whatever it was granted around the state.
	inside := b.run("run", "--allow", "fs.read:"+filepath.Dir(b.state()), "--", "ls", b.state(), b.state()+"/live")
	if strings.Contains(inside.out, n.Session) || strings.Contains(inside.out, "live") {
		t.Errorf("a sandbox sees what another one does: %s", inside.out)
	}
	if err := r.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = r.Wait()
	b.run("net", "--json").want(t, 0, "[]")
	if left, err := os.ReadDir(b.state() + "/live"); err != nil || len(left) != 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// TestNetWatch shows it again and again until it is told to stop.
func TestNetWatch(t *testing.T) {
	b := newBench(t)
	cmd := b.command("net", "--watch", "--json")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() == "[]"; {
		_ = cmd.Process.Signal(os.Interrupt) // once more does no harm
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// state is where the grants and the log of a bench lie.
func (b *bench) state() string {
	for _, kv := range b.env {
		if dir, ok := strings.CutPrefix(kv, "AMBIT_STATE_DIR="); ok {
			return dir
		}
	}
	return ""
}
