package view

import (
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"ambit.dev/ambit/internal/enforce"
)

// besideFormat is the first record of what MarshalText writes. Records end with
// a zero byte, which no path has, and begin with a letter:
//
//	w PATH               a directory of programs, as a whole
//	d PATH               a directory with programs
//	f PATH               a program in the directory before it
//	l MTIME CTIME PATH   a directory that was read; these come last
const besideFormat = "ambit programs 1"

// MarshalText writes b so that the search need not be done again.
func (b Beside) MarshalText() ([]byte, error) {
	var t strings.Builder
	put := func(parts ...string) { t.WriteString(strings.Join(parts, " ") + "\x00") }
	put(besideFormat)
	for _, d := range b.Dirs {
		kind := "d"
		if d.Whole {
			kind = "w"
		}
		put(kind, d.Path)
		for _, f := range d.Files {
			put("f", f)
		}
	}
	t.WriteString(b.looks)
	return []byte(t.String()), nil
}

var errBeside = errors.New("not a list of programs, or not a whole one")

// UnmarshalText reads what MarshalText wrote.
func (b *Beside) UnmarshalText(text []byte) error {
	rest, ok := strings.CutPrefix(string(text), besideFormat+"\x00")
	if !ok || rest != "" && !strings.HasSuffix(rest, "\x00") {
		return errBeside
	}
	*b = Beside{}
	for rest != "" {
		if rest[0] == 'l' {
			b.looks = rest
			return nil
		}
		record, behind, _ := strings.Cut(rest, "\x00")
		if err := b.add(record); err != nil {
			return err
		}
		rest = behind
	}
	return nil
}

func (b *Beside) add(record string) error {
	kind, path, ok := strings.Cut(record, " ")
	switch {
	case ok && (kind == "d" || kind == "w"):
		b.Dirs = append(b.Dirs, enforce.ProgramDir{Path: path, Whole: kind == "w"})
	case ok && kind == "f" && len(b.Dirs) > 0:
		d := &b.Dirs[len(b.Dirs)-1]
		d.Files = append(d.Files, path)
	default:
		return errBeside
	}
	return nil
}

// String is the record of l.
func (l look) String() string { return fmt.Sprintf("l %d %d %s\x00", l.mtime, l.ctime, l.path) }

// looks are the records of a text of them.
func looks(text string) iter.Seq[string] {
	return strings.SplitSeq(strings.TrimSuffix(text, "\x00"), "\x00")
}

func parseLook(record string) (l look, err error) {
	f := strings.SplitN(record, " ", 4)
	if len(f) < 4 || f[0] != "l" {
		return l, errBeside
	}
	l.path = f[3]
	if l.mtime, err = strconv.ParseInt(f[1], 10, 64); err == nil {
		l.ctime, err = strconv.ParseInt(f[2], 10, 64)
	}
	return l, err
}
