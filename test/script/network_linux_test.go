package script_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// server is a service of the host on its loopback, and counts who came.
func server(t *testing.T) (port string, came *atomic.Int32) {
	t.Helper()
	came = &atomic.Int32{}
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		came.Add(1)
		if r.URL.Path == "/stream" {
			for w.(http.Flusher).Flush(); r.Context().Err() == nil; time.Sleep(20 * time.Millisecond) {
				if _, err := io.WriteString(w, "tick\n"); err != nil {
					return
				}
				w.(http.Flusher).Flush()
			}
			return
		}
		fmt.Fprintln(w, "hello from the host")
	})}
	go s.Serve(l) //nolint:errcheck // it ends with the test
	t.Cleanup(func() { _ = s.Close() })
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), came
}

// refused reports whether curl ended with a status of its own, and not because it
// waited too long. Its words may have a line of Ambit's in the middle.
func refused(status int) bool {
	const timedOut, ambits = 28, 125
	return status > 0 && status != timedOut && status < ambits
}

// TestNetwork: a program reaches what it was granted, by name, and nothing else.
func TestNetwork(t *testing.T) {
	b := newBench(t)
	port, came := server(t)
	other, others := server(t)
	host := "host.ambit.internal:" + port
	run := func(argv ...string) ran {
		return b.run(append([]string{"run", "--allow", "net.connect:" + host, "--"}, argv...)...)
	}
	r := run("curl", "-sS", "http://"+host+"/")
	r.want(t, 0)
	if r.out != "hello from the host\n" || came.Load() != 1 {
		t.Errorf("got %q, %d came", r.out, came.Load())
	}
	for _, url := range []string{"http://host.ambit.internal:" + other, "http://127.0.0.1:" + port, "http://198.19.255.2:" + port,
		"http://[::ffff:127.0.0.1]:" + port, "http://0.0.0.0:" + port, "http://169.254.169.254/", "http://secret-bytes.evil.test/"} {
		if r := run("curl", "-sS", "-m", "60", url); !refused(r.status) {
			t.Errorf("%s: status %d, %q %q", url, r.status, r.out, r.err)
		}
	}
	if came.Load() != 1 || others.Load() != 0 {
		t.Errorf("%d and %d came to the host's services", came.Load(), others.Load())
	}
	r = run("curl", "-sS", "http://host.ambit.internal:"+other)
	if want := "ambit: denied net.connect:host.ambit.internal:" + other + " (not granted)"; !strings.Contains(r.err, want) {
		t.Errorf("errors %q, want %q", r.err, want)
	}
	// Without a grant there is no link at all.
	r = b.run("run", "--", "cat", "/proc/net/dev")
	if strings.Contains(r.out, "eth0") {
		t.Errorf("a run without a grant has the interfaces %q", r.out)
	}
	r = b.run("audit", "ls", "--json", "-n", "0")
	for _, want := range []string{`"kind":"flow"`, `"end":"done"`, `"dialled":"127.0.0.1:` + port + `"`} {
		if !strings.Contains(strings.ReplaceAll(r.out, " ", ""), want) {
			t.Errorf("the log has no %s", want)
		}
	}
	b.run("audit", "ls", "--kind", "session.end").want(t, 0, "network: 1 connections, ", " 1 refused")
	b.run("audit", "verify").want(t, 0)
	until(t, "that no egress process is left without its launcher", func() bool { return len(orphans(t, "ambit-egress")) == 0 })
}

// TestNetworkAsked: a connection waits while a person is asked, and goes through.
func TestNetworkAsked(t *testing.T) {
	b := newAskingBench(t)
	port, _ := server(t)
	a := b.ask([]string{"--home", "ephemeral", "--allow", "fs.read:" + b.dir}, "curl", "-sS", "http://host.ambit.internal:"+port)
	q := b.question(a)
	if want := "net.connect:host.ambit.internal:" + port; q.Question.Capability != want || q.Question.Program != "curl" {
		t.Errorf("asked about %q by %q, want %q by curl", q.Question.Capability, q.Question.Program, want)
	}
	b.run("approve", q.Question.ID, "--broad").want(t, 0)
	if err := a.Wait(); err != nil || a.out.String() != "hello from the host\n" {
		t.Errorf("%v: %q %q", err, a.out.String(), a.err.String())
	}
	a = b.ask([]string{"--home", "ephemeral", "--allow", "fs.read:" + b.dir}, "curl", "-sS", "http://host.ambit.internal:"+port)
	q = b.question(a)
	b.run("deny", q.Question.ID).want(t, 0)
	if _ = a.Wait(); !refused(a.ProcessState.ExitCode()) {
		t.Errorf("after a no: %v, %q %q", a.ProcessState, a.out.String(), a.err.String())
	}
}

