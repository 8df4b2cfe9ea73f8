// Package linktest gives tests a sandbox of their own to send traffic from: user,
// network and mount namespaces with a link, and the link's other end.
//
// The sandbox is a copy of the test binary. It confines nothing but the network.
package linktest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/link"
)

// Config is the link of the sandboxes of tests.
var Config = link.Config{
	Guest: netip.MustParsePrefix("198.19.255.100/24"), Gateway: netip.MustParsePrefix("198.19.255.2/24"),
	Guest6: netip.MustParsePrefix("2001:2::100/64"), Gateway6: netip.MustParsePrefix("2001:2::2/64"),
}

// Nameserver is what programs of the sandbox find in resolv.conf.
const Nameserver = "198.19.255.3"

// An Op is something that tests have done inside, in the copy of the test binary.
type Op func(ctx context.Context, args []string) (string, error)

// Options of a sandbox.
type Options struct {
	Tun    bool
	AsRoot bool // without a user namespace
}

// Kinds are the kinds of link that this host has.
func Kinds() map[string]Options {
	kinds := map[string]Options{"veth": {}}
	if fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
		_ = unix.Close(fd)
		kinds["tun"] = Options{Tun: true}
	}
	if os.Geteuid() == 0 {
		kinds["veth as root"] = Options{AsRoot: true}
	}
	return kinds
}

// A Sandbox runs until the test ends.
type Sandbox struct {
	Ends  link.Ends
	Setup link.Setup
	PID   int

	t     testing.TB
	conn  *os.File
	enc   *json.Encoder
	mu    sync.Mutex
	next  int                   // guarded by mu
	waits map[int]chan response // guarded by mu
}

type request struct {
	ID   int
	Op   string
	Args []string
	Wait time.Duration
}

type response struct {
	ID     int
	Text   string
	Error  string
	Failed bool
}

const variable = "AMBIT_LINK_TEST"

// Main is for TestMain: in the copy it does ops, in the test it runs the tests
// and returns their status.
func Main(ctx context.Context, m *testing.M, ops map[string]Op) int {
	if text := os.Getenv(OneOp); text != "" {
		return one(ctx, text, ops)
	}
	text := os.Getenv(variable)
	if text == "" {
		return m.Run()
	}
	var o Options
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		panic(err)
	}
	if err := inside(ctx, o, ops); err != nil {
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		return 1
	}
	return 0
}

// OneOp is an environment variable: the copy does this op and its arguments, as
// JSON, in the network that it finds itself in, and writes what it returned. So
// other makers of networks can be measured in the same way.
const OneOp = "AMBIT_LINK_TEST_OP"

func one(ctx context.Context, text string, ops map[string]Op) int {
	var args []string
	if err := json.Unmarshal([]byte(text), &args); err != nil {
		panic(err)
	}
	out, err := do(ctx, ops, request{Op: args[0], Args: args[1:]})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Fprintln(os.Stdout, out)
	return 0
}

