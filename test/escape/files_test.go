package escape_test

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// readFile reads a file and says what it had.
func (f *field) readFile(path string) error {
	text, err := os.ReadFile(path)
	f.note.Write(text)
	return err
}

// readAt reads a file beneath a directory.
func (f *field) readAt(dir int, path string) error {
	fd, err := unix.Openat(dir, path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	return f.readFD(fd)
}

func (f *field) readFD(fd int) error {
	text := make([]byte, 4096)
	n, err := unix.Read(fd, text)
	f.note.Write(text[:max(0, n)])
	return errors.Join(err, unix.Close(fd))
}

// overwrite opens an existing file for writing, and writes.
func overwrite(path string) error {
	return overwriteAt(unix.AT_FDCWD, path, unix.O_WRONLY|unix.O_TRUNC)
}

func overwriteAt(dir int, path string, flags int) error {
	fd, err := unix.Openat(dir, path, flags|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return err
	}
	_, err = unix.Write(fd, []byte("changed\n"))
	return errors.Join(err, unix.Close(fd))
}

// closing ends an attempt that would have given a descriptor.
func closing(fd int, err error) error {
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// exists answers nil if there is something at path.
func exists(path string) error {
	var st unix.Stat_t
	return unix.Lstat(path, &st)
}

// each makes one attempt of several: nil if any of them succeeds, else the
// last error. What succeeded is said.
func (f *field) each(names []string, try func(name string) error) (err error) {
	done := false
	for _, name := range names {
		if e := try(name); e == nil {
			f.note.WriteString(name + " ")
			done = true
		} else {
			err = e
		}
	}
	if done {
		return nil
	}
	return err
}
