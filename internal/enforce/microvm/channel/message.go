package channel

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// Bounds of one message: what a guest may say to the launcher, and what the
// launcher, whom it trusts, may say to it.
const (
	largestAnswer  = 64 << 10
	LargestRequest = 16 << 20
)

// pieceSize is how much of a file goes into one message.
const pieceSize = 32 << 10

// Op is what a request asks for.
type Op string

// The requests. Each has a stream of its own.
const (
	OpIdentity Op = "identity" // makes a clone another machine
	OpPut      Op = "put"      // files follow, for the folder Tree
	OpCollect  Op = "collect"  // files come, of the folder Tree
	OpPrepare  Op = "prepare"  // builds the view and leaves the program at its threshold
	OpStream   Op = "stream"   // becomes the program's descriptor FD
	OpFrames   Op = "frames"   // becomes the other end of the guest's link
	OpAsk      Op = "ask"      // the guest asks on it, of names and first touches
	OpShow     Op = "show"     // shows the folder Tree in the running view
	OpHide     Op = "hide"     // takes what was shown out of the view; the answer says who holds what of it
	OpEnter    Op = "enter"    // leaves another program beside the first one at its threshold
	OpGo       Op = "go"       // lets it begin; the answer is its end
	OpSignal   Op = "signal"   // to the program
	OpSize     Op = "size"     // of its terminal
	OpClock    Op = "clock"    // puts the clock right, after the machine was stopped
)

// Request is what the launcher asks for. Fields beside Op are for some of them.
type Request struct {
	Op       Op        `json:"op"`
	Identity *Identity `json:"identity,omitempty"`
	Tree     int       `json:"tree,omitempty"`
	Prepare  *Prepare  `json:"prepare,omitempty"`
	Enter    *Enter    `json:"enter,omitempty"`
	Show     *Shown    `json:"show,omitempty"`
	Hide     []string  `json:"hide,omitempty"`    // paths of the view, different ones
	Program  int       `json:"program,omitempty"` // that is meant: 0 is the first one, others have entered
	FD       int       `json:"fd,omitempty"`
	Signal   int       `json:"signal,omitempty"`
	Rows     uint16    `json:"rows,omitempty"`
	Columns  uint16    `json:"columns,omitempty"`
	Time     int64     `json:"time,omitempty"` // nanoseconds since 1970
}

// Identity tells a clone from all others of its template.
type Identity struct {
	Seed     []byte `json:"seed"` // for the kernel's generator of random numbers
	Time     int64  `json:"time"` // nanoseconds since 1970
	Hostname string `json:"hostname"`
}

// Prepare is the sandbox inside the guest.
type Prepare struct {
	Hostname string   `json:"hostname"`
	Entries  []Entry  `json:"entries"`
	Quiet    []string `json:"quiet,omitempty"` // of a trap: what is not there, and not asked about
	Path     string   `json:"path"`
	Argv     [][]byte `json:"argv"`
	Dir      string   `json:"dir"`
	Env      [][]byte `json:"env"`
	UID      int      `json:"uid"`
	GID      int      `json:"gid"`
	Umask    int      `json:"umask"`
	Terminal bool     `json:"terminal,omitempty"`
	Rows     uint16   `json:"rows,omitempty"`
	Columns  uint16   `json:"columns,omitempty"`
	Limits   Limits   `json:"limits"`
	Link     *Link    `json:"link,omitempty"` // nil: no network
}

// Enter is another program in the sandbox inside the guest. Its number is that of
// its request.
type Enter struct {
	Own      bool     `json:"own,omitempty"` // it is the guest's own program
	Argv     [][]byte `json:"argv"`          // a program without a slash is looked for
	Dir      string   `json:"dir"`
	Env      [][]byte `json:"env"`
	Terminal bool     `json:"terminal,omitempty"`
	Rows     uint16   `json:"rows,omitempty"`
	Columns  uint16   `json:"columns,omitempty"`
}

// Limits are bounds that the guest keeps; zero means none.
type Limits struct {
	Memory int64 `json:"memory,omitempty"`
	PIDs   int64 `json:"pids,omitempty"`
	CPU    int64 `json:"cpu,omitempty"` // thousandths of a core
	File   int64 `json:"file,omitempty"`
	FDs    int64 `json:"fds,omitempty"`
}

