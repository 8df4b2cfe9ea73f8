package microvm

import (
	"io"
	"os"
)

// single brings back a file that was granted alone. It is changed in its place: the
// folder that it lies in was not granted, and whoever else names it is to see the change.
//
// Security: what the guest sends is here as a whole before a byte of the host's file
// changes, so that a machine or a launcher that ends meanwhile leaves the old one. The
// file is the object that was shown, whatever has its name by now. One that was changed
// on the host since it was copied, or brought back, stays as it is there.
func (c *collector) single(content io.Reader) error {
	staged, err := unnamed()
	if err != nil {
		return err
	}
	defer staged.Close() // it has no name
	came := newHashed(content)
	if _, err := io.Copy(staged, came); err != nil {
		return err
	}
	f, err := os.OpenFile(c.t.self(), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close() // each write was answered
	switch asLeft, err := c.asLeft(f); {
	case err != nil:
		return err
	case !asLeft:
		c.conflicts = append(c.conflicts, c.t.entry.Path)
		return nil
	}
	there := newHashed(f)
	if _, err := io.Copy(io.Discard, there); err != nil {
		return err
	}
	if there.taken() == came.taken() {
		return nil
	}
	if _, err := io.Copy(io.NewOffsetWriter(f, 0), io.NewSectionReader(staged, 0, came.size)); err != nil {
		return err
	}
	if err := f.Truncate(came.size); err != nil {
		return err
	}
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	_, c.t.has["."] = node(".", fi)
	return nil
}

// asLeft reports whether the host's file is as this side left it.
func (c *collector) asLeft(f *os.File) (bool, error) {
	fi, err := f.Stat()
	if err != nil {
		return false, err
	}
	was, ok := c.t.has["."]
	_, is := node(".", fi)
	return ok && is.mtime == was.mtime && is.size == was.size, nil
}

// unnamed is a file that ends with who has it open.
func unnamed() (*os.File, error) {
	f, err := os.CreateTemp("", "ambit-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}
