package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// program is the one that the machine is for, behind its process 1.
type program struct {
	cmd    *exec.Cmd
	status *os.File // what process 1 says
	goes   *os.File // a byte there lets the program begin
	line   *os.File // by which process 1 is told to start others
	standard
	group string
	wire  *wire  // nil: it has no network
	asker *asker // nil: its view asks about nothing
	uid   int
	gid   int

	mu     sync.Mutex
	others map[int]*other // guarded by mu; that have entered, or are about to
}

// said is what process 1 of the sandbox says: once that it waits for an order, once
// that it is ready, or what went wrong, and once how the program ended.
type said struct {
	Waits  bool   `json:"waits,omitempty"`
	Ready  bool   `json:"ready,omitempty"`
	Calls  int    `json:"calls,omitempty"` // with Ready, of a view that asks: its descriptor for held calls
	Error  string `json:"error,omitempty"`
	Errno  int    `json:"errno,omitempty"`
	Exit   int    `json:"exit,omitempty"`
	Signal int    `json:"signal,omitempty"`
}

// newProgram starts process 1 of the sandbox, which waits to hear what to build. A
// template has it: what it takes to start is taken once.
func newProgram() (*program, error) {
	group, err := makeGroup()
	if err != nil {
		return nil, err
	}
	p := &program{group: group, others: map[int]*other{}}
	if err := p.start(); err != nil {
		return nil, err
	}
	first, err := p.hear()
	if err == nil && !first.Waits {
		err = errors.New(first.Error)
	}
	return p, err
}

// hear waits for the next thing that process 1 says.
func (p *program) hear() (s said, err error) {
	return s, json.NewDecoder(io.LimitReader(oneAtATime{p.status}, 64<<10)).Decode(&s)
}

// prepare has process 1 build the view, and waits until it has.
func (a *agent) prepare(r *channel.Prepare) (err error) {
	p := a.waiting
	if r == nil || p == nil || a.prepared() != nil {
		return errors.New("there is one program to a machine")
	}
	p.uid, p.gid = r.UID, r.GID
	if err := boundGroup(p.group, r.Limits); err != nil {
		return err
	}
	if r.Link != nil {
		if p.wire, err = makeLink(*r.Link); err != nil {
			return fmt.Errorf("make the link: %w", err)
		}
	}
	if err := a.watch(); err != nil {
		return err
	}
	if p.asker, err = newAsker(r, p.cmd.Process.Pid, a.exchange); err != nil {
		return err
	}
	if err := p.order(r); err != nil {
		return err
	}
	first, err := p.hear()
	if err != nil {
		return fmt.Errorf("process 1 of the sandbox: %w", err)
	}
	if first.Error != "" || !first.Ready {
		return fmt.Errorf("build the view: %s", first.Error)
	}
	if err := errors.Join(p.asker.placed(), p.asker.hold(first.Calls)); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.program = p
	return nil
}

// order tells process 1 what to build, with the program's descriptors.
func (p *program) order(r *channel.Prepare) error {
	files, path, err := p.open(shape{r.Terminal, r.Rows, r.Columns, r.UID, r.GID})
	if err != nil {
		return err
	}
	defer func() {
		for _, f := range files {
			_ = f.Close() // process 1 has its own; a terminal is there three times
		}
	}()
	for i, e := range r.Entries {
		if path != "" && e.Path == "/dev/console" && e.Op == "bind" {
			r.Entries[i].From = path
		}
	}
	words, err := memory(r)
	if err != nil {
		return err
	}
	defer words.Close()
	rights := []int{int(words.Fd()), int(files[0].Fd()), int(files[1].Fd()), int(files[2].Fd())}
	if p.asker != nil {
		rights = append(rights, int(p.asker.mount.Fd()))
	}
	return p.call(call{}, rights...)
}

// oneAtATime keeps a decoder from taking what the next one is to read.
type oneAtATime struct{ f *os.File }