// Entry is one thing of the view, as in a plan; what a plan binds comes from the
// image, the guest's devices, or a folder that was put.
type Entry struct {
	Op      string `json:"op"`
	Path    string `json:"path"`
	From    string `json:"from,omitempty"` // link: its target; bind: a path of the guest
	Write   bool   `json:"write,omitempty"`
	Exec    bool   `json:"exec,omitempty"`
	Device  bool   `json:"device,omitempty"`
	Dir     bool   `json:"dir,omitempty"`
	Size    int64  `json:"size,omitempty"`
	Mode    uint32 `json:"mode,omitempty"`
	Content []byte `json:"content,omitempty"`
}

// Answer is what the guest answers. The zero Answer is a plain yes.
type Answer struct {
	Error string `json:"error,omitempty"`
	Errno int    `json:"errno,omitempty"` // of executing the program
	// Of the end of the program.
	Exit   int    `json:"exit,omitempty"`
	Signal int    `json:"signal,omitempty"`
	Limit  string `json:"limit,omitempty"`
	Boot   string `json:"boot,omitempty"` // to OpIdentity: the boot id
	Held   []Held `json:"held,omitempty"` // to OpHide
}

// Failed is the guest's error, if it says one.
func (a Answer) Failed() error {
	if a.Error == "" {
		return nil
	}
	return fmt.Errorf("the guest says %q", a.Error)
}

// A Stream carries messages: four bytes of length and kind in front of each.
type Stream struct {
	c     net.Conn
	limit int
}

// The kinds of message.
const (
	kindMessage = 'm' // JSON
	kindNode    = 'n' // JSON of a Node
	kindPiece   = 'p' // of a file's content
	kindEnd     = 'e' // of files
)

// NewStream makes a stream that takes messages up to a size.
func NewStream(c net.Conn, limit int) *Stream { return &Stream{c, limit} }

// Conn is the stream without messages, for a program's descriptor.
func (s *Stream) Conn() net.Conn { return s.c }

// Close closes the writing side.
func (s *Stream) Close() error { return s.c.Close() }

// Send sends a value as a message.
func (s *Stream) Send(v any) error { return s.sendJSON(kindMessage, v) }

func (s *Stream) sendJSON(kind byte, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.write(kind, text)
}

func (s *Stream) write(kind byte, text []byte) error {
	b := make([]byte, 5, 5+len(text))
	b[0] = kind
	binary.BigEndian.PutUint32(b[1:], uint32(len(text)))
	_, err := s.c.Write(append(b, text...))
	return err
}

var errMessage = errors.New("a message breaks the rules of the channel")

// read reads the next message.
//
// Security: its size is checked before memory is taken for it.
func (s *Stream) read() (kind byte, text []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(s.c, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if uint64(n) > uint64(s.limit) {
		return 0, nil, fmt.Errorf("%w: %d bytes, at most %d", errMessage, n, s.limit)
	}
	text = make([]byte, n)
	if _, err := io.ReadFull(s.c, text); err != nil {
		return 0, nil, fmt.Errorf("read a message: %w", noEnd(err))
	}
	return head[0], text, nil
}

func noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Receive reads a message into a value.
func (s *Stream) Receive(v any) error {
	kind, text, err := s.read()
	if err != nil {
		return err
	}
	if kind != kindMessage {
		return fmt.Errorf("%w: kind %q", errMessage, kind)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("%w: %w", errMessage, err)
	}
	return nil
}

// Answer waits for the guest's answer and checks it.
func (s *Stream) Answer(until time.Time) (Answer, error) {
	var a Answer
	if err := s.c.SetReadDeadline(until); err != nil {
		return a, err
	}
	if err := s.Receive(&a); err != nil {
		return Answer{}, fmt.Errorf("wait for the guest's answer: %w", err)
	}
	if err := a.check(); err != nil {
		return Answer{}, err
	}
	return a, a.Failed()
}

// check refuses what no guest of ours would say.
func (a Answer) check() error {
	switch {
	case a.Exit < 0 || a.Exit > 255, a.Signal < 0 || a.Signal > 64, a.Errno < 0 || a.Errno > 4095:
		return fmt.Errorf("%w: an end with status %d, signal %d, error %d", errMessage, a.Exit, a.Signal, a.Errno)
	case a.Limit != "" && a.Limit != "memory" && a.Limit != "pids":
		return fmt.Errorf("%w: the limit %q", errMessage, a.Limit)
	case len(a.Held) > MostHeld:
		return fmt.Errorf("%w: %d things that are held", errMessage, len(a.Held))
	}
	for _, h := range a.Held {
		if err := h.check(); err != nil {
			return err
		}
	}
	return nil
}

// CannotExec is why the guest's kernel did not execute the program, or nil.
func (a Answer) CannotExec() error {
	if a.Errno == 0 {
		return nil
	}
	return syscall.Errno(a.Errno)
}