// TestNetworkRevoked: a connection ends when what permitted it is revoked.
func TestNetworkRevoked(t *testing.T) {
	b := newBench(t)
	port, _ := server(t)
	b.run("grants", "add", "net.connect:host.ambit.internal:"+port).want(t, 0)
	x := b.begin("run", "--", "curl", "-sSN", "http://host.ambit.internal:"+port+"/stream")
	x.until("tick")
	b.run("grants", "revoke", "--all").want(t, 0)
	x.ends("the connection goes on")
}

// TestNetworkLost: when the network of a sandbox is gone, so is the sandbox.
func TestNetworkLost(t *testing.T) {
	b := newBench(t)
	port, _ := server(t)
	x := b.begin("run", "--allow", "net.connect:host.ambit.internal:"+port, "--", "sh", "-c", "echo began; sleep 1000")
	x.until("began")
	killed := false
	for _, pid := range egressOf(t, x.Process.Pid) {
		p, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		killed = p.Kill() == nil
	}
	if !killed {
		t.Errorf("no egress process beneath %d", x.Process.Pid)
	}
	x.ends("the sandbox goes on without its network")
	if got := x.said(); !strings.Contains(got, "the network of the sandbox has ended") {
		t.Errorf("it says %q", got)
	}
}

// orphans are the processes with a name whose launcher is gone. Other tests have
// some of the same program beside them, with theirs.
func orphans(t *testing.T, name string) (pids []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		text, _ := os.ReadFile(path) // it may be gone
		_, rest, is := strings.Cut(string(text), " ("+name+") ")
		if f := strings.Fields(rest); is && len(f) > 1 && f[0] != "Z" {
			if parent, _ := os.ReadFile("/proc/" + f[1] + "/comm"); string(parent) != "ambit\n" {
				pids = append(pids, filepath.Base(filepath.Dir(path)))
			}
		}
	}
	return pids
}

// egressOf are the egress processes that a launcher has.
func egressOf(t *testing.T, launcher int) (pids []int) {
	t.Helper()
	all, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", launcher))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range all {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(text)) {
			pid, err := strconv.Atoi(field)
			comm, e := os.ReadFile("/proc/" + field + "/comm")
			if err == nil && e == nil && string(comm) == "ambit-egress\n" {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// A background is a command in the background. Its output is in a file.
type background struct {
	*exec.Cmd
	t    *testing.T
	file *os.File
}

func (b *bench) begin(args ...string) *background {
	b.t.Helper()
	f, err := os.Create(filepath.Join(b.t.TempDir(), "output"))
	if err != nil {
		b.t.Fatal(err)
	}
	x := &background{Cmd: b.command(args...), t: b.t, file: f}
	x.Stdout, x.Stderr = f, f
	if err := x.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		_ = x.Process.Kill() // it may have ended
		_ = x.Wait()
		_ = f.Close()
	})
	return x
}

// said is what it has printed so far, to both of its outputs.
func (x *background) said() string {
	x.t.Helper()
	text, err := os.ReadFile(x.file.Name())
	if err != nil {
		x.t.Fatal(err)
	}
	return string(text)
}

// until waits until it has printed text.
func (x *background) until(text string) {
	x.t.Helper()
	for end := time.Now().Add(patience); !strings.Contains(x.said(), text); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			x.t.Fatalf("no %q in %q", text, x.said())
		}
	}
}

// ends waits for its end, by itself. otherwise says what it is that it has not.
func (x *background) ends(otherwise string) {
	x.t.Helper()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = x.Wait() // how it ended, its output says
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		x.t.Error(otherwise)
		_ = x.Process.Kill()
		<-ended
	}
}
