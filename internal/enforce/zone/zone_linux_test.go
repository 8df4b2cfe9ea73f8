package zone_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
	"ambit.dev/ambit/internal/enforce/zone"
)

const past = "kept\n"

// folder is a zone with the file "kept" and the folder "sub", asked by hand.
func folder(t testing.TB, change func(*zone.Config)) (*zone.Zone, string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/kept", []byte(past), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir+"/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	return open(t, dir, change), dir
}

func open(t testing.TB, path string, change func(*zone.Config)) *zone.Zone {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		t.Fatal(err)
	}
	c := zone.Config{Path: path, Dev: st.Dev, Ino: st.Ino, Read: true}
	if change != nil {
		change(&c)
	}
	z, err := zone.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := z.Close(); err != nil {
			t.Error(err)
		}
	})
	return z
}

var wire = binary.NativeEndian

func words(v ...uint32) (b []byte) {
	for _, w := range v {
		b = wire.AppendUint32(b, w)
	}
	return b
}

func name(b []byte, n string) []byte { return append(append(b, n...), 0) }

// ask puts one request; 0 is success.
func ask(t testing.TB, z *zone.Zone, op fuse.Operation, node uint64, body []byte) ([]byte, unix.Errno) {
	t.Helper()
	return z.Ask(fuse.Request{Op: op, Node: node, Body: body})
}

// must is a request that succeeds.
func must(t testing.TB, z *zone.Zone, op fuse.Operation, node uint64, body []byte) []byte {
	t.Helper()
	b, errno := ask(t, z, op, node, body)
	if errno != 0 {
		t.Fatalf("operation %d: %v", op, errno)
	}
	return b
}

func lookup(t testing.TB, z *zone.Zone, parent uint64, n string) uint64 {
	t.Helper()
	return wire.Uint64(must(t, z, fuse.OpLookup, parent, name(nil, n)))
}

func opened(t testing.TB, z *zone.Zone, node uint64, flags uint32) uint64 {
	t.Helper()
	return wire.Uint64(must(t, z, fuse.OpOpen, node, words(flags, 0)))
}

func writeBody(handle, offset uint64, flags uint32, data string) []byte {
	b := wire.AppendUint64(wire.AppendUint64(nil, handle), offset)
	b = append(b, words(uint32(len(data)), 0, 0, 0, flags, 0)...)
	return append(b, data...)
}

func setattr(valid uint32, size uint64) []byte {
	b := make([]byte, 88)
	wire.PutUint32(b, valid)
	wire.PutUint64(b[16:], size)
	return b
}

// owner asks for an owner, and for a group that is another one than that by some.
func owner(valid, other uint32) []byte {
	b := setattr(valid, 0)
	wire.PutUint32(b[76:], uint32(os.Getuid())+1-other)
	wire.PutUint32(b[80:], uint32(os.Getgid())+other)
	return b
}

// Whoever makes a file may give it to whom it belongs already, as gVisor does.
func TestOwner(t *testing.T) {
	for _, single := range []bool{false, true} {
		z, dir := folder(t, func(c *zone.Config) { c.Single = single })
		kept := lookup(t, z, fuse.RootID, "kept")
		same := setattr(1<<1|1<<2, 0)
		if !single {
			wire.PutUint32(same[76:], uint32(os.Getuid()))
			wire.PutUint32(same[80:], uint32(os.Getgid()))
		}
		must(t, z, fuse.OpSetattr, kept, same)
		wire.PutUint32(same[80:], wire.Uint32(same[80:])+1)
		if _, errno := ask(t, z, fuse.OpSetattr, kept, same); errno != unix.EPERM {
			t.Errorf("another group (single %v): %v", single, errno)
		}
		unchanged(t, dir)
	}
}