func (o oneAtATime) Read(b []byte) (int, error) { return o.f.Read(b[:min(1, len(b))]) }

func (p *program) start() error {
	status, theirStatus, err := os.Pipe()
	if err != nil {
		return err
	}
	theirGo, goes, err := os.Pipe()
	if err != nil {
		return err
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	theirLine := os.NewFile(uintptr(pair[1]), "line")
	p.status, p.goes, p.line = status, goes, os.NewFile(uintptr(pair[0]), "line")
	p.cmd = &exec.Cmd{Path: "/proc/self/exe", Args: []string{insideName},
		ExtraFiles: []*os.File{theirStatus, theirGo, theirLine},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true,
			Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS}}
	group, err := os.Open(p.group)
	if err != nil {
		return err
	}
	defer group.Close()
	p.cmd.SysProcAttr.UseCgroupFD, p.cmd.SysProcAttr.CgroupFD = true, int(group.Fd())
	if err := p.cmd.Start(); err != nil {
		return err
	}
	return errors.Join(theirStatus.Close(), theirGo.Close(), theirLine.Close()) // process 1 has its own
}

// begin lets the program go and answers how it ended.
//
// What entered ends with it: the kernel ends all of the namespace.
func (p *program) begin() (a channel.Answer, err error) {
	if _, err := p.goes.Write([]byte{1}); err != nil {
		return a, err
	}
	var end said
	decoded := json.NewDecoder(io.LimitReader(p.status, 64<<10)).Decode(&end)
	waited := p.cmd.Wait()
	switch {
	case decoded == nil && end.Error != "":
		return a, errors.New(end.Error)
	case decoded == nil:
		a.Errno, a.Exit, a.Signal = end.Errno, end.Exit, end.Signal
	default: // process 1 was killed, and all of the sandbox with it
		a.Signal = int(unix.SIGKILL)
		if ws, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); waited != nil && ok && ws.Signaled() {
			a.Signal = int(ws.Signal())
		}
	}
	if a.Signal != 0 {
		a.Exit = 0
	}
	a.Limit = reached(p.group)
	p.wire.linger()
	return a, nil
}

// signal passes one to the program, by way of process 1.
func (p *program) signal(sig unix.Signal) error {
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}

// makeGroup makes the control group that keeps the program's bounds.
func makeGroup() (string, error) {
	g := filepath.Join(groupDir, "program")
	if err := os.WriteFile(filepath.Join(groupDir, "cgroup.subtree_control"), []byte("+memory +pids +cpu"), 0o600); err != nil {
		return "", fmt.Errorf("use control groups: %w", err)
	}
	return g, os.Mkdir(g, 0o755)
}

// boundGroup sets them.
func boundGroup(g string, l channel.Limits) error {
	for _, b := range []struct {
		file  string
		value int64
		text  string
	}{
		{"memory.max", l.Memory, strconv.FormatInt(l.Memory, 10)}, {"memory.oom.group", l.Memory, "1"},
		{"pids.max", l.PIDs, strconv.FormatInt(l.PIDs+1, 10)}, // and process 1
		{"cpu.max", l.CPU, fmt.Sprintf("%d 100000", l.CPU*100)},
	} {
		if b.value == 0 {
			continue
		}
		if err := os.WriteFile(filepath.Join(g, b.file), []byte(b.text), 0o600); err != nil {
			return fmt.Errorf("bound the program: %w", err)
		}
	}
	return nil
}

// reached names the bound that was met.
func reached(group string) string {
	for _, b := range []struct{ file, key, name string }{{"memory.events", "oom_kill", "memory"}, {"pids.events", "max", "pids"}} {
		text, err := os.ReadFile(filepath.Join(group, b.file))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			if k, v, _ := strings.Cut(strings.TrimSpace(line), " "); k == b.key && v != "0" {
				return b.name
			}
		}
	}
	return ""
}
