package terminal

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// writeTime is how long a terminal may take to accept what is drawn. One that
// takes longer shows it to nobody.
const writeTime = 5 * time.Second

// tty is an open terminal.
type tty struct {
	f      *os.File
	fd     int
	number uint64 // device number, as /proc/PID/stat spells it
}

// openTTY opens a terminal with a description of its own: that it does not block
// concerns nobody else.
func openTTY(path string) (*tty, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("open the terminal: %w", &os.PathError{Op: "open", Path: path, Err: err})
	}
	t := &tty{fd: fd, f: os.NewFile(uintptr(fd), path)}
	// /dev/tty has a number of its own; TIOCGDEV tells which terminal it is.
	n, err := unix.IoctlGetUint32(fd, unix.TIOCGDEV)
	if err != nil {
		_ = t.f.Close()
		return nil, fmt.Errorf("ask the terminal for its number: %w", err)
	}
	t.number = uint64(n)
	return t, nil
}

func (t *tty) close() { _ = t.f.Close() }

// unstopped calls f so that a terminal does not stop us for using it from the
// background: signal(7), SIGTTOU. Only this thread's mask is touched.
func unstopped(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var set, old unix.Sigset_t
	set.Val[0] = 1 << (unix.SIGTTOU - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &set, &old); err != nil {
		return fmt.Errorf("block SIGTTOU: %w", err)
	}
	err := f()
	if back := unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil); back != nil {
		return errors.Join(err, fmt.Errorf("unblock SIGTTOU: %w", back))
	}
	return err
}

// group is the process group in the foreground.
func (t *tty) group() (int, error) {
	pgrp, err := unix.IoctlGetInt(t.fd, unix.TIOCGPGRP)
	if err != nil {
		return 0, fmt.Errorf("ask for the foreground of the terminal: %w", err)
	}
	return pgrp, nil
}

func (t *tty) setGroup(pgrp int) error {
	return unstopped(func() error {
		if err := unix.IoctlSetPointerInt(t.fd, unix.TIOCSPGRP, pgrp); err != nil {
			return fmt.Errorf("take the terminal's foreground: %w", err)
		}
		return nil
	})
}

func (t *tty) modes() (*unix.Termios, error) {
	m, err := unix.IoctlGetTermios(t.fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("read the terminal's modes: %w", err)
	}
	return m, nil
}

// setModes does not wait until what was written is shown: the terminal may be
// held (Ctrl-S), or gone.
func (t *tty) setModes(m *unix.Termios) error {
	return unstopped(func() error {
		if err := unix.IoctlSetTermios(t.fd, unix.TCSETS, m); err != nil {
			return fmt.Errorf("set the terminal's modes: %w", err)
		}
		return nil
	})
}

// raw is m without anything between a key and us, as cfmakeraw(3) makes it.
func raw(m unix.Termios) *unix.Termios {
	m.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	m.Oflag &^= unix.OPOST
	m.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	m.Cflag = m.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	m.Cc[unix.VMIN], m.Cc[unix.VTIME] = 1, 0
	return &m
}

// discard throws away what was typed and not read.
func (t *tty) discard() error {
	return unstopped(func() error {
		if err := unix.IoctlSetInt(t.fd, unix.TCFLSH, unix.TCIFLUSH); err != nil {
			return fmt.Errorf("discard what was typed: %w", err)
		}
		return nil
	})
}

// size is the terminal's columns and rows; where it does not know them, those of
// the terminals that never said.
func (t *tty) size() (w, h int) {
	ws, err := unix.IoctlGetWinsize(t.fd, unix.TIOCGWINSZ)
	if err != nil || ws.Col == 0 || ws.Row == 0 {
		return 80, 24
	}
	return int(ws.Col), int(ws.Row)
}

func (t *tty) write(s string) error {
	return unstopped(func() error {
		_ = t.f.SetWriteDeadline(time.Now().Add(writeTime))
		if _, err := io.WriteString(t.f, s); err != nil {
			return fmt.Errorf("draw on the terminal: %w", err)
		}
		return nil
	})
}

// read reads what is typed before the deadline, at most once.
func (t *tty) read(buf []byte, until time.Time) (int, error) {
	_ = t.f.SetReadDeadline(until)
	n, err := t.f.Read(buf)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // hung up
	}
	return n, err
}

// nudge makes the terminal a row smaller than it is: programs that draw
// themselves again only when the size has changed then do. back undoes it.
func (t *tty) nudge() (back func()) {
	was, err := unix.IoctlGetWinsize(t.fd, unix.TIOCGWINSZ)
	if err != nil || was.Row < 2 {
		return func() {}
	}
	smaller := *was
	smaller.Row--
	if err := unix.IoctlSetWinsize(t.fd, unix.TIOCSWINSZ, &smaller); err != nil {
		return func() {}
	}
	return func() {
		if is, err := unix.IoctlGetWinsize(t.fd, unix.TIOCGWINSZ); err == nil && *is == smaller {
			_ = unix.IoctlSetWinsize(t.fd, unix.TIOCSWINSZ, was) // a person may have changed it meanwhile
		}
	}
}
