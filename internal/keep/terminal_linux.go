package keep

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Size is that of a terminal, in characters.
type Size struct {
	Rows    uint16 `json:"rows"`
	Columns uint16 `json:"columns"`
}

// A terminal is this side of one: what is typed goes in, and what the program writes
// comes out.
type terminal struct {
	master *os.File
	input  *input
}

// openTerminal makes a terminal, and the side of it that is the program's.
func openTerminal(s Size) (t *terminal, slave *os.File, err error) {
	const flags = unix.O_RDWR | unix.O_NOCTTY | unix.O_CLOEXEC
	master, err := os.OpenFile("/dev/ptmx", flags, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a terminal: %w", err)
	}
	t = &terminal{master: master, input: newInput()}
	err = t.control(func(fd int) error {
		if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
			return err
		}
		n, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TIOCGPTPEER, flags)
		if errno != 0 {
			return errno
		}
		slave = os.NewFile(n, "terminal")
		return nil
	})
	if err == nil {
		err = t.resize(s)
	}
	if err != nil {
		_ = master.Close() // nothing was written
		return nil, nil, fmt.Errorf("make a terminal: %w", err)
	}
	return t, slave, nil
}

func (t *terminal) control(do func(fd int) error) error {
	raw, err := t.master.SyscallConn()
	if err != nil {
		return err
	}
	if e := raw.Control(func(fd uintptr) { err = do(int(fd)) }); e != nil {
		return e
	}
	return err
}

func (t *terminal) resize(s Size) error {
	return t.control(func(fd int) error {
		return unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: s.Rows, Col: s.Columns})
	})
}

// drainWithin is how long what is left is read, when the program has ended and
// something still has its terminal open.
const drainWithin = 2 * time.Second

// runOn runs a command on a terminal of its own.
func (j Job) runOn(dir string, cmd *exec.Cmd, out *Output) error {
	t, slave, err := openTerminal(*j.Terminal)
	if err != nil {
		return err
	}
	defer t.master.Close()
	defer t.input.end()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGTERM}
	err = cmd.Start()
	_ = slave.Close() // the program has it
	if err != nil {
		return err
	}
	l, err := (&door{terminal: t, process: cmd.Process}).serve(dir)
	if err != nil {
		return errors.Join(err, cmd.Process.Kill(), cmd.Wait())
	}
	defer l.Close() //nolint:errcheck // nobody comes any more
	go func() {     // ends with the input
		for piece := t.input.take(); piece != nil; piece = t.input.take() {
			if _, err := t.master.Write(piece); err != nil {
				return
			}
		}
	}()
	read := make(chan struct{})
	go func() {
		defer close(read)
		to := out.stream(Stdout)
		for buf := make([]byte, 16<<10); ; {
			n, err := t.master.Read(buf) // EIO when nobody has the other side any more
			_, _ = to.Write(buf[:n])     // it never fails
			if err != nil {
				return
			}
		}
	}()
	err = cmd.Wait()
	t.input.end()
	_ = t.master.SetReadDeadline(time.Now().Add(drainWithin)) // it ends by itself where that cannot be
	<-read
	return err
}
