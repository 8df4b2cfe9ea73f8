package view

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"ambit.dev/ambit/internal/enforce"
)

// besideFormat is the first record of what MarshalText writes. Records end with
// a zero byte, which no path has, and begin with a letter:
//
//	l MTIME CTIME PATH   a directory that was read
//	w PATH               a directory of programs, as a whole
//	d PATH               a directory with programs
//	f PATH               a program in the directory before it
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
	for _, l := range b.looks {
		put("l", strconv.FormatInt(l.mtime, 10), strconv.FormatInt(l.ctime, 10), l.path)
	}
	return []byte(t.String()), nil
}

var errBeside = errors.New("not a list of programs, or not a whole one")

// UnmarshalText reads what MarshalText wrote.
func (b *Beside) UnmarshalText(text []byte) error {
	body, ok := strings.CutPrefix(string(text), besideFormat+"\x00")
	if !ok || body != "" && !strings.HasSuffix(body, "\x00") {
		return errBeside
	}
	*b = Beside{}
	for record := range strings.SplitSeq(strings.TrimSuffix(body, "\x00"), "\x00") {
		if record == "" {
			continue
		}
		if err := b.add(record); err != nil {
			return err
		}
	}
	return nil
}

func (b *Beside) add(record string) error {
	kind, rest, _ := strings.Cut(record, " ")
	switch kind {
	case "d", "w":
		b.Dirs = append(b.Dirs, enforce.ProgramDir{Path: rest, Whole: kind == "w"})
	case "f":
		if len(b.Dirs) == 0 {
			return errBeside
		}
		d := &b.Dirs[len(b.Dirs)-1]
		d.Files = append(d.Files, rest)
	case "l":
		f := strings.SplitN(rest, " ", 3)
		if len(f) < 3 {
			return errBeside
		}
		mtime, err := strconv.ParseInt(f[0], 10, 64)
		if err != nil {
			return fmt.Errorf("%w: %w", errBeside, err)
		}
		ctime, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil {
			return fmt.Errorf("%w: %w", errBeside, err)
		}
		b.looks = append(b.looks, look{f[2], mtime, ctime})
	default:
		return errBeside
	}
	return nil
}
