//go:build linux

package process

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/namespace"
)

var _ enforce.Enterer = (*session)(nil)

// enterWithin is how long a program that is started in a running session has to
// get to its threshold. Only one that somebody inside holds up takes as long.
const enterWithin = 10 * time.Second

// Enter has init start a program.
//
// Security: nothing joins the sandbox from outside. Init, which has no right more
// than the program and is confined by the same domain and filter, makes a child,
// and the child executes the program: what init has, it has, and the kernel has no
// way to more. From its release on init cannot be looked into from inside, and
// neither can the child before it has executed the program; it runs from sealed
// memory. Of the host it is handed three descriptors that lead to no file. At its
// threshold it was read back, and nothing of the program has run.
func (s *session) Enter(c enforce.Command) (enforce.Entered, error) {
	e, err := s.enter(c)
	if err != nil {
		return nil, fmt.Errorf("start a program in the session: %w", err)
	}
	return e, nil
}

func (s *session) enter(c enforce.Command) (_ *entered, err error) {
	stdio, err := standardFor(c.Files)
	if err != nil {
		return nil, err
	}
	e, err := s.send(errandFor(c, stdio), [3]int{stdio[0].fd, stdio[1].fd, stdio[2].fd})
	if err == nil {
		if err = e.begin(); err != nil {
			e.abandon()
		}
	}
	return e, err
}

// send has init begin with an errand. Without descriptors of its own it is handed
// its line in their place.
func (s *session) send(errand *namespace.Errand, stdio [3]int) (*entered, error) {
	blob, size, err := errand.Open()
	if err != nil {
		return nil, err
	}
	defer unix.Close(blob) //nolint:errcheck // init has a copy
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a line: %w", err)
	}
	defer unix.Close(pair[1]) //nolint:errcheck // as above
	for i, fd := range stdio {
		if fd < 0 {
			stdio[i] = pair[1]
		}
	}
	e := &entered{s: s, errand: errand, pidfd: -1, keeper: -1}
	err = errors.Join(unix.SetsockoptInt(pair[0], unix.SOL_SOCKET, unix.SO_PASSCRED, 1), unix.SetNonblock(pair[0], true))
	e.line = os.NewFile(uintptr(pair[0]), "line to a program")
	if err = errors.Join(err, e.line.SetReadDeadline(time.Now().Add(enterWithin))); err == nil {
		err = s.tell(size, unix.UnixRights(blob, pair[1], stdio[0], stdio[1], stdio[2]))
	}
	if err != nil {
		e.close()
		return nil, err
	}
	return e, nil
}

// tell sends an errand to init, and wakes it: it waits for signals.
func (s *session) tell(size uint64, rights []byte) error {
	conn, err := s.line.f.SyscallConn()
	if err != nil {
		return err
	}
	var sent error
	err = conn.Write(func(fd uintptr) bool {
		sent = unix.Sendmsg(int(fd), binary.NativeEndian.AppendUint64(nil, size), rights, nil, unix.MSG_NOSIGNAL)
		return !errors.Is(sent, unix.EAGAIN)
	})
	if err = errors.Join(err, sent); err != nil {
		return fmt.Errorf("tell init: %w", err)
	}
	return s.kill(unix.SIGCHLD)
}

// A standard is a standard descriptor that is handed over.
type standard struct {
	fd       int
	null     int // not negative: it is /dev/null, and these are the flags to open the view's with
	terminal bool
}

