package enforcetest

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
)

// object finds the object at a path without symbolic links.
func object(t testing.TB, path string) enforce.Object {
	t.Helper()
	fi, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatalf("no identity of %q", path)
	}
	return enforce.Object{Path: path, Dir: fi.IsDir(), Dev: st.Dev, Ino: st.Ino}
}

// base is the host's programs and libraries, and enough of /etc.
func base(t testing.TB) (b enforce.Base) {
	t.Helper()
	for _, p := range []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/alternatives", "/etc/ssl/certs"} {
		fi, err := os.Lstat(p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			t.Fatal(err)
		case fi.Mode()&fs.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				t.Fatal(err)
			}
			b.Links = append(b.Links, enforce.Link{Path: p, Target: target})
		default:
			b.Dirs = append(b.Dirs, object(t, p))
		}
	}
	for _, p := range []string{"/etc/ld.so.cache", "/etc/localtime", "/etc/protocols", "/etc/services"} {
		if text, err := os.ReadFile(p); err == nil { // a host may have none
			b.Files = append(b.Files, enforce.File{Path: p, Content: text})
		}
	}
	passwd := fmt.Sprintf("root:x:0:0::/root:/bin/sh\nu:x:%d:%d::/home/u:/bin/sh\n", os.Getuid(), os.Getgid())
	b.Files = append(b.Files, enforce.File{Path: "/etc/passwd", Content: []byte(passwd)},
		enforce.File{Path: "/etc/hosts", Content: []byte("127.0.0.1 localhost\n")})
	return b
}

// home is where the program's home lies in the view.
const home = "/home/u"

// place is a folder of the host with a granted and a hidden part.
type place struct{ dir, work, read, hidden string }

func newPlace(t testing.TB) place {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return newPlaceIn(t, dir)
}

func newPlaceIn(t testing.TB, dir string) place {
	t.Helper()
	p := place{dir, filepath.Join(dir, "work"), filepath.Join(dir, "read"), filepath.Join(dir, "hidden")}
	for _, d := range []string{p.work, p.read, p.hidden} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(d, "file"), []byte(filepath.Base(d)+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// session is the id of every session of p. A tier whose programs are not the
// host's has it in the arguments of what it starts.
func (p place) session() string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(p.dir)) // a hash takes all
	return fmt.Sprintf("s-test%x", h.Sum64())
}

// input is an ad hoc run of argv with the place's grants.
func (p place) input(t testing.TB, argv ...string) enforce.Input {
	t.Helper()
	in := enforce.Input{
		Session: p.session(), Objects: map[string][]enforce.Object{}, Base: base(t), AdHoc: true,
		HomePath: home, Home: enforce.HomeEphemeral,
		Program: enforce.Program{Path: argv[0], Argv: argv, Dir: p.work, Env: p.env()},
	}
	grant(t, &in, capability.FSWrite, p.work)
	grant(t, &in, capability.FSRead, p.read)
	return in
}

// env is the environment of what is started.
func (p place) env() []string {
	return []string{"PATH=/usr/local/go/bin:/usr/local/bin:/usr/bin:/bin", "HOME=" + home, "TMPDIR=/tmp", "LANG=C.UTF-8",
		"WORK=" + p.work, "READ=" + p.read, "HIDDEN=" + p.hidden, mark + "=" + p.dir}
}

func grant(t testing.TB, in *enforce.Input, k capability.Kind, path string) {
	t.Helper()
	c, err := capability.ForPath(k, path)
	if err != nil {
		t.Fatal(err)
	}
	in.Effective = append(in.Effective, c)
	in.Objects[c.String()] = []enforce.Object{object(t, path)}
}

// A Place is a plan's input for tests of one tier alone, with the folder that its
// program may write.
type Place struct {
	enforce.Input
	Work string
}

// Input is a plan's input as the suite has it.
func Input(t testing.TB, argv ...string) Place {
	t.Helper()
	p := newPlace(t)
	return Place{p.input(t, argv...), p.work}
}
