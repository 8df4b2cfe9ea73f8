package main

import (
	"errors"
	"io"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// standard are a program's three descriptors, as this side has them.
type standard struct {
	ends [3]*os.File // the terminal's is the first
	tty  bool
}

// shape says what they are.
type shape struct {
	terminal      bool
	rows, columns uint16
	uid, gid      int // whose they are
}

// open makes the three. path is the terminal's, if they are one.
func (s *standard) open(of shape) (files []*os.File, path string, err error) {
	if of.terminal {
		master, slave, path, err := terminal(of)
		if err != nil {
			return nil, "", err
		}
		s.tty, s.ends[0] = true, master
		return []*os.File{slave, slave, slave}, path, nil
	}
	for i := range s.ends {
		read, write, err := os.Pipe()
		if err != nil {
			return nil, "", err
		}
		ours, theirs := read, write
		if i == 0 {
			ours, theirs = write, read
		}
		s.ends[i] = ours
		if err := theirs.Chown(of.uid, of.gid); err != nil { // it opens it by its name too
			return nil, "", err
		}
		files = append(files, theirs)
	}
	return files, "", nil
}

// connect makes a stream one of the program's descriptors, until either ends.
func (s *standard) connect(fd int, c io.ReadWriteCloser) {
	switch {
	case fd < 0 || fd > 2 || s.ends[fd] == nil:
	case s.tty:
		go func() { _, _ = io.Copy(s.ends[0], c) }() // it ends with either
		_, _ = io.Copy(c, s.ends[0])                 // EIO, when the last one closes the terminal
	case fd == 0:
		_, _ = io.Copy(s.ends[0], c) // the program need not read
		_ = s.ends[0].Close()        // nothing is kept
	default:
		_, _ = io.Copy(c, s.ends[fd]) // the launcher need not read
		_ = s.ends[fd].Close()        // the program meets a broken pipe
	}
}

func (s *standard) size(rows, columns uint16) error {
	if !s.tty {
		return errors.New("there is no terminal")
	}
	raw, err := s.ends[0].SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
	})
	return errors.Join(err, failed)
}

// terminal makes a pair of them.
func terminal(of shape) (master, slave *os.File, path string, err error) {
	fd, err := unix.Open("/dev/pts/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, "", err
	}
	master = os.NewFile(uintptr(fd), "terminal")
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		return nil, nil, "", err
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, "", err
	}
	path = "/dev/pts/" + strconv.Itoa(n)
	if err := errors.Join(os.Chown(path, of.uid, of.gid), os.Chmod(path, 0o600)); err != nil {
		return nil, nil, "", err
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: of.rows, Col: of.columns}); err != nil {
		return nil, nil, "", err
	}
	slave, err = os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	return master, slave, path, err
}
