package probe

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The sets of attempts, one a scenario.
const (
	setBoundary = "boundary"
	setSpawn    = "spawn"
	setMemory   = "memory"
	setWait     = "wait"
	setNothing  = "nothing"
	setMount    = "mount"
)

// attempt is one thing that must fail. Layer is what should stop it.
type attempt struct {
	layer, name string
	try         func(Targets) error // nil: it got through
}

// sets are the attempts by scenario, in order. They are made when they are wanted,
// which no run does.
func sets() map[string][]attempt {
	return map[string][]attempt{
		setBoundary: {
			{layerFiles, "see a file that was not granted", func(t Targets) error { _, err := os.Lstat(t.Secret); return err }},
			{layerFiles, "read a file that was not granted", func(t Targets) error { _, err := os.ReadFile(t.Secret); return err }},
			{layerReadOnly, "change a file granted for reading", func(t Targets) error { return openFor(t.Granted, os.O_WRONLY) }},
			{layerReadOnly, "create a file in a folder granted for reading", func(t Targets) error {
				return openFor(filepath.Join(filepath.Dir(t.Granted), "new"), os.O_WRONLY|os.O_CREATE)
			}},
			{layerReadOnly, "create a file among the system's", func(Targets) error {
				return openFor("/usr/.ambit-doctor", os.O_WRONLY|os.O_CREATE|os.O_EXCL)
			}},
			{layerLandlock, "open a file through a leaked descriptor", leaked},
			{layerProcesses, "see a process of the host", hostProcess},
			{layerNetwork, "connect to this computer", func(t Targets) error { return dial("tcp", t.Address) }},
			{layerNetwork, "find a way to the internet", func(Targets) error { return dial("udp", "192.0.2.1:9") }},
			{layerNetwork, "connect to an abstract socket of the host", func(t Targets) error { return dial("unix", t.Abstract) }},
			{layerFilter, "make a user namespace", func(Targets) error { return startSelf(unix.CLONE_NEWUSER) }},
			{layerFilter, "reach the session's keyring", func(Targets) error {
				_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
				return err
			}},
			{layerFilter, "use io_uring", func(Targets) error { return reached(unix.SYS_IO_URING_SETUP) }},
			{layerFilter, "use performance events", func(Targets) error { return reached(unix.SYS_PERF_EVENT_OPEN) }},
			{layerPrivileges, "hold a capability of the kernel", holdsCapability},
			{layerPrivileges, "gain privileges by exec", func(Targets) error { return status("NoNewPrivs", "0") }},
			{layerDescriptors, "open more files than allowed", manyFiles},
		},
		setSpawn: {
			{layerSpawn, "start a second program", func(Targets) error { return startSelf(0) }},
		},
		setMemory: {
			{layerMemory, "use more memory than allowed", useMemory},
		},
		setNothing: nil,
	}
}

// Attempt tries everything of a set and writes a line of JSON for each. It is
// called inside a sandbox, by a program that was started with Scenario.Argv.
func Attempt(argument string, in io.Reader, out io.Writer) error {
	var t Targets
	if err := json.Unmarshal([]byte(argument), &t); err != nil {
		return fmt.Errorf("read what to try: %w", err)
	}
	switch t.Set {
	case setWait:
		_, err := io.Copy(io.Discard, in) // until the one who started this is done
		return err
	case setMount:
		return mountSomething(t.Outside)
	}
	list, ok := sets()[t.Set]
	if !ok {
		return fmt.Errorf("unknown set %q", t.Set)
	}
	enc := json.NewEncoder(out)
	for _, a := range list {
		r := result{Name: a.name, Through: true}
		if err := a.try(t); err != nil {
			r.Through, r.Error = false, err.Error()
			r.Untried = errors.As(err, new(untried))
		}
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return nil
}

func openFor(path string, flags int) error {
	f, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return err
	}
	if flags&os.O_EXCL != 0 {
		_ = os.Remove(path) // it is proof enough that it was made
	}
	return f.Close()
}

// leaked opens the secret beneath the host's root, of which a descriptor waits
// in the socket that is our standard input.
func leaked(t Targets) error {
	root, err := received()
	if err != nil {
		return untried{err}
	}
	fd, err := unix.Openat(root, strings.TrimPrefix(t.Secret, "/"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

func received() (int, error) {
	rights := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(0, make([]byte, 1), rights, unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if err != nil {
		return -1, err
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) == 0 {
		return -1, errors.Join(errHidden, err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) == 0 {
		return -1, errors.Join(errHidden, err)
	}
	return fds[0], nil
}

// untried is why something could not even be tried, which proves nothing.
type untried struct{ error }

var errHidden = errors.New("there is none")

// hostProcess looks for the token in the arguments of every other process.
func hostProcess(t Targets) error {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return err
	}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		line, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err == nil && strings.Contains(string(line), t.Token) && strings.Contains(string(line), `"`+setWait+`"`) {
			return nil
		}
	}
	return errHidden
}

func dial(network, address string) error {
	c, err := net.DialTimeout(network, address, 200*time.Millisecond)
	if err != nil {
		return err
	}
	return c.Close()
}

// startSelf starts this program once more, in new namespaces if flags say so.
func startSelf(flags uintptr) error {
	p, err := os.StartProcess("/proc/self/exe", []string{os.Args[0], os.Args[len(os.Args)-2], `{"set":"nothing"}`},
		&os.ProcAttr{Files: []*os.File{nil, nil, nil}, Sys: &syscall.SysProcAttr{Cloneflags: flags}})
	if err != nil {
		return err
	}
	_, err = p.Wait()
	return err
}

// reached makes a call with arguments that the kernel refuses by EFAULT or
// EINVAL once the call is reached; a filter answers before that.
func reached(call uintptr) error {
	_, _, errno := unix.Syscall6(call, 0, 0, 0, 0, 0, 0)
	if errno == 0 || errno == unix.EFAULT || errno == unix.EINVAL {
		return nil
	}
	return errno
}

// status answers nil if a line of our /proc/self/status has this value.
func status(name, value string) error {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		if n, v, _ := strings.Cut(line, ":"); n == name {
			if strings.TrimSpace(v) == value {
				return nil
			}
			return fmt.Errorf("%s is %s", name, strings.TrimSpace(v))
		}
	}
	return fmt.Errorf("the kernel does not tell %s", name)
}

func holdsCapability(Targets) error {
	const none = "0000000000000000"
	for _, set := range []string{"CapEff", "CapPrm", "CapInh", "CapAmb", "CapBnd"} {
		if err := status(set, none); err != nil {
			return nil //nolint:nilerr // a set that is not empty is what was tried for
		}
	}
	return errHidden
}

func manyFiles(t Targets) error {
	var open []*os.File
	defer func() {
		for _, f := range open {
			_ = f.Close() // nothing was written
		}
	}()
	for range t.FDs {
		f, err := os.Open("/dev/null")
		if err != nil {
			return err
		}
		open = append(open, f)
	}
	return nil
}

// useMemory touches pages until there are no more, or until it is killed.
func useMemory(t Targets) error {
	const step = 4 << 20
	for range t.Memory / step {
		b, err := unix.Mmap(-1, 0, step, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			return err
		}
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
	}
	return nil
}
