package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// other is a program that enters the sandbox beside the first one.
type other struct {
	standard
	enter  *channel.Enter
	files  []*os.File // its descriptors, until it has them
	group  string     // its control group, within that of the first one
	status *os.File   // what process 1 says of it; valid when it has begun
	once   sync.Once
}

// call is what process 1 is told over its line: to signal a program that has
// entered, or to start one. Beside that go descriptors: of its words (channel.Enter),
// standard input, output and error, its control group, and where to say what came
// of it.
type call struct {
	Number int `json:"number"`
	Signal int `json:"signal,omitempty"` // 0: start it
}

// callFiles is how many descriptors go with a start.
const callFiles = 6

// mostOthers bounds the programs that have entered and not ended.
const mostOthers = 256

// enter makes what a program needs, and leaves it at its threshold.
func (p *program) enter(number int, e *channel.Enter) error {
	if e == nil || number <= 0 {
		return errors.New("a program that enters without a number")
	}
	o := &other{enter: e, group: filepath.Join(p.group, "entered-"+strconv.Itoa(number))}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.others[number] != nil || len(p.others) >= mostOthers {
		return errors.New("there are too many programs, or there is one of this number")
	}
	if err := os.Mkdir(o.group, 0o755); err != nil {
		return err
	}
	var err error
	if o.files, _, err = o.open(shape{e.Terminal, e.Rows, e.Columns, p.uid, p.gid}); err != nil {
		return err
	}
	p.others[number] = o
	return nil
}

// entered is the program of a number.
func (p *program) entered(number int) (*other, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o := p.others[number]; o != nil {
		return o, nil
	}
	return nil, fmt.Errorf("there is no program %d", number)
}

// beginOther has process 1 start it, and answers how it ended.
func (p *program) beginOther(number int) (a channel.Answer, err error) {
	o, err := p.entered(number)
	if err != nil {
		return a, err
	}
	defer func() {
		p.mu.Lock()
		delete(p.others, number)
		p.mu.Unlock()
		_ = os.Remove(o.group) // what it left running is in it still, until the session ends
	}()
	again := true
	o.once.Do(func() { again, err = false, p.tell(number, o) })
	if again {
		return a, errors.New("it has begun")
	}
	if err != nil {
		return a, err
	}
	var end said
	if err := json.NewDecoder(io.LimitReader(o.status, 64<<10)).Decode(&end); err != nil {
		return channel.Answer{Signal: int(unix.SIGKILL)}, nil //nolint:nilerr // process 1 has ended, and all with it
	}
	if end.Error != "" {
		return a, errors.New(end.Error)
	}
	return channel.Answer{Errno: end.Errno, Exit: end.Exit, Signal: end.Signal}, nil
}

// tell has process 1 start a program.
func (p *program) tell(number int, o *other) error {
	defer func() {
		for _, f := range o.files {
			_ = f.Close() // the program has its own; a terminal is there three times
		}
	}()
	words, err := memory(o.enter)
	if err != nil {
		return err
	}
	defer words.Close()
	group, err := os.Open(o.group)
	if err != nil {
		return err
	}
	defer group.Close()
	status, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer theirs.Close()
	o.status = status
	var rights []int
	for _, f := range []*os.File{words, o.files[0], o.files[1], o.files[2], group, theirs} {
		rights = append(rights, int(f.Fd()))
	}
	return p.call(call{Number: number}, rights...)
}

// memory is a file with a value, which takes a program's words of any length.
func memory(v any) (*os.File, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("words", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "words")
	if _, err := f.WriteAt(text, 0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (p *program) call(c call, rights ...int) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	var oob []byte
	if len(rights) > 0 {
		oob = unix.UnixRights(rights...)
	}
	return unix.Sendmsg(int(p.line.Fd()), text, oob, nil, unix.MSG_NOSIGNAL)
}

// signalOther passes a signal on; SIGKILL ends all that the program started.
func (p *program) signalOther(number int, sig unix.Signal) error {
	o, err := p.entered(number)
	if err != nil {
		return nil //nolint:nilerr // it has ended
	}
	if sig == unix.SIGKILL {
		return os.WriteFile(filepath.Join(o.group, "cgroup.kill"), []byte("1"), 0o600)
	}
	return p.call(call{Number: number, Signal: int(sig)})
}
