package view

import (
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"
)

// The files that every launch reads are small and many. Package os tells the
// poller of each, sets its flags and sets them back; here it is one call to open
// and one or two to read.

// read reads a small file.
func read(p string) ([]byte, error) {
	fd, err := unix.Open(p, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: p, Err: err}
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	content, err := readAll(fd, 4096)
	if err != nil {
		err = &fs.PathError{Op: "read", Path: p, Err: err}
	}
	return content, err
}

// readAll reads to the end, which is expected after size bytes.
func readAll(fd, size int) ([]byte, error) {
	content := make([]byte, 0, size+1) // one more, to meet the end
	for {
		if len(content) == cap(content) {
			content = slices.Grow(content, cap(content))
		}
		n, err := unix.Read(fd, content[len(content):cap(content)])
		switch {
		case err == unix.EINTR:
		case err != nil:
			return nil, err
		case n == 0:
			return content, nil
		default:
			content = content[:len(content)+n]
		}
	}
}