// standardFor looks at the three files of a command.
//
// Security: a file or a directory of the host is refused, whatever it was opened
// for. By a descriptor its mode, times and attributes could be changed, on a mount
// that the view does not have. Whoever has one hands over a pipe.
func standardFor(files [3]*os.File) (all [3]standard, err error) {
	for i, f := range files {
		fd := int(f.Fd())
		var st unix.Stat_t
		if err := unix.Fstat(fd, &st); err != nil {
			return all, fmt.Errorf("standard descriptor %d: %w", i, err)
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err != nil {
			return all, fmt.Errorf("standard descriptor %d: %w", i, err)
		}
		all[i] = standard{fd: fd, null: -1}
		switch kind := st.Mode & unix.S_IFMT; {
		case flags&unix.O_PATH != 0:
			return all, fmt.Errorf("standard descriptor %d is a path", i)
		case kind == unix.S_IFCHR && st.Rdev == unix.Mkdev(1, 3):
			all[i].null = flags & (unix.O_ACCMODE | unix.O_APPEND)
		case kind == unix.S_IFCHR:
			if _, err := unix.IoctlGetTermios(fd, unix.TCGETS); err != nil {
				return all, fmt.Errorf("standard descriptor %d is a device, and no terminal", i)
			}
			all[i].terminal = true
		case kind == unix.S_IFIFO || kind == unix.S_IFSOCK:
		default:
			return all, fmt.Errorf("standard descriptor %d is a file of the host; hand over a pipe", i)
		}
	}
	return all, nil
}

// Descriptors that init hands to who carries out an errand, see init_amd64.s.
const (
	errandLine  = 5
	errandStdio = 6
)

// errandFor lays out what the new process does.
func errandFor(c enforce.Command, stdio [3]standard) *namespace.Errand {
	e := &namespace.Errand{}
	all := ^uint64(0) >> 32
	cwd := unix.AT_FDCWD
	e.Must("bind its life to what looks after it", unix.SYS_PRCTL, unix.PR_SET_PDEATHSIG, uint64(unix.SIGKILL))
	e.Must("begin a session of its own", unix.SYS_SETSID)
	const what = "set up standard descriptors"
	controlling := -1
	for i, f := range stdio {
		if f.null >= 0 { // the view's own; it gets the lowest number
			e.Must(what, unix.SYS_CLOSE, uint64(i))
			e.Want(what, int64(i), unix.SYS_OPENAT, uint64(cwd), e.Str(os.DevNull), uint64(f.null))
			continue
		}
		e.Must(what, unix.SYS_DUP3, uint64(errandStdio+i), uint64(i), 0)
		if f.terminal && controlling < 0 {
			controlling = i
		}
	}
	if c.Terminal && controlling >= 0 {
		e.Must("take the terminal", unix.SYS_IOCTL, uint64(controlling), unix.TIOCSCTTY, 0)
	}
	e.Must("close other descriptors", unix.SYS_CLOSE_RANGE, 3, errandLine-1, 0)
	e.Must("close other descriptors", unix.SYS_CLOSE_RANGE, errandLine+1, all, 0)
	if c.Dir != "" {
		e.Must("enter the working directory "+c.Dir, unix.SYS_CHDIR, e.Str(c.Dir))
	}
	some := e.Bytes(make([]byte, 16)) // an iovec of no bytes: the filter refuses before the kernel looks
	e.Want("try the filter", -int64(unix.EPERM), unix.SYS_PROCESS_VM_READV, 1, some, 1, some, 1, 0)
	e.Want("say that it waits", 1, unix.SYS_WRITE, errandLine, e.Str("."), 1)
	e.Want("wait for the word", 1, unix.SYS_RECVFROM, errandLine, 0, 0, unix.MSG_TRUNC, 0, 0)
	e.Must("unblock signals", unix.SYS_RT_SIGPROCMASK, unix.SIG_SETMASK, e.Bytes(make([]byte, 8)), 0, 8)
	argv, env := e.Strv(c.Args), e.Strv(c.Env)
	paths := candidates(c)
	for i, p := range paths {
		if i < len(paths)-1 {
			e.May("execute "+p, unix.SYS_EXECVE, e.Str(p), argv, env)
			continue
		}
		e.Must("execute "+p, unix.SYS_EXECVE, e.Str(p), argv, env)
	}
	return e
}

// mostCandidates bounds the directories that a program is looked for in.
const mostCandidates = 64

// usualPath is where a program is looked for without PATH.
const usualPath = "/usr/local/bin:/usr/bin:/bin"

// candidates are the paths at which a command may lie. They are tried inside, one
// after another, as a shell does.
func candidates(c enforce.Command) (paths []string) {
	name := c.Args[0]
	if strings.Contains(name, "/") {
		return []string{name}
	}
	path := usualPath
	for _, v := range c.Env {
		if p, ok := strings.CutPrefix(v, "PATH="); ok && p != "" {
			path = p
		}
	}
	for dir := range strings.SplitSeq(path, ":") {
		if dir == "" {
			dir = "."
		}
		if len(paths) < mostCandidates {
			paths = append(paths, dir+"/"+name)
		}
	}
	return paths
}

// entered is a program that init has started beside the first one.
type entered struct {
	s      *session
	errand *namespace.Errand
	line   *os.File // to the program until it runs, and to what keeps it

	pid    int // of the program
	above  int // of its keeper, the process that made it, which stays until nothing is left
	pidfd  int
	keeper int // pidfd of above

	mu   sync.Mutex // guards over, pidfd and keeper
	over bool       // its process may be another's
}

// begin waits until the program is at its threshold, looks at it, and lets it go.
func (e *entered) begin() error {
	said, err := e.first()
	if err != nil {
		return err
	}
	e.pid = said.pid
	if err := e.readBack(); err != nil {
		return fmt.Errorf("read it back: %w", err)
	}
	if err := e.line.SetReadDeadline(time.Time{}); err != nil {
		return err
	}
	_, err = e.line.Write([]byte{1})
	return err
}

// first takes the first word off the line, which says that all went well.
func (e *entered) first() (word, error) {
	said, err := e.hear()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return said, fmt.Errorf("it did not get to its threshold in %v", enterWithin)
	case err != nil:
		return said, err
	case len(said.text) == 0:
		return said, e.s.why()
	case len(said.text) != 1:
		failed, _ := e.errand.Failed(said.text)
		return said, failed
	}
	return said, nil
}

