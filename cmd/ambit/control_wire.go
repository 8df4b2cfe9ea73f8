package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/inside"
)

// controlDir, in the state, has a socket for each session that runs and has run
// for a moment: by it others of this user start programs in the session, look at
// it and copy.
const controlDir = "control"

// An order is what is wanted of a session. It is the first message.
type order struct {
	Verb string `json:"verb"`
	// exec
	Args      []string `json:"args,omitempty"`
	Env       []string `json:"env,omitempty"` // beside the session's own
	Dir       string   `json:"dir,omitempty"` // "": the session's own
	Terminals [3]bool  `json:"terminals"`     // a new terminal in the place of these
	Term      string   `json:"term,omitempty"`
	ID        string   `json:"id,omitempty"` // of its record; "": whichever
	// any
	Trace string `json:"trace,omitempty"` // to which it belongs; "": that of the session
	// open
	Path  string `json:"path,omitempty"`
	Flags int    `json:"flags,omitempty"`
	Mode  uint32 `json:"mode,omitempty"`
	Deed  string `json:"deed,omitempty"`
	Bytes []byte `json:"bytes,omitempty"` // instead of the path, where that is not UTF-8
	About []byte `json:"about,omitempty"` // what the deed is done to; none: the path
	// files; none: say whether an order can be carried out within only
	Job *inside.Order `json:"job,omitempty"`
}

// The verbs.
const (
	verbExec     = "exec"
	verbOpen     = "open"
	verbFiles    = "files"
	verbShow     = "show"
	verbWait     = "wait"
	verbSnapshot = "snapshot"
	verbPause    = "pause"
	verbResume   = "resume"
)

// A sign is told to a program that was started: a signal.
type sign struct {
	Signal int `json:"signal"`
}

// A controlAnswer is what comes of an order.
type controlAnswer struct {
	Began  bool    `json:"began,omitempty"` // with a terminal's other end, if one was wanted
	Ended  *ending `json:"ended,omitempty"`
	Denied string  `json:"denied,omitempty"` // the line of a denial
	Error  string  `json:"error,omitempty"`
	Errno  int     `json:"errno,omitempty"`  // a file could not be opened
	Way    string  `json:"way,omitempty"`    // by which it stands still
	Most   int64   `json:"most,omitempty"`   // how large a file may become there
	Within bool    `json:"within,omitempty"` // nothing of its files comes out: an order is carried out there
}

// An ending is how a program ended.
type ending struct {
	Exit  int `json:"exit"`
	Errno int `json:"errno,omitempty"` // it could not be executed
}

// Bounds of what one message and one order may be.
const (
	maxMessage = 64 << 10
	maxOrder   = 16 << 20
	maxFiles   = 4
)

// A controlConn is one connection to a session: messages, with open files.
type controlConn struct{ c *net.UnixConn }

// send sends a message. What is long goes as a file.
func (w controlConn) send(v any, files ...*os.File) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	fds := make([]int, 0, len(files))
	for _, f := range files {
		fds = append(fds, int(f.Fd()))
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	_, _, err = w.c.WriteMsgUnix(text, oob, nil)
	return err
}

// receive takes a message, and the files that came with it.
func (w controlConn) receive(v any) (files []*os.File, err error) {
	buf, oob := make([]byte, maxMessage), make([]byte, unix.CmsgSpace(4*maxFiles))
	n, oobn, flags, _, err := w.c.ReadMsgUnix(buf, oob)
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return nil, err
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	for _, m := range messages {
		if fds, err := unix.ParseUnixRights(&m); err == nil {
			for _, fd := range fds {
				unix.CloseOnExec(fd)
				files = append(files, os.NewFile(uintptr(fd), "descriptor "+strconv.Itoa(fd)))
			}
		}
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		err = errors.New("a message is too long")
	}
	if err == nil {
		err = json.Unmarshal(buf[:n], v)
	}
	if err != nil {
		closeAll(files)
		return nil, err
	}
	return files, nil
}

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // a copy
	}
}

// inMemory is a value as a file that can be handed over.
func inMemory(v any) (*os.File, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("ambit", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "order")
	if _, err := f.WriteAt(text, 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// fromMemory reads what inMemory made. It does not wait for anybody: whoever handed
// it over may be slow.
func fromMemory(f *os.File, v any) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if !fi.Mode().IsRegular() || fi.Size() > maxOrder {
		return fmt.Errorf("an order of %d bytes, want a file of at most %d", fi.Size(), maxOrder)
	}
	return json.NewDecoder(io.NewSectionReader(f, 0, fi.Size())).Decode(v)
}

// ours reports whether the other end of a connection may say what is to be done.
//
// Security: it is a process of this user, and of this pid namespace: a program in a
// sandbox is of this user too. It cannot come here, for it has no path to the
// socket; what it may not do does not rest on that alone.
func ours(c *net.UnixConn) (pid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, failed); err != nil {
		return 0, err
	}
	if cred.Uid != uint32(os.Getuid()) {
		return 0, fmt.Errorf("a process of user %d may not", cred.Uid)
	}
	if !slices.Equal(spaces(int(cred.Pid)), spaces(os.Getpid())) {
		return 0, fmt.Errorf("process %d is in other namespaces", cred.Pid)
	}
	return int(cred.Pid), nil
}

// spaces are the namespaces of a process that a sandbox never shares.
func spaces(pid int) []string {
	all := make([]string, 2)
	for i, name := range []string{"pid", "user"} {
		link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, name))
		if err != nil {
			link = err.Error() + strconv.Itoa(pid) // unlike any other
		}
		all[i] = link
	}
	return all
}
