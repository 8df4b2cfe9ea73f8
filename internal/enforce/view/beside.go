package view

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// libraryDirs hold libraries, and programs among them: git-core, the compiler
// proper, daemons. What the FHS keeps free of programs (share, include, src) is
// not looked at.
var libraryDirs = []string{"/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32", "/usr/libexec", "/usr/local",
	"/lib", "/lib32", "/lib64", "/libx32"}

var withoutPrograms = []string{"/usr/local/share", "/usr/local/include", "/usr/local/src", "/usr/local/man"}

// maxBeside bounds the files that are looked at.
const maxBeside = 2_000_000

// Beside is what was found of programs that lie outside of the directories of
// programs, and what says whether that is still so.
type Beside struct {
	Dirs  []enforce.ProgramDir
	looks string // as text: only Current reads them, and there are many
}

// A look is a directory as it was when it was read. A file that is added, taken
// away or renamed changes both times; one that becomes executable where it is
// changes neither.
type look struct {
	path         string
	mtime, ctime int64
}

// FindBeside looks for programs among the system's libraries.
//
// Security: a program is an ELF executable whose permissions say so; those are
// what a loader can be asked to start. Scripts are read by their interpreter,
// whatever is masked. What this user may not list or read, no program of theirs
// can load.
func FindBeside() (Beside, error) {
	return findBeside(libraryDirs, slices.Concat(programDirs, withoutPrograms))
}

func findBeside(roots, leaveOut []string) (b Beside, err error) {
	s := search{leaveOut: leaveOut}
	for _, root := range roots {
		if fi, err := os.Lstat(root); err != nil || !fi.IsDir() {
			continue // absent, or a link (a merged /usr)
		}
		found, _, err := s.walk(root)
		if err != nil {
			return b, fmt.Errorf("look for programs beneath %q: %w", root, err)
		}
		b.Dirs = append(b.Dirs, found...)
	}
	b.looks = s.looks.String()
	return b, nil
}

// Current reports whether nothing was added or taken away since.
func (b Beside) Current() bool {
	var st unix.Stat_t
	for text := range looks(b.looks) {
		l, err := parseLook(text)
		if err != nil || unix.Lstat(l.path, &st) != nil || newLook(l.path, st.Mtim, st.Ctim) != l {
			return false
		}
	}
	return b.looks != ""
}

// Settled reports whether every directory was last changed a while before
// began, when the search was. The clock of file systems is coarse: a change
// right after a look may leave the same times.
func (b Beside) Settled(began time.Time) bool {
	const coarse = 2 * time.Second
	for text := range looks(b.looks) {
		if l, err := parseLook(text); err != nil || max(l.mtime, l.ctime) > began.Add(-coarse).UnixNano() {
			return false
		}
	}
	return true
}

func newLook(p string, mtime, ctime unix.Timespec) look { return look{p, mtime.Nano(), ctime.Nano()} }

type search struct {
	leaveOut []string
	looks    strings.Builder
	files    int
}

// walk finds the directories of programs at dir and beneath, and whether there
// is a library among them. A directory without one, and of programs for the
// most part, is one of programs as a whole, with all beneath it.
func (s *search) walk(dir string) (found []enforce.ProgramDir, libraries bool, err error) {
	if slices.Contains(s.leaveOut, dir) {
		return nil, false, nil
	}
	entries, err := s.read(dir)
	if err != nil {
		return nil, false, err
	}
	d, files, executable := enforce.ProgramDir{Path: dir}, 0, 0
	for _, e := range entries {
		p := path.Join(dir, e.Name())
		switch {
		case e.IsDir():
			inner, lib, err := s.walk(p)
			if err != nil {
				return nil, false, err
			}
			found, libraries = append(found, inner...), libraries || lib
		case !e.Type().IsRegular():
		case isLibrary(e.Name()):
			libraries = true
			files++
		default:
			files++
			if !mayRun(e) {
				continue
			}
			executable++
			if isProgram(p) {
				d.Files = append(d.Files, p)
			}
		}
	}
	if len(d.Files) == 0 {
		return found, libraries, nil
	}
	if d.Whole = !libraries && 2*executable >= files; d.Whole {
		for _, inner := range found {
			d.Files = append(d.Files, inner.Files...)
		}
		found = nil
	}
	return append(found, d), libraries, nil
}

// read lists dir and remembers how it was before.
func (s *search) read(dir string) ([]fs.DirEntry, error) {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	s.looks.WriteString(newLook(dir, unix.Timespec(st.Mtim), unix.Timespec(st.Ctim)).String())
	entries, err := f.ReadDir(-1)
	if s.files += len(entries); s.files > maxBeside {
		return nil, fmt.Errorf("more than %d files", maxBeside)
	}
	return entries, err
}

// isLibrary goes by the name, as the dynamic linker and its users do.
func isLibrary(name string) bool {
	return strings.HasSuffix(name, ".so") || strings.Contains(name, ".so.") || strings.HasSuffix(name, ".node")
}

// dataSuffixes end names of files that no program has; they are most files by
// far, and need not be looked at.
var dataSuffixes = []string{".py", ".pyc", ".pyi", ".h", ".a", ".o", ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".json", ".md", ".txt", ".gz",
	".mo", ".xml", ".html", ".map", ".pm", ".pl", ".yaml", ".yml", ".svg", ".png", ".cmake", ".go", ".rb", ".css", ".jar", ".class", ".pc", ".conf"}

func mayRun(e fs.DirEntry) bool {
	if slices.Contains(dataSuffixes, path.Ext(e.Name())) {
		return false
	}
	fi, err := e.Info()
	return err == nil && fi.Mode()&0o111 != 0
}

// isProgram reports whether a loader could start p.
func isProgram(p string) bool {
	f, err := os.OpenFile(p, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, elf64.size)
	n, err := f.Read(head)
	return err == nil && startable(head[:n], f)
}
