package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// keeper is process 1 of the sandbox, while a program runs: all that is done is
// done by one goroutine, on the thread that has what the programs get.
type keeper struct {
	uid, gid int
	first    int            // process
	others   map[int]*guest // by the numbers that the agent gave them
}

// guest is a program that has entered.
type guest struct {
	pid    int
	status *os.File
}

// called is a call with its descriptors.
type called struct {
	call
	files []*os.File
}

// keep looks after programs until the first one has ended.
func (k *keeper) keep(signals <-chan os.Signal, calls <-chan called) said {
	for {
		if end, ended := k.reap(); ended {
			return end
		}
		select {
		case s := <-signals:
			if n, ok := s.(syscall.Signal); ok && n != unix.SIGCHLD && n != unix.SIGURG && n != unix.SIGPIPE {
				_ = unix.Kill(k.first, n) // it may have ended
			}
		case c := <-calls:
			k.do(c)
		}
	}
}

// reap takes note of all that have ended here.
func (k *keeper) reap() (end said, ended bool) {
	for {
		var ws unix.WaitStatus
		pid, err := unix.Wait4(-1, &ws, unix.WNOHANG, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return said{Error: err.Error()}, true
		case pid == 0:
			return said{}, false
		}
		how := said{Exit: ws.ExitStatus()}
		if ws.Signaled() {
			how = said{Signal: int(ws.Signal())}
		}
		if pid == k.first {
			return how, true
		}
		for n, g := range k.others {
			if g.pid == pid {
				delete(k.others, n)
				_ = errors.Join(json.NewEncoder(g.status).Encode(how), g.status.Close()) // the agent is gone otherwise, and all ends
			}
		}
	}
}

// do starts a program or signals one.
func (k *keeper) do(c called) {
	if c.Signal != 0 {
		if g := k.others[c.Number]; g != nil {
			_ = unix.Kill(g.pid, unix.Signal(c.Signal)) // it is not reaped yet
		}
		return
	}
	if len(c.files) != callFiles {
		return
	}
	status := c.files[callFiles-1]
	pid, err := k.start(c.files)
	for _, f := range c.files[:callFiles-1] {
		_ = f.Close() // the program has its own
	}
	if err != nil {
		_ = errors.Join(json.NewEncoder(status).Encode(failed(err)), status.Close())
		return
	}
	k.others[c.Number] = &guest{pid, status}
}

// start executes a program beside the first one.
//
// Security: it is a child of this thread as the first one is, so it has the same
// view, bounds and namespaces and no capability; only its control group is one
// beneath that of the first one, so that all of it can be ended.
func (k *keeper) start(files []*os.File) (int, error) {
	var e channel.Enter
	if err := json.NewDecoder(io.NewSectionReader(files[0], 0, channel.LargestRequest)).Decode(&e); err != nil {
		return 0, err
	}
	if len(e.Argv) == 0 {
		return 0, errors.New("no command to start")
	}
	if fi, err := os.Stat(e.Dir); err != nil || !fi.IsDir() {
		return 0, fmt.Errorf("enter the working directory %q: it is not there", e.Dir)
	}
	attr := &syscall.ProcAttr{Dir: e.Dir, Env: texts(e.Env), Files: []uintptr{files[1].Fd(), files[2].Fd(), files[3].Fd()}, Sys: &syscall.SysProcAttr{
		Setsid: true, Setctty: e.Terminal, UseCgroupFD: true, CgroupFD: int(files[4].Fd()),
		Credential: &syscall.Credential{Uid: uint32(k.uid), Gid: uint32(k.gid)}}}
	argv, last := texts(e.Argv), error(unix.ENOENT)
	if e.Own { // no path of the view leads to it
		return syscall.ForkExec("/proc/self/exe", argv, attr)
	}
	for _, path := range candidates(argv[0], attr.Env) {
		pid, err := syscall.ForkExec(path, argv, attr)
		switch {
		case err == nil:
			return pid, nil
		case errors.Is(err, unix.EACCES):
			last = err
		case !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.ENOTDIR):
			return 0, err
		}
	}
	return 0, last
}

// candidates are where a program may be: its path, or a name in the directories of
// PATH.
func candidates(name string, env []string) (paths []string) {
	if strings.Contains(name, "/") {
		return []string{name}
	}
	for _, kv := range env {
		if list, ok := strings.CutPrefix(kv, "PATH="); ok {
			for dir := range strings.SplitSeq(list, ":") {
				paths = append(paths, filepath.Join("/", dir, name))
			}
			return paths
		}
	}
	return []string{"/usr/bin/" + name, "/bin/" + name}
}

// hear takes the calls that come over the line, until the agent is gone, and the
// machine with it.
func hear(line int, to chan<- called) {
	for {
		c, err := next(line)
		if err != nil {
			return
		}
		to <- c
	}
}

// next waits for a call.
func next(line int) (c called, err error) {
	data, oob := make([]byte, 4096), make([]byte, unix.CmsgSpace(callFiles*4))
	var n, oobn int
	for {
		if n, oobn, _, _, err = unix.Recvmsg(line, data, oob, unix.MSG_CMSG_CLOEXEC); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(data[:n], &c.call); err != nil {
		return c, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return c, err
	}
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return c, err
		}
		for _, fd := range fds {
			c.files = append(c.files, os.NewFile(uintptr(fd), "call"))
		}
	}
	return c, nil
}
