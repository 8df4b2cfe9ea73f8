package script_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// storms are what a program inside does to its network, one after another. It
// says a line after each and goes on when it is told to.
const storms = `
import os, resource, select, socket, struct, sys
host, port, closed = "host.ambit.internal", int(sys.argv[1]), int(sys.argv[2])
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
crowd = int(sys.argv[3])
at = socket.gethostbyname(host)

def say(*words):
    print(*words, flush=True)
    sys.stdin.readline()

def open_all(n, first):
    "opens n connections at once, and sends what each server waits for"
    p, socks = select.poll(), {}
    for _ in range(n):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex((at, port))
        socks[s.fileno()] = s
        p.register(s, select.POLLOUT)
    left = n
    while left:
        for fd, event in p.poll(60000) or sys.exit("connections do not come"):
            s = socks[fd]
            if e := s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                sys.exit(f"connection {n - left} of {n} fails: {os.strerror(e)}")
            p.unregister(fd)
            s.setblocking(True)
            s.settimeout(60)
            s.sendall(first)
            left -= 1
    return list(socks.values())

def read_all(s):
    got = b""
    while True:
        b = s.recv(65536)
        if not b: return got
        got += b

say("begun")
all = []
while len(all) < crowd: all += open_all(500, b"e")
assert [s.recv(1) for s in all] == [b"e"] * crowd
say("crowd")
if crowd == 5000:                  # as many as there may be: one more is refused, those that are there live on
    s = socket.socket()
    assert s.connect_ex((at, port))
    s.close()
    for s in all: s.sendall(b"e")
for s in all: s.close()

all = open_all(50, b"f")          # each is sent as much as it takes, and takes nothing
say("slow")
for s in all: s.close()

all = open_all(200, b"h")
for s in all: s.shutdown(socket.SHUT_WR)
assert [read_all(s) for s in all] == [b"half" * 1000] * 200
for s in all: s.close()
say("half")

for _ in range(5):
    for s in open_all(200, b"f"):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        s.close()
say("reset")

refused = 0
for _ in range(300):
    s = socket.socket()
    if s.connect_ex((at, closed)): refused += 1
    s.close()
assert refused == 300
say("refused")

s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for i in range(5000):
    try: s.sendto(b"x" * 512, ("198.18.7.7", i % 60000 + 1))
    except ConnectionRefusedError: pass
answered = 0
for i in range(300):               # more sources than there may be exchanges
    d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    d.settimeout(0.02 if i >= 200 else 1)
    for _ in range(1 if i >= 200 else 60):  # what comes while queues are full is lost, as anywhere
        try:
            d.sendto(b"x", (at, port))
            if d.recv(10) == b"x":
                answered += 1
                break
        except OSError: pass
    d.close()
assert answered >= 200, answered
say("datagrams")
s = open_all(1, b"e")[0]
assert s.recv(1) == b"e"
s.close()
say("still")
`

// stormServer is the other end: 'e' it echoes, 'f' it floods, 'h' it answers when
// nothing more comes. It echoes datagrams too.
func stormServer(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	u, err := net.ListenPacket("udp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := u.ReadFrom(buf)
			if err != nil {
				return
			}
			_, _ = u.WriteTo(buf[:n], from)
		}
	}()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go storm(c.(*net.TCPConn))
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func storm(c *net.TCPConn) {
	defer c.Close()
	first := make([]byte, 1)
	if _, err := io.ReadFull(c, first); err != nil {
		return
	}
	switch first[0] {
	case 'f':
		block := bytes.Repeat([]byte("flood"), 10_000)
		for {
			if _, err := c.Write(block); err != nil {
				return
			}
		}
	case 'h':
		_, _ = io.Copy(io.Discard, c)
		_, _ = c.Write(bytes.Repeat([]byte("half"), 1000))
	default:
		_, _ = c.Write(first)
		_, _ = io.Copy(io.Discard, c)
	}
}

var load = flag.Bool("load", false, "test the network with as many connections as there may be")

