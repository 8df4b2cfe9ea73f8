package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// PageSize of the files. One page is one page of the page cache, so that a file
// that is not a multiple of it was cut, not caught while it grew.
const PageSize = 4096

// Format is what tells a file of ours from others.
type Format struct {
	ApplicationID uint32 // marks it among those of SQLite
	Version       int    // the newest that this ambit knows
}

// The formats of the two files.
var (
	GrantsFormat = Format{ApplicationID: 0x616d6274, Version: 1}
	ListFormat   = Format{ApplicationID: 0x616d6273, Version: 2}
)

// Newer is the error of a file with a version that f does not know.
func (f Format) Newer(version int) error {
	return fmt.Errorf("it has version %d, this ambit knows %d: use a newer ambit", version, f.Version)
}

// Content is what can be told of a file by its first bytes.
type Content struct {
	Version int
	print   string // see Fingerprint
}

// Inspect looks at the first bytes of the file, before SQLite does: it takes an
// empty file for a new database, and a foreign one for one that lacks our tables.
// A process that has the file open in SQLite must not: see Standing.
func Inspect(path string, of Format) (c Content, err error) {
	f, err := os.Open(path)
	if err != nil {
		return c, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return c, err
	case !info.Mode().IsRegular():
		return c, errors.New("it is not a file")
	case info.Mode().Perm()&0o022 != 0:
		return c, fmt.Errorf("others may write it (mode %#o); chmod 600 it if nobody has", info.Mode().Perm())
	}
	const advice = "; move it away to start with no grants, or put a copy back"
	var header [100]byte // sqlite.org/fileformat.html, 1.3
	if _, err := io.ReadFull(f, header[:]); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return c, errors.New("it is empty or cut off" + advice)
	} else if err != nil {
		return c, err
	}
	if string(header[:16]) != "SQLite format 3\x00" || binary.BigEndian.Uint32(header[68:]) != of.ApplicationID {
		return c, errors.New("it was not written by ambit" + advice)
	}
	if info.Size()%PageSize != 0 {
		return c, errors.New("it is cut off" + advice)
	}
	c = Content{int(binary.BigEndian.Uint32(header[60:])), printOf(header, info)}
	if c.Version > of.Version {
		return Content{}, of.Newer(c.Version)
	}
	return c, nil
}