// why is why nothing came: init made no process, or there is none any more.
func (s *session) why() error {
	select {
	case <-s.ended:
		return errEnded
	default:
		return errors.New("no process could be made for it: the session is ending, or a limit is reached")
	}
}

// A word is what came over the line, and from whom; without text it has ended.
type word struct {
	text []byte
	pid  int
	fd   int // that came with it, or -1
}

func (e *entered) hear() (said word, err error) {
	said.fd = -1
	conn, err := e.line.SyscallConn()
	if err != nil {
		return said, err
	}
	buf, oob := make([]byte, 32), make([]byte, unix.CmsgSpace(unix.SizeofUcred)+unix.CmsgSpace(4))
	var n, oobn int
	var failed error
	err = conn.Read(func(fd uintptr) bool {
		n, oobn, _, _, failed = unix.Recvmsg(int(fd), buf, oob, unix.MSG_CMSG_CLOEXEC)
		return !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR)
	})
	if errors.Is(failed, unix.ECONNRESET) { // the other end was closed with something unread
		n, failed = 0, nil
	}
	if err = errors.Join(err, failed); err != nil || n == 0 {
		return said, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return said, err
	}
	said.text = buf[:n]
	for _, m := range messages {
		if c, err := unix.ParseUnixCredentials(&m); err == nil {
			said.pid = int(c.Pid)
		}
		if fds, err := unix.ParseUnixRights(&m); err == nil && len(fds) == 1 {
			said.fd = fds[0]
		}
	}
	return said, nil
}

func (e *entered) PID() int { return e.pid }

// Signal passes a signal on.
func (e *entered) Signal(sig os.Signal) error {
	n, ok := sig.(syscall.Signal)
	if !ok {
		return fmt.Errorf("signal %v: not a signal of this system", sig)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return nil // what it left running is no longer its own
	}
	if n == unix.SIGKILL {
		// The program first: it would see what it waits for be killed, and go on, or
		// end in a way of its own.
		_ = unix.PidfdSendSignal(e.pidfd, n, nil, 0) // it may have ended
		return e.end()
	}
	if err := unix.PidfdSendSignal(e.pidfd, n, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("signal the program: %w", err)
	}
	return nil
}

// Wait waits for the program's end.
func (e *entered) Wait() (r enforce.Result, err error) {
	said, err := e.hear()
	defer e.close()
	switch told := said.text; len(told) {
	case 4:
		ws := unix.WaitStatus(binary.NativeEndian.Uint32(told))
		if !ws.Signaled() {
			return enforce.Result{Exit: ws.ExitStatus()}, nil
		}
		return enforce.Result{Exit: 128 + int(ws.Signal()), Signal: int(ws.Signal())}, nil
	case 16:
		failed, last := e.errand.Failed(told)
		if !last {
			return r, failed
		}
		return enforce.Result{Exit: 127, CannotExec: failed.Errno}, nil
	}
	if err != nil {
		return r, err
	}
	_ = e.end() // what kept it was killed from inside, or the session has ended
	return enforce.Result{Exit: 128 + int(unix.SIGKILL), Signal: int(unix.SIGKILL)}, nil
}

// close lets go of the program; what it left running goes on.
func (e *entered) close() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.over = true
	_ = e.line.Close() // nothing is waited for any more
	for _, fd := range []*int{&e.pidfd, &e.keeper} {
		if *fd >= 0 {
			_ = unix.Close(*fd) // it only stands for a process
			*fd = -1
		}
	}
}

// abandon ends a program that has not begun.
func (e *entered) abandon() {
	_ = e.end() // nothing of it may be there
	e.close()
}
