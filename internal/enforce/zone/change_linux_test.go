package zone_test

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
	"ambit.dev/ambit/internal/enforce/zone"
)

// changeable is a zone that can be changed, with the file "kept" and the folder "sub".
func changeable(t testing.TB, bytes, files int64) (*zone.Zone, string) {
	t.Helper()
	tally := filepath.Join(t.TempDir(), "tally")
	return folder(t, func(c *zone.Config) { c.Change, c.Bytes, c.Files, c.Tally = true, bytes, files, tally })
}

// holds is what the host has of a folder, by names.
func holds(t testing.TB, dir string) (bytes, files int64) {
	t.Helper()
	if err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := d.Info()
		files++
		if err == nil && info.Mode().IsRegular() {
			bytes += info.Size()
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return bytes, files
}

func create(n string, flags uint32) []byte {
	return name(words(flags|unix.O_CREAT, unix.S_IFREG|0o644, 0, 0), n)
}

// A mover is some program: it does what comes to its mind, with what it has open.
type mover struct {
	t     *testing.T
	z     *zone.Zone
	r     *rand.Rand
	nodes map[uint64]bool // folders
	files map[uint64]bool
	open  map[uint64]uint64 // handles, and of what
}

func one[V any](r *rand.Rand, of map[uint64]V) uint64 {
	skip := r.IntN(max(len(of), 1))
	for k := range of {
		if skip == 0 {
			return k
		}
		skip--
	}
	return 99
}

// move makes one request. It may fail in any way.
func (m *mover) move() {
	folder, n := one(m.r, m.nodes), fmt.Sprint(m.r.IntN(4))
	ask := func(op fuse.Operation, node uint64, body []byte) ([]byte, bool) {
		b, errno := ask(m.t, m.z, op, node, body)
		return b, errno == 0
	}
	switch m.r.IntN(10) {
	case 0, 1:
		if b, ok := ask(fuse.OpCreate, folder, create(n, unix.O_RDWR)); ok {
			node, h := wire.Uint64(b), wire.Uint64(b[len(b)-16:])
			m.files[node], m.open[h] = true, node
		}
	case 2:
		if b, ok := ask(fuse.OpMkdir, folder, name(words(0o755, 0), n)); ok {
			m.nodes[wire.Uint64(b)] = true
		}
	case 3, 4:
		h := one(m.r, m.open)
		ask(fuse.OpWrite, m.open[h], writeBody(h, uint64(m.r.IntN(200)), uint32(m.r.IntN(2))*unix.O_APPEND, strings.Repeat("x", m.r.IntN(60))))
	case 5:
		ask(fuse.OpSetattr, one(m.r, m.files), setattr(1<<3, uint64(m.r.IntN(300))))
	case 6:
		ask([]fuse.Operation{fuse.OpUnlink, fuse.OpRmdir}[m.r.IntN(2)], folder, name(nil, n))
	case 7, 8:
		to := wire.AppendUint64(nil, one(m.r, m.nodes))
		ask(fuse.OpRename, folder, name(name(to, n), fmt.Sprint(m.r.IntN(4))))
	default:
		h := one(m.r, m.open)
		if _, ok := ask(fuse.OpRelease, m.open[h], wire.AppendUint64(nil, h)); ok {
			delete(m.open, h)
		}
	}
}

// Whatever a program does, what lies there, and what it has open without a name, is
// counted, and is no more than the bounds; when it lets go of all, the count is what lies there.
func TestChangeBounds(t *testing.T) {
	for seed := range uint64(40) {
		const bytes, files = 500, 9
		z, dir := changeable(t, bytes, files)
		m := &mover{t, z, rand.New(rand.NewPCG(seed, 1)), map[uint64]bool{fuse.RootID: true}, map[uint64]bool{}, map[uint64]uint64{}}
		m.files[lookup(t, z, fuse.RootID, "kept")] = true
		for step := range 400 {
			m.move()
			b, f := holds(t, dir)
			nb, nf := z.Nameless()
			ub, uf := z.Used()
			if b+nb != ub || f+nf != uf || ub > bytes || uf > files {
				t.Fatalf("seed %d, step %d: there are %d and %d bytes, %d and %d files; counted are %d and %d", seed, step, b, nb, f, nf, ub, uf)
			}
		}
		for h, node := range m.open {
			must(t, z, fuse.OpRelease, node, wire.AppendUint64(nil, h))
		}
		b, f := holds(t, dir)
		if ub, uf := z.Used(); ub != b || uf != f {
			t.Errorf("seed %d: counted are %d and %d, there are %d and %d", seed, ub, uf, b, f)
		}
	}
}

// The ways to have more than what is counted, one by one.
func TestChangeAttacks(t *testing.T) {
	const bytes = 100
	for name1, attack := range map[string]func(z *zone.Zone, dir string, node, h uint64) unix.Errno{
		"a hole": func(z *zone.Zone, _ string, node, h uint64) unix.Errno {
			_, errno := ask(t, z, fuse.OpWrite, node, writeBody(h, 1<<40, 0, "x"))
			return errno
		},
		"an offset beyond numbers": func(z *zone.Zone, _ string, node, h uint64) unix.Errno {
			_, errno := ask(t, z, fuse.OpWrite, node, writeBody(h, 1<<63, 0, "x"))
			return errno
		},
		"truncated up": func(z *zone.Zone, _ string, node, _ uint64) unix.Errno {
			_, errno := ask(t, z, fuse.OpSetattr, node, setattr(1<<3, 1<<40))
			return errno
		},
		"truncated beyond numbers": func(z *zone.Zone, _ string, node, _ uint64) unix.Errno {
			_, errno := ask(t, z, fuse.OpSetattr, node, setattr(1<<3, 1<<63))
			return errno
		},
		"room beyond the end": func(z *zone.Zone, _ string, node, h uint64) unix.Errno {
			_, errno := ask(t, z, fuse.OpFallocate, node, append(wire.AppendUint64(wire.AppendUint64(wire.AppendUint64(nil, h), 0), 1<<30), words(1, 0)...))
			return errno
		},
		"a second name": func(z *zone.Zone, _ string, node, _ uint64) unix.Errno {
			_, errno := ask(t, z, fuse.OpLink, fuse.RootID, name(wire.AppendUint64(nil, node), "l"))
			return errno
		},
		"a page that was mapped": func(z *zone.Zone, _ string, node, h uint64) unix.Errno {
			b := writeBody(h, 0, 0, "x")
			wire.PutUint32(b[20:], 1)
			_, errno := ask(t, z, fuse.OpWrite, node, b)
			return errno
		},
		"a file without a name": func(z *zone.Zone, _ string, _, _ uint64) unix.Errno {
			_, errno := ask(t, z, fuse.OpTmpfile, fuse.RootID, name(words(0, 0, 0, 0), "t"))
			return errno
		},
		"an attribute": func(z *zone.Zone, _ string, node, _ uint64) unix.Errno {
			_, errno := ask(t, z, fuse.OpSetxattr, node, make([]byte, 40))
			return errno
		},
		"removed while it is open": func(z *zone.Zone, _ string, _, h uint64) unix.Errno {
			must(t, z, fuse.OpWrite, fuse.RootID, writeBody(h, 0, 0, strings.Repeat("x", bytes)))
			must(t, z, fuse.OpUnlink, fuse.RootID, name(nil, "f"))
			b := must(t, z, fuse.OpCreate, fuse.RootID, create("g", unix.O_RDWR))
			_, errno := ask(t, z, fuse.OpWrite, fuse.RootID, writeBody(wire.Uint64(b[len(b)-16:]), 0, 0, "x"))
			return errno
		},
		"renamed over while it is open": func(z *zone.Zone, _ string, _, h uint64) unix.Errno {
			must(t, z, fuse.OpWrite, fuse.RootID, writeBody(h, 0, 0, strings.Repeat("x", bytes)))
			b := must(t, z, fuse.OpCreate, fuse.RootID, create("g", unix.O_RDWR))
			must(t, z, fuse.OpRename, fuse.RootID, name(name(wire.AppendUint64(nil, fuse.RootID), "g"), "f"))
			_, errno := ask(t, z, fuse.OpWrite, fuse.RootID, writeBody(wire.Uint64(b[len(b)-16:]), 0, 0, "x"))
			return errno
		},
		"removed while the host has another name for it": func(z *zone.Zone, dir string, node, h uint64) unix.Errno {
			must(t, z, fuse.OpWrite, node, writeBody(h, 0, 0, strings.Repeat("x", bytes)))
			must(t, z, fuse.OpRelease, node, wire.AppendUint64(nil, h))
			if err := os.Link(dir+"/f", dir+"/second"); err != nil {
				t.Fatal(err)
			}
			must(t, z, fuse.OpUnlink, fuse.RootID, name(nil, "f"))
			b := must(t, z, fuse.OpCreate, fuse.RootID, create("g", unix.O_RDWR))
			_, errno := ask(t, z, fuse.OpWrite, fuse.RootID, writeBody(wire.Uint64(b[len(b)-16:]), 0, 0, "x"))
			return errno
		},
	} {
		t.Run(name1, func(t *testing.T) {
			z, dir := changeable(t, bytes+int64(len(past)), 10)
			b := must(t, z, fuse.OpCreate, fuse.RootID, create("f", unix.O_RDWR))
			node, h := wire.Uint64(b), wire.Uint64(b[len(b)-16:])
			if errno := attack(z, dir, node, h); errno == 0 {
				t.Error("it was done")
			}
			if used, _ := z.Used(); used > bytes+int64(len(past)) {
				t.Errorf("%d bytes are counted", used)
			}
		})
	}
}

// Nothing outside of the zone is reached, read or replaced, and what is not shown in
// it stays: by links that the host has there, and by names.
func TestChangeOutside(t *testing.T) {
	z, dir := changeable(t, 1000, 100)
	outside := t.TempDir()
	if err := os.WriteFile(outside+"/secret", []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for n, target := range map[string]string{"folder": outside, "file": outside + "/secret"} {
		if err := os.Symlink(target, dir+"/"+n); err != nil {
			t.Fatal(err)
		}
	}
	kept := lookup(t, z, fuse.RootID, "kept")
	sub := lookup(t, z, fuse.RootID, "sub")
	root := wire.AppendUint64(nil, fuse.RootID)
	for what, ok := range map[string]func() unix.Errno{
		"look through a link": func() unix.Errno { _, e := ask(t, z, fuse.OpLookup, fuse.RootID, name(nil, "folder")); return e },
		"create over a link": func() unix.Errno {
			_, e := ask(t, z, fuse.OpCreate, fuse.RootID, create("file", unix.O_RDWR))
			return e
		},
		"remove a link": func() unix.Errno { _, e := ask(t, z, fuse.OpUnlink, fuse.RootID, name(nil, "file")); return e },
		"rename over a link": func() unix.Errno {
			_, e := ask(t, z, fuse.OpRename, fuse.RootID, name(name(root, "kept"), "file"))
			return e
		},
		"rename a link": func() unix.Errno {
			_, e := ask(t, z, fuse.OpRename, fuse.RootID, name(name(root, "file"), "other"))
			return e
		},
		"exchange": func() unix.Errno {
			_, e := ask(t, z, fuse.OpRename2, fuse.RootID, name(name(append(root[:8:8], words(2, 0)...), "kept"), "sub"))
			return e
		},
		"a name with a way up": func() unix.Errno { _, e := ask(t, z, fuse.OpUnlink, fuse.RootID, name(nil, "..")); return e },
		"a name with a slash":  func() unix.Errno { _, e := ask(t, z, fuse.OpUnlink, fuse.RootID, name(nil, "sub/../kept")); return e },
		"a new name with one": func() unix.Errno {
			_, e := ask(t, z, fuse.OpRename, fuse.RootID, name(name(root, "kept"), "../k"))
			return e
		},
		"a symbolic link": func() unix.Errno {
			_, e := ask(t, z, fuse.OpSymlink, fuse.RootID, name(name(nil, "l"), outside))
			return e
		},
		"another owner": func() unix.Errno { _, e := ask(t, z, fuse.OpSetattr, kept, owner(1<<1, 0)); return e },
	} {
		if errno := ok(); errno == 0 {
			t.Errorf("%s: it was done", what)
		}
	}
	// The host puts a link where a folder was that the kernel knows.
	if err := os.Remove(dir + "/sub"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(outside, dir+"/sub"); err != nil {
		t.Fatal(err)
	}
	for what, op := range map[string]fuse.Operation{"remove": fuse.OpUnlink, "create": fuse.OpCreate} {
		body := name(nil, "secret")
		if op == fuse.OpCreate {
			body = create("new", unix.O_RDWR)
		}
		if _, errno := ask(t, z, op, sub, body); errno == 0 {
			t.Errorf("%s in what became a link: it was done", what)
		}
	}
	must(t, z, fuse.OpSetattr, kept, func() []byte { b := setattr(1<<0, 0); wire.PutUint32(b[68:], 0o6777); return b }())
	if info, err := os.Stat(dir + "/kept"); err != nil || info.Mode() != 0o777 {
		t.Errorf("a mode with more than its nine bits came to %v, %v", info.Mode(), err)
	}
	if content(t, outside+"/secret") != "secret" {
		t.Error("what lies outside was changed")
	}
	if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
		t.Errorf("outside there are %v, %v", entries, err)
	}
}

// A program goes on with what it has open, whatever became of the name; a second
// server has to wait until the first one is gone.
func TestChangeNameless(t *testing.T) {
	tally := filepath.Join(t.TempDir(), "tally")
	bound := func(c *zone.Config) { c.Change, c.Bytes, c.Files, c.Tally = true, 100, 10, tally }
	z, dir := folder(t, bound)
	kept := lookup(t, z, fuse.RootID, "kept")
	h := opened(t, z, kept, unix.O_RDWR)
	must(t, z, fuse.OpUnlink, fuse.RootID, name(nil, "kept"))
	if n := wire.Uint64(must(t, z, fuse.OpGetattr, kept, make([]byte, 16))[24:]); n != uint64(len(past)) {
		t.Errorf("it has %d bytes", n)
	}
	must(t, z, fuse.OpSetattr, kept, setattr(1<<3, 2))
	if used, files := z.Used(); used != 2 || files != 2 {
		t.Errorf("%d bytes, %d files are counted", used, files)
	}
	must(t, z, fuse.OpRelease, kept, wire.AppendUint64(nil, h))
	if used, files := z.Used(); used != 0 || files != 1 {
		t.Errorf("let go, %d bytes, %d files are counted", used, files)
	}
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	c := zone.Config{Path: dir, Dev: st.Dev, Ino: st.Ino, Read: true}
	bound(&c)
	if second, err := zone.Open(c); err == nil {
		t.Error("two servers count apart")
		_ = second.Close()
	}
}

// No request stops the server, reaches outside, or gets by the bounds.
func FuzzChange(f *testing.F) {
	root := wire.AppendUint64(nil, fuse.RootID)
	for _, s := range []struct {
		op   fuse.Operation
		body []byte
	}{
		{fuse.OpWrite, writeBody(1, 3, 0, "x")}, {fuse.OpSetattr, setattr(1<<3, 9)}, {fuse.OpUnlink, name(nil, "kept")}, {fuse.OpRmdir, name(nil, "sub")},
		{fuse.OpRename, name(name(root, "kept"), "new")}, {fuse.OpRename2, name(name(append(root[:8:8], words(1, 0)...), "kept"), "new")}, {fuse.OpCreate, create("new", unix.O_RDWR)},
	} {
		f.Add(uint32(s.op), uint8(0), s.body)
		f.Add(uint32(s.op), uint8(1), s.body)
	}
	f.Fuzz(func(t *testing.T, op uint32, of uint8, body []byte) {
		z, dir := changeable(t, 20, 4)
		nodes := []uint64{fuse.RootID, lookup(t, z, fuse.RootID, "kept"), lookup(t, z, fuse.RootID, "sub"), 99}
		opened(t, z, nodes[1], unix.O_RDWR)
		_, _ = ask(t, z, fuse.Operation(op), nodes[int(of)%len(nodes)], body)
		if b, n := holds(t, dir); b > 20 || n > 4 {
			t.Errorf("there are %d bytes in %d files", b, n)
		}
		if entries, err := os.ReadDir(filepath.Dir(dir)); err != nil || len(entries) > 2 {
			t.Errorf("beside it there are %v, %v", entries, err)
		}
	})
}
