package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// segmentName is the file name of segment n.
func segmentName(n int) string { return fmt.Sprintf("%08d.log", n) }

// segmentNumber is the inverse of segmentName.
func segmentNumber(name string) (int, bool) {
	digits, ok := strings.CutSuffix(name, ".log")
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n > 0 && segmentName(n) == name
}

// listSegments returns the numbers of the segments in dir, in order.
func listSegments(dir string) ([]int, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var all []int
	for _, name := range names {
		if n, ok := segmentNumber(name); ok {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, nil
}

// gap returns the first number that lacks in a list of segments.
func gap(segments []int) (missing int, ok bool) {
	for i, n := range segments {
		if n != i+1 {
			return i + 1, true
		}
	}
	return 0, false
}

// errNoNewline marks the last line of a segment if it has no end.
var errNoNewline = errors.New("the line has no end")

// errLineTooLong marks a line that no writer of ours wrote.
var errLineTooLong = errors.New("the line is too long")

// lines calls yield with each line of r, with its newline. The slice is valid
// until the next call.
func lines(r io.Reader, yield func(line []byte) error) error {
	br := bufio.NewReaderSize(r, 128<<10)
	var long []byte
	for {
		part, err := br.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			if long = append(long, part...); len(long) > maxLine+maxLine/2 {
				return errLineTooLong
			}
			continue
		case errors.Is(err, io.EOF) && len(part)+len(long) == 0:
			return nil
		case errors.Is(err, io.EOF):
			return errNoNewline
		case err != nil:
			return err
		}
		if len(long) > 0 {
			part, long = append(long, part...), long[:0]
		}
		if err := yield(part); err != nil {
			return err
		}
	}
}

// commit is the last commit of a segment, found from the end of the file.
type commit struct {
	lines [][]byte // of its records, without newlines
	head  Head     // signature not checked
	link  []byte   // the last record line and the head line: what the next prev is the hash of
	first uint64   // number of its first record
}

// lastCommit reads the last commit of a segment of this size, without reading
// what comes before it. It fails if the segment does not end with a head.
func lastCommit(f io.ReaderAt, size int64) (commit, error) {
	for n := int64(16 << 10); ; n *= 8 {
		n = min(n, size)
		b := make([]byte, n)
		if _, err := f.ReadAt(b, size-n); err != nil {
			return commit{}, err
		}
		c, whole, err := splitCommit(b, n == size)
		if whole || err != nil {
			return c, err
		}
	}
}

// splitCommit finds the last commit in b, the end of a segment or, if start is
// true, all of it. It reports false if the commit begins before b.
func splitCommit(b []byte, start bool) (c commit, whole bool, err error) {
	if len(b) == 0 || b[len(b)-1] != '\n' {
		return c, false, errNoNewline
	}
	at := bytes.LastIndexByte(b[:len(b)-1], '\n') + 1
	if at == 0 && !start {
		return c, false, nil
	}
	if c.head, err = parseHeadLine(b[at : len(b)-1]); err != nil {
		return c, false, err
	}
	rest := b[:at]
	if i := bytes.LastIndex(rest, append([]byte("\n"), headPrefix...)); i >= 0 {
		end := bytes.IndexByte(rest[i+1:], '\n')
		rest = rest[i+1+end+1:]
	} else if !start {
		return c, false, nil
	}
	c.lines = bytes.Split(bytes.TrimSuffix(rest, []byte("\n")), []byte("\n"))
	r, err := parseRecord(c.lines[0])
	if err != nil {
		return c, false, err
	}
	c.first = r.Seq
	c.link = b[at-len(c.lines[len(c.lines)-1])-1:]
	return c, true, nil
}

// openSegment opens segment n of the log in dir.
func openSegment(dir string, n, flag int) (*os.File, error) {
	return openFile(filepath.Join(dir, segmentName(n)), flag, 0)
}
