package keep

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// inputFile is the socket in the folder of a job with a terminal: packets of JSON
// (unix(7), SOCK_SEQPACKET), an answer for each.
const inputFile = "input"

// maxPacket bounds one: a piece in base64, and what stands around it.
const maxPacket = MaxPiece*4/3 + 4096

// An act is what is to be done to a terminal: a size, or something typed.
type act struct {
	Stop   bool   `json:"stop,omitempty"`
	Size   *Size  `json:"size,omitempty"`
	Writer string `json:"writer,omitempty"`
	Offset int64  `json:"offset,omitempty"`
	Data   []byte `json:"data,omitempty"`
	Asked  int64  `json:"asked,omitempty"`
}

type acted struct {
	Next  int64 `json:"next"`
	Error int   `json:"error,omitempty"` // 1 + its place in refusals; 0: none
}

// refusals are the errors that are told.
var refusals = []error{ErrGap, ErrWriters, ErrTooLong, ErrOver, ErrTerminal}

// A door is where what runs can be reached.
type door struct {
	terminal *terminal // nil: it has none
	process  *os.Process
}

// serve does what comes by the socket, until it is closed.
func (d *door) serve(dir string) (*net.UnixListener, error) {
	at, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer at.Close()
	l, err := net.ListenUnix("unixpacket", socketIn(at))
	if err != nil {
		return nil, fmt.Errorf("make the socket of the terminal: %w", err)
	}
	l.SetUnlinkOnClose(false) // its folder says that it has ended; the path is good for as long as at is open
	go func() {
		for {
			c, err := l.AcceptUnix()
			if err != nil {
				return
			}
			go d.answer(c)
		}
	}()
	return l, nil
}

// socketIn is the socket of a folder, also where that is longer than the name of a
// socket may be.
func socketIn(dir *os.File) *net.UnixAddr {
	return &net.UnixAddr{Name: fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), inputFile), Net: "unixpacket"}
}

func (d *door) answer(c *net.UnixConn) {
	defer c.Close() //nolint:errcheck // what it had to say was said
	if ours(c) != nil {
		return
	}
	for buf := make([]byte, maxPacket); ; {
		n, err := c.Read(buf)
		if err != nil || n == 0 {
			return
		}
		var a act
		if json.Unmarshal(buf[:n], &a) != nil {
			return
		}
		text, err := json.Marshal(d.do(a))
		if err != nil {
			return
		}
		if _, err := c.Write(text); err != nil {
			return
		}
	}
}

func (d *door) do(a act) (r acted) {
	var err error
	switch {
	case a.Stop:
		if d.process.Signal(syscall.SIGTERM) != nil {
			err = ErrOver
		}
	case d.terminal == nil:
		err = ErrTerminal
	case a.Size != nil:
		err = d.terminal.resize(*a.Size)
	default:
		r.Next, err = d.terminal.input.put(stroke{a.Writer, a.Offset, a.Data, a.Asked}, time.Now())
	}
	for i, known := range refusals {
		if errors.Is(err, known) {
			r.Error = i + 1
		}
	}
	return r
}

// ours refuses who is not a process of this user in these namespaces.
//
// Security: a program in a sandbox is of this user too. It has no path to the
// socket; that it may not type into another session does not rest on that alone.
func ours(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) { cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	if cred.Uid != uint32(os.Getuid()) {
		return fmt.Errorf("a process of user %d may not", cred.Uid)
	}
	for _, kind := range []string{"user", "mnt", "pid"} {
		theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", cred.Pid, kind))
		if err != nil {
			return err
		}
		if own, err := os.Readlink("/proc/self/ns/" + kind); err != nil || own != theirs {
			return errors.Join(err, fmt.Errorf("process %d is in another %s namespace", cred.Pid, kind))
		}
	}
	return nil
}

// tellWithin bounds how long a keeper takes to answer: it holds nothing up.
const tellWithin = 10 * time.Second

// tell has the keeper of a folder do something. os.ErrNotExist says that it does not
// listen yet.
func tell(dir string, a act) (next int64, err error) {
	d, err := os.Open(dir)
	if err != nil {
		return 0, err
	}
	defer d.Close()
	c, err := net.DialUnix("unixpacket", nil, socketIn(d))
	if errors.Is(err, unix.ECONNREFUSED) {
		return 0, ErrOver
	}
	if err != nil {
		return 0, err
	}
	defer c.Close() //nolint:errcheck // what it had to say was said
	text, err := json.Marshal(a)
	if err != nil {
		return 0, err
	}
	if err := c.SetDeadline(time.Now().Add(tellWithin)); err != nil {
		return 0, err
	}
	if _, err := c.Write(text); err != nil {
		return 0, err
	}
	buf := make([]byte, 4096)
	n, err := c.Read(buf)
	if err != nil || n == 0 {
		return 0, ErrOver // it ended meanwhile
	}
	var r acted
	if err := json.Unmarshal(buf[:n], &r); err != nil {
		return 0, err
	}
	if r.Error > 0 && r.Error <= len(refusals) {
		err = refusals[r.Error-1]
	}
	return r.Next, err
}

// Type types something into the terminal of a job, and says up to where the writer's
// input has been taken: less than all where a program does not read. What was taken
// before is left out. ErrOver, ErrTerminal, ErrGap; os.ErrNotExist where the keeper
// does not listen yet.
func Type(dir, writer string, offset int64, data []byte) (next int64, err error) {
	return Answer(dir, writer, offset, data, 0)
}

// Answer is Type for what a terminal says by itself, since a program asked it something:
// in the frame whose Next is asked. Where another answers, nothing is typed, and it is
// taken all the same; less than all is taken as long as it is waited for the other.
func Answer(dir, writer string, offset int64, data []byte, asked int64) (next int64, err error) {
	if err := typable(dir); err != nil {
		return 0, err
	}
	return tell(dir, act{Writer: writer, Offset: offset, Data: data, Asked: asked})
}

// Resize gives the terminal of a job a size. Errors as of Type.
func Resize(dir string, s Size) error {
	if err := typable(dir); err != nil {
		return err
	}
	_, err := tell(dir, act{Size: &s})
	return err
}

func typable(dir string) error {
	j, err := Load(dir)
	if err != nil {
		return err
	}
	if j.Terminal == nil {
		return ErrTerminal
	}
	return runs(dir)
}

// Stop tells what a job that enters a session has started to end. Errors as of Type.
func Stop(dir string) error {
	if err := runs(dir); err != nil {
		return err
	}
	_, err := tell(dir, act{Stop: true})
	return err
}

// runs is ErrOver for a job that has ended.
func runs(dir string) error {
	state, _, err := Look(dir)
	if err == nil && (state == Ended || state == Lost) {
		err = ErrOver
	}
	return err
}
