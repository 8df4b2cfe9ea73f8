package view

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// byLibrary is what debug/elf takes for the loader.
func byLibrary(t testing.TB, r io.ReaderAt) (string, error) {
	t.Helper()
	f, err := elf.NewFile(r)
	if err != nil {
		return "", err
	}
	for _, s := range f.Progs {
		if s.Type == elf.PT_INTERP {
			name, err := io.ReadAll(io.LimitReader(s.Open(), maxLoader))
			return strings.TrimRight(string(name), "\x00"), err
		}
	}
	return "", nil
}

func headOf(b []byte) []byte { return b[:min(len(b), 256)] }

// TestLoaderOfPrograms reads the programs of this host like debug/elf does.
func TestLoaderOfPrograms(t *testing.T) {
	paths, _ := filepath.Glob("/usr/bin/[a-h]*")
	with := 0
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			continue
		}
		head := make([]byte, 256)
		n, _ := f.Read(head)
		got, err := loaderOf(head[:n], f)
		if bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
			if want, err2 := byLibrary(t, f); got != want || err != nil || err2 != nil {
				t.Errorf("%s: got %q, %v, want %q, %v", p, got, err, want, err2)
			}
			if got != "" {
				with++
			}
		} else if got != "" || err != nil {
			t.Errorf("%s: got %q, %v of no ELF file", p, got, err)
		}
		f.Close()
	}
	if with == 0 {
		t.Error("no program with a loader was found: this proves nothing")
	}
}

// startableByLibrary is what debug/elf takes for a program.
func startableByLibrary(r io.ReaderAt) (program, known bool) {
	f, err := elf.NewFile(r)
	if err != nil {
		return false, false
	}
	if f.Type != elf.ET_DYN {
		return f.Type == elf.ET_EXEC, true
	}
	for _, s := range f.Progs {
		if s.Type == elf.PT_INTERP {
			return true, true
		}
	}
	flags, err := f.DynValue(elf.DT_FLAGS_1)
	return err == nil && len(flags) > 0 && flags[0]&uint64(elf.DF_1_PIE) != 0, true
}

// TestStartable tells the programs of this host from its libraries like debug/elf does.
func TestStartable(t *testing.T) {
	var paths []string
	for _, pattern := range []string{"/usr/bin/[a-h]*", "/usr/sbin/[a-h]*", "/usr/lib/x86_64-linux-gnu/*.so*", "/usr/lib/*/*", "/usr/lib32/*.so*"} {
		found, _ := filepath.Glob(pattern)
		paths = append(paths, found[:min(len(found), 300)]...)
	}
	programs, libraries := 0, 0
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			continue
		}
		head := make([]byte, 64)
		n, _ := f.Read(head)
		want, known := startableByLibrary(f)
		if got := startable(head[:n], f); known && got != want {
			t.Errorf("%s: got %v, want %v", p, got, want)
		}
		if known && want {
			programs++
		} else if known {
			libraries++
		}
		f.Close()
	}
	if programs == 0 || libraries == 0 {
		t.Errorf("%d programs and %d libraries were found: this proves nothing", programs, libraries)
	}
}

// TestStartableOfAnyKind: both widths, both byte orders.
func TestStartableOfAnyKind(t *testing.T) {
	for name, tc := range map[string]struct {
		kind, flags uint64
		interpreted bool
		want        bool
	}{
		"fixed": {2, 0, false, true}, "library": {3, 1, false, false}, "no flags": {3, 0, false, false}, "by flags": {3, 0x08000001, false, true},
		"by interpreter": {3, 0, true, true}, "object": {1, 0x08000000, true, false},
	} {
		for _, wide := range []bool{false, true} {
			for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
				b := elfOf(wide, order, tc.kind, tc.flags, tc.interpreted)
				if got := startable(b[:64], bytes.NewReader(b)); got != tc.want {
					t.Errorf("%s, %v bytes of address, %v: got %v", name, wide, order, got)
				}
				if startable(b[:40], bytes.NewReader(b[:40])) {
					t.Errorf("%s: a part of it is a program", name)
				}
			}
		}
	}
}

// elfOf is an ELF file with a dynamic section, and an interpreter or none.
func elfOf(wide bool, order binary.AppendByteOrder, kind, flags uint64, interpreted bool) []byte {
	l, class, data, width := elf32, byte(1), byte(1), 4
	if wide {
		l, class, width = elf64, 2, 8
	}
	if order.String() == binary.BigEndian.String() {
		data = 2
	}
	number := func(b []byte, n int, v uint64) []byte {
		switch n {
		case 2:
			return order.AppendUint16(b, uint16(v))
		case 4:
			return order.AppendUint32(b, uint32(v))
		}
		return order.AppendUint64(b, v)
	}
	b := make([]byte, l.size+2*l.each)
	copy(b, "\x7fELF")
	b[4], b[5], b[6] = class, data, 1
	put := func(at, n int, v uint64) { copy(b[at:], number(nil, n, v)) }
	put(16, 2, kind)
	put(l.table, width, uint64(l.size))
	put(l.entry, 2, uint64(l.each))
	put(l.entries, 2, 2)
	first := l.size
	if interpreted {
		put(first, 4, elfInterp)
	}
	second := first + l.each
	put(second, 4, elfDynamic)
	put(second+l.offset, width, uint64(len(b)))
	put(second+l.fileSize, width, uint64(6*width))
	for _, pair := range [][2]uint64{{1, 7}, {flags1, flags}, {0, 0}} {
		b = number(number(b, width, pair[0]), width, pair[1])
	}
	return append(b, make([]byte, 64)...)
}

// FuzzLoader: whatever a file holds, its loader is a string of the file, and
// where debug/elf finds one too it is the same.
func FuzzLoader(f *testing.F) {
	if self, err := os.ReadFile("/bin/true"); err == nil {
		f.Add(self[:min(len(self), 4096)])
	}
	small := []byte("\x7fELF\x01\x01\x01")
	f.Add(append(small, make([]byte, 100)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := loaderOf(headOf(b), bytes.NewReader(b))
		if err != nil && got != "" {
			t.Errorf("got %q and %v", got, err)
		}
		if !bytes.Contains(b, []byte(got)) {
			t.Errorf("got %q, which is not in the file", got)
		}
		if want, err2 := byLibrary(t, bytes.NewReader(b)); err == nil && err2 == nil && got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
