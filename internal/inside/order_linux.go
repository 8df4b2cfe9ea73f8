//go:build linux

package inside

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path"
	"syscall"

	"golang.org/x/sys/unix"
)

// Name is argv[0] of a program that carries out an order within a session. Behind it
// stands the order; what is to be written comes on standard input, what was read goes to
// standard output, and the Result to standard error.
const Name = "ambit-files"

// What an order is.
const (
	OpList   = "list"
	OpStat   = "stat"
	OpRead   = "read"
	OpWrite  = "write"
	OpRemove = "remove"
	OpMkdir  = "mkdir"
	OpOut    = "out" // of a file or a folder with what is in it
	OpIn     = "in"  // the same, into the session
)

// An Order is one thing that is done to a path of a session.
type Order struct {
	Op     string `json:"op"`
	Path   []byte `json:"path"`
	After  []byte `json:"after,omitempty"` // of list: begin behind this name
	Limit  int    `json:"limit,omitempty"` // of list
	Offset int64  `json:"offset,omitempty"`
	Length int64  `json:"length,omitempty"`
	Folder bool   `json:"folder,omitempty"` // of remove: it is one
	All    bool   `json:"all,omitempty"`    // of remove: it is one, and goes with what is in it
	// Most is how large a file may become, Grows where files only grow, and Shown what the
	// view has paths for. Who looks after the session says so.
	Most  int64    `json:"most,omitempty"`
	Grows [][]byte `json:"grows,omitempty"`
	Shown [][]byte `json:"shown,omitempty"` // of remove
}

// A Result is what came of an order.
type Result struct {
	Error  string   `json:"error,omitempty"`
	Errno  int      `json:"errno,omitempty"`
	Page   Page     `json:"page,omitzero"`
	Entry  Entry    `json:"entry,omitzero"`
	Copied Copied   `json:"copied,omitzero"`
	Files  int      `json:"files,omitempty"`
	Bytes  int64    `json:"bytes,omitempty"`
	Left   []string `json:"left,omitempty"`
}

// largestResult bounds what a session may say of an order, in bytes.
const largestResult = 64 << 20

// ReadResult takes a result that comes over a pipe.
//
// Security: it may be anything. It is bounded, and what is not known is not passed on.
func ReadResult(from io.Reader) (r Result, err error) {
	text, err := io.ReadAll(io.LimitReader(from, largestResult+1))
	switch {
	case err != nil:
		return r, err
	case len(text) == 0:
		return r, errors.New("what looks after the session's files ended without a word")
	case len(text) > largestResult:
		return r, errors.New("the session says too much of it; --limit makes it less")
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return Result{}, fmt.Errorf("%w: %w", errFrame, err)
	}
	if r.Errno < 0 || r.Errno > 4095 {
		return Result{}, fmt.Errorf("%w: error %d", errFrame, r.Errno)
	}
	for i := range r.Page.Entries {
		r.Page.Entries[i].known()
	}
	r.Entry.known()
	return r, nil
}

// known leaves of a type what there is.
func (e *Entry) known() {
	switch e.Type {
	case "file", "folder", "link", "pipe", "socket", "device":
	default:
		e.Type = "unknown"
	}
}

// A refusal is an error in the words of a session.
type refusal struct {
	text  string
	errno syscall.Errno
}

func (r refusal) Error() string { return r.text }
func (r refusal) Unwrap() error { return r.errno }

// Failed is why it was not done, if it was not. shown makes words of a session fit to be
// seen.
func (r Result) Failed(shown func(string) string) error {
	switch {
	case r.Error == "" && r.Errno == 0:
		return nil
	case r.Errno == 0:
		return errors.New(shown(r.Error))
	}
	return refusal{shown(r.Error), syscall.Errno(r.Errno)}
}

// Carry carries out the order that a program was given as its arguments.
func Carry(args []string) error {
	signal.Ignore(unix.SIGXFSZ) // a file that would be too large is an error like others
	var o Order
	if len(args) != 2 {
		return errors.New("it takes one order, and is of no use by itself: see `ambit files`")
	}
	if err := json.Unmarshal([]byte(args[1]), &o); err != nil {
		return err
	}
	r, err := o.carry(os.Stdin, os.Stdout)
	if err != nil {
		r.Error = err.Error()
		if errno, ok := errors.AsType[syscall.Errno](err); ok {
			r.Errno = int(errno)
		}
	}
	return json.NewEncoder(os.Stderr).Encode(r)
}

// carry does what is ordered, in the session that this process is in.
func (o Order) carry(in io.Reader, out io.Writer) (r Result, err error) {
	fs := Files{Open: o.open, Within: true}
	for _, p := range o.Grows {
		fs.Grows = append(fs.Grows, string(p))
	}
	for _, p := range o.Shown {
		fs.Shown = append(fs.Shown, string(p))
	}
	name := string(o.Path)
	if !path.IsAbs(name) {
		return r, errors.New("not an absolute path")
	}
	switch o.Op {
	case OpList:
		r.Page, err = fs.List(name, string(o.After), o.Limit)
	case OpStat:
		r.Entry, err = fs.Stat(name)
	case OpRead:
		r.Copied, err = fs.Read(name, out, o.Offset, o.Length)
	case OpWrite:
		r.Copied.Bytes, err = fs.Write(name, &content{f: frameReader{in}})
	case OpRemove:
		if o.All {
			r.Files, err = fs.RemoveAll(name)
		} else {
			err = fs.Remove(name, o.Folder)
		}
	case OpMkdir:
		err = fs.Mkdir(name)
	case OpOut, OpIn:
		c := &Copier{}
		if o.Op == OpIn {
			err = c.takeIn(fs, in, name)
		} else {
			err = c.stream(fs, name, out)
		}
		r.Files, r.Bytes, r.Left = c.Files, c.Bytes, c.Left
	default:
		err = fmt.Errorf("there is no order %q", o.Op)
	}
	return r, err
}

// stream puts a file or a folder of the session on a pipe.
func (c *Copier) stream(fs Files, from string, to io.Writer) error {
	src, st, err := fs.source(from)
	if err != nil {
		return err
	}
	defer src.Close()
	base := path.Base(path.Clean(from))
	if !NameIn(base) {
		base = "root"
	}
	return c.out(src, streamed{frameWriter{to}, true}, base, from, st)
}

// open opens a path here.
func (o Order) open(w Wanted) (*os.File, int64, error) {
	flags := w.Flags | unix.O_CLOEXEC | unix.O_NOCTTY
	if flags&(unix.O_DIRECTORY|unix.O_CREAT) == unix.O_DIRECTORY|unix.O_CREAT {
		_ = unix.Mkdir(w.Path, w.Mode) // if it is not there, opening it says so
		flags &^= unix.O_CREAT
	}
	fd, err := unix.Open(w.Path, flags, w.Mode)
	if err != nil {
		return nil, 0, fmt.Errorf("open %s in the session: %w", quoted(w.Path), err)
	}
	return os.NewFile(uintptr(fd), w.Path), o.Most, nil
}

// Feed puts what is to be written on a pipe, for who has the order.
func Feed(to io.Writer, from io.Reader) error {
	_, err := frameWriter{to}.pour(from)
	return err
}
