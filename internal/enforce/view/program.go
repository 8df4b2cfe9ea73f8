package view

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
)

// maxInterpreters bounds scripts whose interpreter is a script; the kernel's
// own bound is four (fs/exec.c).
const maxInterpreters = 4

// Executables finds what the kernel opens to execute the program at p: the
// program, the interpreters of its scripts, its loader. look finds a command
// name as env(1) would.
func Executables(p string, look func(name string) (string, error)) ([]enforce.Object, error) {
	return executables(p, look, maxInterpreters+1)
}

// executables looks at no more than most programs behind each other. An env
// that is itself a script counts too, or a script of that name that names
// itself would have no end.
func executables(p string, look func(name string) (string, error), most int) ([]enforce.Object, error) {
	var found []enforce.Object
	for i := range most {
		o, err := Resolve(p)
		if err != nil {
			return nil, err
		}
		found = append(found, o)
		next, loader, err := StartedBy(o.Path)
		if err != nil {
			return nil, err
		}
		if loader != "" {
			l, err := Resolve(loader)
			if err != nil {
				return nil, fmt.Errorf("loader of %q: %w", p, err)
			}
			return append(found, l), nil
		}
		if len(next) == 0 {
			return found, nil
		}
		p = next[0]
		if path.Base(p) != "env" || len(next) < 2 {
			continue
		}
		env, err := executables(p, look, most-1-i)
		if err != nil {
			return nil, err
		}
		found = append(found, env...)
		if p, err = look(envCommand(next[1:])); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%q: more than %d interpreters", p, maxInterpreters)
}

// envCommand is the command that `env` with these words runs.
func envCommand(words []string) string {
	for _, w := range words {
		if w != "-S" && !strings.Contains(w, "=") {
			return w
		}
	}
	return ""
}

// StartedBy reads the head of a program: the words of its #! line, or the path
// of its ELF loader. Neither: it starts by itself, or the kernel will refuse it.
func StartedBy(p string) (words []string, loader string, err error) {
	f, err := os.OpenFile(p, os.O_RDONLY|unix.O_NONBLOCK, 0) // a pipe is not waited for
	if errors.Is(err, os.ErrPermission) {
		return nil, "", nil // executable but not readable: a program without a script line
	}
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	if fi, err := f.Stat(); err != nil || !fi.Mode().IsRegular() {
		return nil, "", err // the kernel executes nothing else
	}
	if words, loader, err = StartedByFile(f); err != nil {
		err = fmt.Errorf("read %q: %w", p, err)
	}
	return words, loader, err
}

// StartedByFile is StartedBy for a program that is open.
func StartedByFile(f io.ReaderAt) (words []string, loader string, err error) {
	head := make([]byte, 256)
	n, err := f.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, "", err
	}
	head = head[:n]
	if line, ok := bytes.CutPrefix(head, []byte("#!")); ok {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		// A carriage return is part of the name, to the kernel and so here.
		return strings.FieldsFunc(string(line), func(r rune) bool { return r == ' ' || r == '\t' }), "", nil
	}
	loader, err = loaderOf(head, f)
	return nil, loader, err
}