// Start makes a sandbox.
func Start(t testing.TB, o Options) *Sandbox {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "control")
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), variable+"="+string(text))
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.SysProcAttr = &unix.SysProcAttr{Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	if !o.AsRoot {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = idMap(os.Getuid())
		cmd.SysProcAttr.GidMappings = idMap(os.Getgid())
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = theirs.Close()
	s := &Sandbox{t: t, PID: cmd.Process.Pid, waits: map[int]chan response{}}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	s.receiveEnds(pair[0], o)
	if err := unix.SetNonblock(pair[0], true); err != nil {
		t.Fatal(err)
	}
	s.conn = os.NewFile(uintptr(pair[0]), "control")
	s.enc = json.NewEncoder(s.conn)
	t.Cleanup(s.End)
	go s.read()
	return s
}

func (s *Sandbox) receiveEnds(control int, o Options) {
	s.t.Helper()
	lay := link.Veth
	if o.Tun {
		lay = link.Tun
	}
	var err error
	if s.Setup, err = lay(Config); err != nil {
		s.t.Fatal(err)
	}
	data, oob := make([]byte, 4096), make([]byte, 256)
	n, oobn, _, _, err := unix.Recvmsg(control, data, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil || n == 0 {
		s.t.Fatalf("the sandbox did not come up: %v", err)
	}
	if n > 1 {
		s.t.Fatalf("the sandbox did not come up: %s", data[:n])
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		s.t.Fatalf("descriptors of the sandbox: %v", err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 6 {
		s.t.Fatalf("%d descriptors of the sandbox: %v", len(fds), err)
	}
	s.Ends = link.Ends{Link: fds[0], Diag: fds[1], Seeds: [4]int(fds[2:])}
}

func idMap(host int) []syscall.SysProcIDMap {
	return []syscall.SysProcIDMap{{ContainerID: 0, HostID: host, Size: 1}}
}

func (s *Sandbox) read() {
	dec := json.NewDecoder(s.conn)
	for {
		var r response
		if err := dec.Decode(&r); err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, c := range s.waits {
				c <- response{Failed: true, Error: "the sandbox is gone"}
			}
			clear(s.waits)
			return
		}
		s.mu.Lock()
		if c := s.waits[r.ID]; c != nil {
			c <- r
		}
		delete(s.waits, r.ID)
		s.mu.Unlock()
	}
}

// End ends the sandbox; what waits for it fails. It may be called again.
func (s *Sandbox) End() { _ = s.conn.Close() }

// Do does an op inside and returns what it returned. It may be called from many
// goroutines.
func (s *Sandbox) Do(op string, args ...string) (string, error) {
	c := make(chan response, 1)
	s.mu.Lock()
	s.next++
	id := s.next
	s.waits[id] = c
	err := s.enc.Encode(request{ID: id, Op: op, Args: args})
	s.mu.Unlock()
	if err != nil {
		return "", err
	}
	select {
	case r := <-c:
		if r.Failed {
			return r.Text, errors.New(r.Error)
		}
		return r.Text, nil
	case <-time.After(2 * time.Minute):
		return "", fmt.Errorf("%s %q: no answer within two minutes", op, args)
	}
}

// Exec runs a program inside and returns what it wrote; the error is that of its
// exit status.
func (s *Sandbox) Exec(argv ...string) (string, error) { return s.Do("exec", argv...) }

// Must is Exec for programs that do not fail.
func (s *Sandbox) Must(argv ...string) string {
	s.t.Helper()
	out, err := s.Exec(argv...)
	if err != nil {
		s.t.Fatalf("%q: %v\n%s", argv, err, out)
	}
	return out
}

// inside makes the link and does what is asked for until the test goes away.
func inside(ctx context.Context, o Options, ops map[string]Op) error {
	const control = 3
	s, err := prepare(o)
	if err != nil {
		_, _ = unix.Write(control, []byte(err.Error()))
		return err
	}
	fds := append([]int{s.Link, s.Diag}, s.Seeds[:]...)
	for i, fd := range fds {
		if fd < 0 { // rights cannot carry "none": the test host without IPv6 gets a copy
			fds[i] = fds[0]
		}
	}
	if err := unix.Sendmsg(control, []byte{1}, unix.UnixRights(fds...), nil, 0); err != nil {
		return err
	}
	for _, fd := range []int{s.Link, s.Diag, s.Seeds[0], s.Seeds[1], s.Seeds[2], s.Seeds[3]} {
		_ = unix.Close(fd)
	}
	conn := os.NewFile(control, "control")
	dec, enc := json.NewDecoder(conn), json.NewEncoder(conn)
	var mu sync.Mutex
	for {
		var r request
		if err := dec.Decode(&r); err != nil {
			return nil // the test has ended
		}
		go func() {
			text, err := do(ctx, ops, r)
			reply := response{ID: r.ID, Text: text}
			if err != nil {
				reply.Failed, reply.Error = true, err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			_ = enc.Encode(reply)
		}()
	}
}

func do(ctx context.Context, ops map[string]Op, r request) (string, error) {
	if r.Op == "exec" {
		var out bytes.Buffer
		cmd := exec.CommandContext(ctx, r.Args[0], r.Args[1:]...)
		cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/tmp", "LANG=C.UTF-8", "GIT_TERMINAL_PROMPT=0"}
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		return out.String(), err
	}
	op, ok := ops[r.Op]
	if !ok {
		return "", fmt.Errorf("no op %q", r.Op)
	}
	return op(ctx, r.Args)
}

// prepare makes the link, and covers the files that name other name servers.
func prepare(o Options) (link.Ends, error) {
	var none link.Ends
	proc, err := unix.Open("/proc", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return none, err
	}
	defer func() { _ = unix.Close(proc) }()
	c := Config
	c.Proc = proc
	lay := link.Veth
	if o.Tun {
		lay = link.Tun
	}
	s, err := lay(c)
	if err != nil {
		return none, err
	}
	ends, err := s.Run()
	if err != nil {
		return none, err
	}
	if err := unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return none, err
	}
	for path, text := range map[string]string{
		"/etc/resolv.conf": "nameserver " + Nameserver + "\n",
		"/etc/hosts":       "127.0.0.1 localhost\n::1 localhost\n",
	} {
		if err := cover(path, text); err != nil {
			return none, fmt.Errorf("%s: %w", path, err)
		}
	}
	return ends, nil
}

func cover(path, text string) error {
	f, err := os.CreateTemp("", "cover")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }()
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	return unix.Mount(f.Name(), path, "", unix.MS_BIND, "")
}

// Lines are the lines of a text, without empty ones at its end.
func Lines(text string) []string { return strings.Split(strings.TrimRight(text, "\n"), "\n") }
