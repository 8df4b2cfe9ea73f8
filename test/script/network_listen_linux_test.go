package script_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// echoServer listens on the sandbox's port and says who it is to three who come.
const echoServer = `
import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("127.0.0.1", int(sys.argv[1])))
try:
    s.listen()
except OSError as e:
    sys.exit("cannot listen: " + e.strerror)
print("listening", flush=True)
for _ in range(int(sys.argv[2])):
    c, _ = s.accept()
    c.sendall(b"inside " + c.recv(100))
    c.close()
`

// given are the ports that freePort has returned.
var given sync.Map

// freePort is a port of the host that nobody has, and that nobody gets who takes what
// the kernel chooses: it chooses higher ones. No two tests get the same.
func freePort(t *testing.T) int {
	t.Helper()
	for range 200 {
		port := 10_000 + rand.IntN(20_000)
		l, err := net.Listen("tcp4", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			continue // somebody has it
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, known := given.LoadOrStore(port, true); !known {
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// call sends a text to a port of the host and returns the answer.
func call(port int, text string) (string, error) {
	c, err := net.DialTimeout("tcp4", "127.0.0.1:"+strconv.Itoa(port), patience)
	if err != nil {
		return "", err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, text); err != nil {
		return "", err
	}
	b, err := io.ReadAll(c)
	return string(b), err
}

// A serving program, and what it says.
type serving struct {
	*exec.Cmd
	lines *bufio.Scanner
	err   strings.Builder
}

func (b *bench) start(args ...string) *serving {
	b.t.Helper()
	return b.startCommand(b.command(args...))
}

func (b *bench) startCommand(cmd *exec.Cmd) *serving {
	b.t.Helper()
	r := &serving{Cmd: cmd}
	out, err := r.StdoutPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	r.Stderr, r.lines = &r.err, bufio.NewScanner(out)
	if err := r.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		_ = r.Process.Kill() // it may have ended
		_ = r.Wait()
	})
	return r
}

// says waits for a line of the program.
func (r *serving) says(t *testing.T, want string) {
	t.Helper()
	if !r.lines.Scan() || r.lines.Text() != want {
		_ = r.Wait()
		t.Fatalf("it says %q %q, want %q", r.lines.Text(), r.err.String(), want)
	}
}

func needPython(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/usr/bin/python3"); err != nil {
		t.Skip("requires: /usr/bin/python3")
	}
}

// TestListen: the host's loopback leads to a port that was granted, and to no
// other one of the program.
func TestListen(t *testing.T) {
	needPython(t)
	b := newBench(t)
	at, closed := freePort(t), freePort(t)
	r := b.start("run", "--allow", fmt.Sprintf("net.listen:8000/%d", at), "--", "/usr/bin/python3", "-c", echoServer, "8000", "2")
	r.says(t, "listening")
	for range 2 {
		if got, err := call(at, "hello"); err != nil || got != "inside hello" {
			t.Errorf("%q, %v", got, err)
		}
	}
	if err := r.Wait(); err != nil {
		t.Errorf("%v: %s", err, r.err.String())
	}
	if _, err := call(at, "hello"); err == nil {
		t.Error("the port outlives the program")
	}
	// The control: without the grant the same server is reached by nobody.
	r = b.start("run", "--allow", "net.connect:192.0.2.1:1", "--", "/usr/bin/python3", "-c", echoServer, strconv.Itoa(closed), "1")
	r.says(t, "listening")
	if got, err := call(closed, "hello"); err == nil {
		t.Errorf("a port that was not granted answers %q", got)
	}
	_ = r.Process.Kill()
	_ = r.Wait()
	out := b.run("audit", "ls", "--json", "-n", "0").out
	if !strings.Contains(strings.ReplaceAll(out, " ", ""), fmt.Sprintf(`"capability":"net.listen:8000/%d"`, at)) {
		t.Error("who came is not in the log")
	}
	for _, want := range []string{`"inbound":true`, `"from":"127.0.0.1:`} {
		if !strings.Contains(strings.ReplaceAll(out, " ", ""), want) {
			t.Errorf("the log has no %s", want)
		}
	}
	b.run("audit", "verify").want(t, 0)
}

// TestListenTaken: a port that somebody has is not taken from him, and the person
// is told who it is and what to do.
func TestListenTaken(t *testing.T) {
	b := newBench(t)
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	r := b.run("run", "--allow", fmt.Sprintf("net.listen:%d", port), "--", "true")
	r.want(t, 125)
	for _, want := range []string{fmt.Sprintf("port %d of this machine is taken: ", port), fmt.Sprintf("(process %d) listens there", os.Getpid()),
		fmt.Sprintf("--allow net.listen:%d/", port)} {
		if !strings.Contains(r.err, want) {
			t.Errorf("got %q, want %q", r.err, want)
		}
	}
	// Another session that has it is named.
	at := freePort(t)
	other := b.start("run", "--allow", fmt.Sprintf("net.listen:8000/%d", at), "--", "sh", "-c", "echo begun; exec sleep 1000")
	other.says(t, "begun")
	b.run("run", "--allow", fmt.Sprintf("net.listen:%d", at), "--", "true").want(t, 125, "session s-", "(sh) has it, which runs")
	_ = other.Process.Kill()
	_ = other.Wait()
	b.run("run", "--allow", "net.listen:80", "--", "true").want(t, 125, "from 1024 on, as in net.listen:80/8080")
}

// TestListenAsked: the program waits in listen(2) while a person is asked, and a no
// leaves it to listen where nobody comes.
func TestListenAsked(t *testing.T) {
	needPython(t)
	b := newHiddenBench(t)
	yes, no, taken := freePort(t), freePort(t), freePort(t)
	server := func(port int) (*serving, waiting) {
		r := b.start("run", "--ask", "queue", "--ask-by", "notification", "--", "/usr/bin/python3", "-c", echoServer, strconv.Itoa(port), "1")
		return r, b.question(&asking{})
	}
	r, q := server(yes)
	if want := fmt.Sprintf("net.listen:%d", yes); q.Question.Capability != want || !strings.HasPrefix(q.Question.Program, "python3") {
		t.Errorf("asked about %q by %q, want %q", q.Question.Capability, q.Question.Program, want)
	}
	if got, err := call(yes, "early"); err == nil {
		t.Errorf("before the answer: %q", got)
	}
	b.run("approve", q.Question.ID).want(t, 0)
	r.says(t, "listening")
	if got, err := call(yes, "hello"); err != nil || got != "inside hello" {
		t.Errorf("after a yes: %q, %v", got, err)
	}
	if err := r.Wait(); err != nil || !strings.Contains(r.err.String(), fmt.Sprintf("127.0.0.1:%d leads to the program's port %d", yes, yes)) {
		t.Errorf("%v: %q", err, r.err.String())
	}

	r, q = server(no)
	b.run("deny", q.Question.ID).want(t, 0)
	r.says(t, "listening")
	if got, err := call(no, "hello"); err == nil {
		t.Errorf("after a no: %q", got)
	}
	_ = r.Process.Signal(os.Interrupt) // it may have ended
	_ = r.Wait()
	if !strings.Contains(r.err.String(), "ambit: denied net.listen:") {
		t.Errorf("after a no: %q", r.err.String())
	}

	l, err := net.Listen("tcp4", "127.0.0.1:"+strconv.Itoa(taken))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, q = server(taken)
	b.run("approve", q.Question.ID).want(t, 0)
	if err := r.Wait(); err == nil || !strings.Contains(r.err.String(), "cannot listen: Address already in use") || !strings.Contains(r.err.String(), "is taken") {
		t.Errorf("a port that is taken: %v, %q", err, r.err.String())
	}
}

// TestListenRevoked: a port is closed with its grant, and its connections end.
func TestListenRevoked(t *testing.T) {
	needPython(t)
	b := newBench(t)
	at := freePort(t)
	b.run("grants", "add", fmt.Sprintf("net.listen:8000/%d", at)).want(t, 0)
	r := b.start("run", "--", "/usr/bin/python3", "-c", echoServer, "8000", "2")
	r.says(t, "listening")
	if got, err := call(at, "hello"); err != nil || got != "inside hello" {
		t.Errorf("%q, %v", got, err)
	}
	c, err := net.Dial("tcp4", "127.0.0.1:"+strconv.Itoa(at))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b.run("grants", "revoke", "--all").want(t, 0)
	_ = c.SetReadDeadline(time.Now().Add(patience))
	if _, err := c.Read(make([]byte, 1)); err == nil || os.IsTimeout(err) {
		t.Errorf("the connection goes on: %v", err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if _, err = call(at, "x"); err != nil {
			break
		}
	}
	if err == nil {
		t.Error("the port is still there")
	}
}