// TestStorms: a thousand connections at once (with -load five thousand, and one more), readers that do not read, ends that
// are half closed, resets, refusals and datagrams by the thousand leave nothing
// behind: no flow, no descriptor, no thread, no memory, and a network that works.
func TestStorms(t *testing.T) {
	needPython(t)
	b := newBench(t)
	port, crowd := stormServer(t), 1000
	if *load {
		crowd = 5000
	}
	cmd := exec.CommandContext(t.Context(), binary, "run", "--allow", fmt.Sprintf("net.connect:host.ambit.internal:%d", port),
		"--allow", fmt.Sprintf("net.connect:host.ambit.internal:%d/udp", port),
		"--", "/usr/bin/python3", "-c", storms, strconv.Itoa(port), strconv.Itoa(freePort(t)), strconv.Itoa(crowd))
	cmd.Dir, cmd.Env = b.dir, b.env
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	r := b.startCommand(cmd)
	on := func(want string) {
		t.Helper()
		r.says(t, want)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("what was refused:\n%s", b.refused())
		}
	})
	tell := func() { _, _ = io.WriteString(in, "\n") }
	network := func() shownNetwork {
		t.Helper()
		var all []shownNetwork
		if err := json.Unmarshal([]byte(b.run("net", "--json").out), &all); err != nil || len(all) != 1 {
			t.Fatalf("%v: %+v", err, all)
		}
		return all[0]
	}
	flows := func() int { return len(network().Flows) }
	there := func(want int) {
		t.Helper()
		begin, less := time.Now(), 1<<20 // fewer and fewer is no leak, but a busy machine
		for since := begin; ; time.Sleep(50 * time.Millisecond) {
			n := network()
			if len(n.Flows) == want {
				return
			}
			if len(n.Flows) < less {
				less, since = len(n.Flows), time.Now()
			}
			if time.Since(since) > patience {
				t.Fatalf("after %s there are %d flows, want %d: %+v", time.Since(begin), len(n.Flows), want, n)
			}
		}
	}
	on("begun")
	egress := childOf(t, cmd.Process.Pid, "ambit-egress")
	before, launcher := descriptors(egress), descriptors(cmd.Process.Pid)
	tell()
	on("crowd")
	there(crowd)
	memory(t, egress, "with a crowd")
	tell()
	on("slow")
	there(50)
	memory(t, egress, "with readers that do not read")
	tell()
	for _, what := range []string{"half", "reset", "refused"} {
		on(what)
		there(0)
		memory(t, egress, "after "+what)
		tell()
	}
	on("datagrams")
	if n := flows(); n > 256 {
		t.Errorf("there are %d exchanges of datagrams", n)
	}
	tell()
	on("still")
	memory(t, egress, "after all")
	if n := threads(egress); n > 64 {
		t.Errorf("the egress process has %d threads", n)
	}
	// Exchanges of datagrams last a minute; each has two descriptors at most.
	until(t, fmt.Sprintf("that the egress process, which had %d descriptors, has as many", before), func() bool {
		exchanges := flows()
		return descriptors(egress) <= before+2*exchanges+16
	})
	until(t, fmt.Sprintf("that the launcher, which had %d descriptors, has as many", launcher), func() bool {
		return descriptors(cmd.Process.Pid) <= launcher+16
	})
	tell()
	if err := r.Wait(); err != nil {
		t.Errorf("%v: %s", err, r.err.String())
	}
	if strings.Contains(r.err.String(), "ended") {
		t.Errorf("it says %q", r.err.String())
	}
	b.run("audit", "verify").want(t, 0)
}

// refused is what the log has of connections that were refused, or failed.
func (b *bench) refused() string {
	var all []struct {
		Kind string
		Body struct{ Outcome, End string }
	}
	out := b.run("audit", "ls", "--json", "-n", "0").out
	var texts []struct{ Body json.RawMessage }
	if err := errors.Join(json.Unmarshal([]byte(out), &all), json.Unmarshal([]byte(out), &texts)); err != nil {
		return err.Error()
	}
	var said bytes.Buffer
	for i, r := range all {
		if r.Body.Outcome == "deny" || r.Body.End != "" && r.Body.End != "done" && r.Body.End != "reset" {
			_ = json.Compact(&said, texts[i].Body) // it was read above
			said.WriteByte('\n')
		}
	}
	return said.String()
}

// childOf finds the process with a name that a launcher has started.
func childOf(t *testing.T, launcher int, name string) int {
	t.Helper()
	all, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", launcher))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range all {
		text, _ := os.ReadFile(file) // a thread may be gone
		for field := range strings.FieldsSeq(string(text)) {
			if comm, _ := os.ReadFile("/proc/" + field + "/comm"); string(comm) == name+"\n" {
				pid, err := strconv.Atoi(field)
				if err != nil {
					t.Fatal(err)
				}
				return pid
			}
		}
	}
	t.Fatalf("no %s among the children of %d", name, launcher)
	return 0
}

// descriptors is how many a process has; 0 where it may not be looked at: what is
// undumpable may be by root alone.
func descriptors(pid int) int {
	all, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(all)
}

func threads(pid int) int {
	all, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	return len(all)
}

// mostMemory is how much an egress process may take, in kB: 60 MB, and what the
// collector of garbage may be behind on a machine that does other things too.
const mostMemory = 80 << 10

// memory holds a process to what it may take.
func memory(t *testing.T, pid int, when string) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			n, err := strconv.Atoi(f[1])
			t.Logf("%s the egress process has %d kB", when, n)
			if err != nil || n > mostMemory {
				t.Errorf("%s the egress process has %d kB (%v)", when, n, err)
			}
		}
	}
}