// A kernel that says itself where the end is may be late by what another server
// appended: what it writes at the end that it was told last comes after that, and
// nowhere else is the end.
func TestLate(t *testing.T) {
	late := func(c *zone.Config) { c.Late = true }
	for _, c := range []struct {
		change func(*zone.Config)
		want   unix.Errno
	}{{late, 0}, {nil, unix.EPERM}} {
		one, dir := folder(t, c.change)
		kept := lookup(t, one, fuse.RootID, "kept")
		h := opened(t, one, kept, unix.O_WRONLY)
		two := open(t, dir, nil)
		must(t, two, fuse.OpWrite, lookup(t, two, fuse.RootID, "kept"), writeBody(opened(t, two, lookup(t, two, fuse.RootID, "kept"), unix.O_WRONLY), 0, unix.O_APPEND, "two\n"))
		end := uint64(len(past))
		for _, at := range []uint64{0, end - 1, end + 1, end + 3, end + 5} {
			if _, errno := ask(t, one, fuse.OpWrite, kept, writeBody(h, at, 0, "x")); errno != unix.EPERM {
				t.Errorf("at %d: %v", at, errno)
			}
		}
		if _, errno := ask(t, one, fuse.OpWrite, kept, writeBody(h, end, 0, "one\n")); errno != c.want {
			t.Errorf("at the end that was told: %v, want %v", errno, c.want)
		}
		want := past + "two\n"
		if c.want == 0 {
			want += "one\n"
			if _, errno := ask(t, one, fuse.OpWrite, kept, writeBody(h, end, 0, "x")); errno != unix.EPERM {
				t.Errorf("there once more: %v", errno)
			}
		}
		if got := content(t, dir+"/kept"); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// What a kernel that believes a program would request is refused, each by name.
func TestNothingChanges(t *testing.T) {
	z, dir := folder(t, nil)
	kept, sub := lookup(t, z, fuse.RootID, "kept"), lookup(t, z, fuse.RootID, "sub")
	h := opened(t, z, kept, unix.O_RDWR)
	for _, c := range []struct {
		what string
		op   fuse.Operation
		node uint64
		body []byte
	}{
		{"write at the start", fuse.OpWrite, kept, writeBody(h, 0, unix.O_RDWR, "x")},
		{"write beyond the end", fuse.OpWrite, kept, writeBody(h, 99, unix.O_RDWR, "x")},
		{"write of a mapped page", fuse.OpWrite, kept, func() []byte { b := writeBody(h, 5, unix.O_RDWR, "x"); b[20] = 1; return b }()},
		{"O_TRUNC", fuse.OpOpen, kept, words(unix.O_WRONLY|unix.O_TRUNC, 0)},
		{"a smaller size", fuse.OpSetattr, kept, setattr(1<<3, 0)},
		{"a larger size", fuse.OpSetattr, kept, setattr(1<<3, 50)},
		{"mode", fuse.OpSetattr, kept, setattr(1<<0, 0)},
		{"owner", fuse.OpSetattr, kept, owner(1<<1, 0)},
		{"group", fuse.OpSetattr, kept, owner(1<<1|1<<2, 1)},
		{"time", fuse.OpSetattr, kept, setattr(1<<5, 0)},
		{"one time of two", fuse.OpSetattr, kept, setattr(1<<4|1<<5|1<<7, 0)},
		{"unlink", fuse.OpUnlink, fuse.RootID, name(nil, "kept")},
		{"rmdir", fuse.OpRmdir, fuse.RootID, name(nil, "sub")},
		{"rename", fuse.OpRename, fuse.RootID, name(name(wire.AppendUint64(nil, sub), "kept"), "new")},
		{"rename2", fuse.OpRename2, fuse.RootID, name(name(wire.AppendUint64(wire.AppendUint64(nil, sub), 2), "kept"), "new")},
		{"link", fuse.OpLink, fuse.RootID, name(wire.AppendUint64(nil, kept), "new")},
		{"symlink", fuse.OpSymlink, fuse.RootID, name(name(nil, "new"), "/etc")},
		{"device", fuse.OpMknod, fuse.RootID, name(words(unix.S_IFCHR|0o666, 0x103, 0, 0), "null")},
		{"pipe", fuse.OpMknod, fuse.RootID, name(words(unix.S_IFIFO|0o666, 0, 0, 0), "pipe")},
		{"fallocate", fuse.OpFallocate, kept, make([]byte, 32)},
		{"setxattr", fuse.OpSetxattr, kept, name(name(words(1, 0), "user.x"), "y")},
		{"removexattr", fuse.OpRemovexattr, kept, name(nil, "user.x")},
		{"tmpfile", fuse.OpTmpfile, fuse.RootID, name(words(unix.O_RDWR, 0o600, 0, 0), "")},
	} {
		if _, errno := ask(t, z, c.op, c.node, c.body); errno != unix.EPERM {
			t.Errorf("%s: %v, want %v", c.what, errno, unix.EPERM)
		}
	}
	if _, errno := ask(t, z, fuse.OpCreate, fuse.RootID, name(words(unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, unix.S_IFREG|0o644, 0, 0), "kept")); errno != unix.EEXIST {
		t.Errorf("made anew: %v", errno)
	}
	unchanged(t, dir)
	must(t, z, fuse.OpWrite, kept, writeBody(h, uint64(len(past)), unix.O_RDWR, "more\n"))
	must(t, z, fuse.OpWrite, kept, writeBody(h, 0, unix.O_RDWR|unix.O_APPEND, "end\n"))
	if got := content(t, dir+"/kept"); got != past+"more\nend\n" {
		t.Errorf("appended: %q", got)
	}
}

func content(t testing.TB, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func unchanged(t testing.TB, dir string) {
	t.Helper()
	if got := content(t, dir+"/kept"); got != past {
		t.Errorf("kept is %q", got)
	}
	if _, err := os.Stat(dir + "/sub"); err != nil {
		t.Error(err)
	}
}

// A writer that believes in another end than there is learns of it, and one that
// means the end finds it.
func TestTwoServers(t *testing.T) {
	one, dir := folder(t, nil)
	two := open(t, dir, nil)
	first, second := opened(t, one, lookup(t, one, fuse.RootID, "kept"), unix.O_WRONLY), opened(t, two, lookup(t, two, fuse.RootID, "kept"), unix.O_WRONLY)
	must(t, one, fuse.OpWrite, fuse.RootID, writeBody(first, 5, unix.O_WRONLY, "one\n"))
	if _, errno := ask(t, two, fuse.OpWrite, fuse.RootID, writeBody(second, 5, unix.O_WRONLY, "two\n")); errno != unix.EPERM {
		t.Errorf("over what the other wrote: %v", errno)
	}
	must(t, two, fuse.OpWrite, fuse.RootID, writeBody(second, 5, unix.O_WRONLY|unix.O_APPEND, "two\n"))
	if got := content(t, dir+"/kept"); got != past+"one\ntwo\n" {
		t.Errorf("%q", got)
	}
}

// Links, what is mounted, and what is no file are not there; what the host puts in
// a file's place is not it.
func TestOutside(t *testing.T) {
	z, dir := folder(t, nil)
	outside := t.TempDir()
	for _, err := range []error{os.Symlink(outside, dir+"/link"), unix.Mkfifo(dir+"/pipe", 0o600), os.Mkdir(dir+"/sub/in", 0o755), os.Mkdir(outside+"/in", 0o755)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []string{"link", "pipe", "absent"} {
		if _, errno := ask(t, z, fuse.OpLookup, fuse.RootID, name(nil, n)); errno != unix.ENOENT && errno != unix.ELOOP {
			t.Errorf("%s: %v", n, errno)
		}
	}
	for _, n := range []string{"..", ".", "", "a/b", "../x"} {
		if _, errno := ask(t, z, fuse.OpLookup, fuse.RootID, name(nil, n)); errno != unix.EINVAL {
			t.Errorf("%q: %v", n, errno)
		}
	}
	h := wire.Uint64(must(t, z, fuse.OpOpendir, fuse.RootID, words(0, 0)))
	list := must(t, z, fuse.OpReaddir, fuse.RootID, append(wire.AppendUint64(wire.AppendUint64(nil, h), 0), words(4096, 0)...))
	if !bytes.Contains(list, []byte("kept")) || bytes.Contains(list, []byte("pipe")) || bytes.Contains(list, []byte("link")) {
		t.Errorf("listed: %q", list)
	}
	sub, kept := lookup(t, z, fuse.RootID, "sub"), lookup(t, z, fuse.RootID, "kept")
	in := lookup(t, z, sub, "in")
	for _, err := range []error{os.Rename(dir+"/sub", dir+"/was"), os.Symlink(outside, dir+"/sub"), os.Remove(dir + "/kept"), os.Symlink("/etc/passwd", dir+"/kept")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []uint64{sub, in} {
		if _, errno := ask(t, z, fuse.OpMkdir, n, name(words(0o755, 0), "new")); errno == 0 {
			t.Error("made through a link")
		}
	}
	if _, errno := ask(t, z, fuse.OpOpen, kept, words(unix.O_RDONLY, 0)); errno == 0 {
		t.Error("opened through a link")
	}
	if left, err := os.ReadDir(outside + "/in"); err != nil || len(left) > 0 {
		t.Errorf("outside: %v %v", left, err)
	}
}

// What has a name on the host now is not what the kernel was told of.
func TestReplaced(t *testing.T) {
	z, dir := folder(t, nil)
	kept := lookup(t, z, fuse.RootID, "kept")
	if err := os.WriteFile(dir+"/other", []byte("theirs\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir+"/other", dir+"/kept"); err != nil {
		t.Fatal(err)
	}
	if _, errno := ask(t, z, fuse.OpOpen, kept, words(unix.O_WRONLY, 0)); errno != unix.ESTALE {
		t.Errorf("opened: %v, want %v", errno, unix.ESTALE)
	}
	opened(t, z, lookup(t, z, fuse.RootID, "kept"), unix.O_WRONLY)
}

// Bounds hold over all that the zone holds, what was there counted.
func TestBounds(t *testing.T) {
	z, dir := folder(t, func(c *zone.Config) { c.Bytes, c.Files = 12, 3 })
	create := func(n string) ([]byte, unix.Errno) {
		return ask(t, z, fuse.OpCreate, fuse.RootID, name(words(unix.O_WRONLY|unix.O_CREAT, unix.S_IFREG|0o644, 0, 0), n))
	}
	made, errno := create("third")
	if errno != 0 {
		t.Fatal(errno)
	}
	h := wire.Uint64(made[len(made)-16:])
	for _, n := range []string{"fourth", "fifth"} {
		if _, errno := create(n); errno != unix.EDQUOT {
			t.Errorf("%s: %v", n, errno)
		}
	}
	if _, errno := ask(t, z, fuse.OpMkdir, fuse.RootID, name(words(0o755, 0), "folder")); errno != unix.EDQUOT {
		t.Errorf("a folder: %v", errno)
	}
	if n := wire.Uint32(must(t, z, fuse.OpWrite, fuse.RootID, writeBody(h, 0, 0, "1234567890"))); n != 7 {
		t.Errorf("%d bytes were taken, want 7", n)
	}
	if _, errno := ask(t, z, fuse.OpWrite, fuse.RootID, writeBody(h, 7, 0, "8")); errno != unix.EDQUOT {
		t.Errorf("one more byte: %v", errno)
	}
	if got := content(t, dir+"/third"); got != "1234567" {
		t.Errorf("%q", got)
	}
}

// What is denied has a name and no more, by whatever name it is reached; what may be
// read is not added to.
func TestDenied(t *testing.T) {
	z, dir := folder(t, nil)
	for n, text := range map[string]string{"key": "secret", "sub/key": "secret", "fixed": "secret"} {
		if err := os.WriteFile(dir+"/"+n, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	of := func(p string, read bool) zone.Denied {
		var st unix.Stat_t
		if err := unix.Stat(dir+"/"+p, &st); err != nil {
			t.Fatal(err)
		}
		return zone.Denied{Path: p, Read: read, Dev: st.Dev, Ino: st.Ino}
	}
	z = open(t, dir, func(c *zone.Config) { c.Denied = []zone.Denied{of("key", false), of("sub", false), of("fixed", true)} })
	refused := func(what string, op fuse.Operation, node uint64, body []byte) {
		t.Helper()
		if b, errno := ask(t, z, op, node, body); errno != unix.EACCES {
			t.Errorf("%s: %q, %v", what, b, errno)
		}
	}
	// On the host another name: what it is counts, and what lies at its own.
	for _, err := range []error{os.Rename(dir+"/key", dir+"/moved"), os.Rename(dir+"/sub", dir+"/gone"), os.WriteFile(dir+"/key", []byte("new"), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range []string{"key", "moved", "gone"} {
		node := lookup(t, z, fuse.RootID, n)
		refused(n+" read", fuse.OpOpen, node, words(unix.O_RDONLY, 0))
		refused(n+" added to", fuse.OpOpen, node, words(unix.O_WRONLY|unix.O_APPEND, 0))
		refused(n+" listed", fuse.OpOpendir, node, words(0, 0))
		refused(n+" looked into", fuse.OpLookup, node, name(nil, "key"))
		refused(n+" touched", fuse.OpSetattr, node, setattr(1<<4|1<<5|1<<7|1<<8, 0))
		refused("a file in "+n, fuse.OpCreate, node, name(words(unix.O_WRONLY|unix.O_CREAT, unix.S_IFREG|0o644, 0, 0), "new"))
		if mode := wire.Uint32(must(t, z, fuse.OpGetattr, node, make([]byte, 16))[16+60:]); mode&0o7777 != 0 {
			t.Errorf("%s has the mode %o", n, mode)
		}
	}
	refused("made anew", fuse.OpCreate, fuse.RootID, name(words(unix.O_WRONLY|unix.O_CREAT, unix.S_IFREG|0o644, 0, 0), "sub"))
	fixed := lookup(t, z, fuse.RootID, "fixed")
	opened(t, z, fixed, unix.O_RDONLY)
	refused("fixed added to", fuse.OpOpen, fixed, words(unix.O_RDWR|unix.O_APPEND, 0))
	refused("fixed made", fuse.OpCreate, fuse.RootID, name(words(unix.O_WRONLY|unix.O_CREAT, unix.S_IFREG|0o644, 0, 0), "fixed"))
	opened(t, z, lookup(t, z, fuse.RootID, "kept"), unix.O_RDWR)
}

// Bounds hold for what several servers add together, and what was added without them
// counts when one more begins.
func TestTally(t *testing.T) {
	_, dir := folder(t, nil)
	tally := t.TempDir() + "/tally"
	bound := func(c *zone.Config) { c.Bytes, c.Files, c.Tally = int64(len(past))+10, 4, tally }
	one, two := open(t, dir, bound), open(t, dir, bound)
	write := func(z *zone.Zone, data string) (uint32, unix.Errno) {
		kept := lookup(t, z, fuse.RootID, "kept")
		b, errno := ask(t, z, fuse.OpWrite, kept, writeBody(opened(t, z, kept, unix.O_WRONLY), 0, unix.O_APPEND, data))
		if errno != 0 {
			return 0, errno
		}
		return wire.Uint32(b), 0
	}
	for _, c := range []struct {
		z    *zone.Zone
		data string
		want uint32
		no   unix.Errno
	}{{one, "123", 3, 0}, {two, "4567", 4, 0}, {one, "8901", 3, 0}, {two, "x", 0, unix.EDQUOT}, {one, "x", 0, unix.EDQUOT}} {
		if n, errno := write(c.z, c.data); n != c.want || errno != c.no {
			t.Errorf("%q: %d, %v, want %d, %v", c.data, n, errno, c.want, c.no)
		}
	}
	must(t, one, fuse.OpMkdir, fuse.RootID, name(words(0o755, 0), "three"))
	must(t, two, fuse.OpMkdir, fuse.RootID, name(words(0o755, 0), "four"))
	if _, errno := ask(t, one, fuse.OpMkdir, fuse.RootID, name(words(0o755, 0), "five")); errno != unix.EDQUOT {
		t.Errorf("a file too many: %v", errno)
	}
	if err := os.Truncate(dir+"/kept", 0); err != nil { // by its owner
		t.Fatal(err)
	}
	open(t, dir, bound)
	if n, errno := write(one, "yz"); n != 2 || errno != 0 {
		t.Errorf("after it was counted anew: %d, %v", n, errno)
	}
}

// Without fs.read what is there is not told.
func TestUnread(t *testing.T) {
	z, _ := folder(t, func(c *zone.Config) { c.Read = false })
	kept := lookup(t, z, fuse.RootID, "kept")
	if _, errno := ask(t, z, fuse.OpOpen, kept, words(unix.O_RDONLY, 0)); errno != unix.EACCES {
		t.Errorf("opened for reading: %v", errno)
	}
	for _, flags := range []uint32{unix.O_RDWR, unix.O_WRONLY, unix.O_ACCMODE} {
		h := opened(t, z, kept, flags)
		if b, errno := ask(t, z, fuse.OpRead, kept, append(wire.AppendUint64(wire.AppendUint64(nil, h), 0), words(100, 0)...)); errno == 0 {
			t.Errorf("read %q", b)
		}
	}
}

// A single file, too, can be append-only.
func TestFile(t *testing.T) {
	_, dir := folder(t, nil)
	z := open(t, dir+"/kept", nil)
	h := opened(t, z, fuse.RootID, unix.O_WRONLY)
	must(t, z, fuse.OpWrite, fuse.RootID, writeBody(h, 5, 0, "more\n"))
	if _, errno := ask(t, z, fuse.OpWrite, fuse.RootID, writeBody(h, 0, 0, "x")); errno != unix.EPERM {
		t.Errorf("over it: %v", errno)
	}
	if _, errno := ask(t, z, fuse.OpMkdir, fuse.RootID, name(words(0o755, 0), "x")); errno != unix.ENOTDIR {
		t.Errorf("a folder in it: %v", errno)
	}
	if got := content(t, dir+"/kept"); got != past+"more\n" {
		t.Errorf("%q", got)
	}
}

// What the kernel forgets the server forgets.
func TestForget(t *testing.T) {
	z, _ := folder(t, nil)
	for range 3 {
		lookup(t, z, fuse.RootID, "kept")
	}
	kept := lookup(t, z, fuse.RootID, "kept")
	if z.Known() != 2 {
		t.Errorf("%d names are known", z.Known())
	}
	z.Forget(kept, 4)
	if _, errno := ask(t, z, fuse.OpGetattr, kept, make([]byte, 16)); errno != unix.ESTALE || z.Known() != 1 {
		t.Errorf("%v, %d names are known", errno, z.Known())
	}
}

// FuzzRequest puts whatever comes: what was there stays, and nothing stops.
func FuzzRequest(f *testing.F) {
	for _, s := range []struct {
		op   uint32
		body []byte
	}{
		{uint32(fuse.OpWrite), writeBody(1, 0, 0, "x")}, {uint32(fuse.OpSetattr), make([]byte, 88)}, {uint32(fuse.OpReaddir), make([]byte, 40)},
		{uint32(fuse.OpCreate), name(words(1, 2, 3, 4), "new")}, {uint32(fuse.OpRename2), make([]byte, 40)}, {uint32(fuse.OpOpen), words(0x201, 0)},
	} {
		f.Add(s.op, uint8(0), s.body)
		f.Add(s.op, uint8(1), s.body)
	}
	f.Fuzz(func(t *testing.T, op uint32, of uint8, body []byte) {
		z, dir := folder(t, nil)
		nodes := []uint64{fuse.RootID, lookup(t, z, fuse.RootID, "kept"), lookup(t, z, fuse.RootID, "sub"), 99}
		opened(t, z, nodes[1], unix.O_RDWR)
		must(t, z, fuse.OpOpendir, fuse.RootID, words(0, 0))
		_, _ = ask(t, z, fuse.Operation(op), nodes[int(of)%len(nodes)], body)
		if got := content(t, dir+"/kept"); len(got) < len(past) || got[:len(past)] != past {
			t.Errorf("kept is %q", got)
		}
		if _, err := os.Stat(dir + "/sub"); err != nil {
			t.Error(err)
		}
	})
}
