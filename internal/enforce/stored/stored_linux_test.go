package stored_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/fuse"
	"ambit.dev/ambit/internal/enforce/stored"
)

// A shelf is a Storer in memory.
type shelf struct {
	t       testing.TB
	mu      sync.Mutex
	values  map[string]string
	rights  map[string]enforce.StoredRights
	asks    map[string]bool
	commits []string
	lost    []string
	seal    error
	answer  chan bool // to the next question; nil: nobody is asked
}

func (s *shelf) Rights(key string) enforce.StoredRights {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rights[key]
}
func (s *shelf) Leading() (keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := range s.rights {
		keys = append(keys, k)
	}
	return keys
}
func (s *shelf) Asks(key string, _ bool) bool { return s.asks[key] }
func (s *shelf) Ask(ctx context.Context, key string, write bool, _ int) {
	select {
	case <-ctx.Done():
	case yes := <-s.answer:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.rights[key] = enforce.StoredRights{Read: yes && !write, Write: yes && write}
	}
}
func (s *shelf) Values() (all []enforce.StoredValue, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, v := range s.values {
		all = append(all, enforce.StoredValue{Key: k, Size: int64(len(v)), Time: time.Unix(9, 0)})
	}
	slices.SortFunc(all, func(a, b enforce.StoredValue) int { return strings.Compare(a.Key, b.Key) })
	return all, nil
}
func (s *shelf) Look(key string) (enforce.StoredValue, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[key]
	if !ok {
		return enforce.StoredValue{}, fs.ErrNotExist
	}
	return enforce.StoredValue{Key: key, Size: int64(len(v)), Time: time.Unix(9, 0)}, nil
}
func (s *shelf) Open(key string) (*os.File, enforce.StoredValue, error) {
	v, err := s.Look(key)
	if err != nil {
		return nil, v, err
	}
	path := s.t.TempDir() + "/version"
	if err := os.WriteFile(path, []byte(s.values[key]), 0o600); err != nil {
		return nil, v, err
	}
	f, err := os.Open(path)
	return f, v, err
}
func (s *shelf) Draft(key string, old bool) (enforce.StoredDraft, error) {
	d := &draft{s: s, key: key}
	if old {
		d.b = []byte(s.values[key])
	}
	return d, nil
}
func (s *shelf) Remove(key string) error {
	if _, err := s.Look(key); err != nil {
		return err
	}
	s.commits = append(s.commits, "-"+key)
	delete(s.values, key)
	return nil
}
func (s *shelf) Room(bool) (used, most int64) { return 0, 1 << 20 }
func (s *shelf) Lost(key string, _ error)     { s.lost = append(s.lost, key) }

type draft struct {
	s   *shelf
	key string
	b   []byte
}

func (d *draft) ReadAt(b []byte, off int64) (int, error) { return bytes.NewReader(d.b).ReadAt(b, off) }
func (d *draft) WriteAt(b []byte, off int64) (int, error) {
	if n := off + int64(len(b)); n > int64(len(d.b)) {
		d.b = append(d.b, make([]byte, n-int64(len(d.b)))...)
	}
	return copy(d.b[off:], b), nil
}
func (d *draft) Truncate(size int64) error {
	d.b = append(d.b, make([]byte, max(size-int64(len(d.b)), 0))...)[:size]
	return nil
}
func (d *draft) Size() int64 { return int64(len(d.b)) }
func (d *draft) Seal() error { return d.s.seal }
func (d *draft) Drop() error { return nil }
func (d *draft) Commit() error {
	d.s.mu.Lock()
	defer d.s.mu.Unlock()
	d.s.values[d.key] = string(d.b)
	d.s.commits = append(d.s.commits, d.key+"="+string(d.b))
	return nil
}

var (
	both  = enforce.StoredRights{Read: true, Write: true}
	read  = enforce.StoredRights{Read: true}
	write = enforce.StoredRights{Write: true}
)

const killed = 99 // the process that is

func folder(t testing.TB) (*stored.Folder, *shelf) {
	t.Helper()
	s := &shelf{t: t, values: map[string]string{"both": "b\n", "read": "r\n", "write": "w\n", "other": "o\n", "in/deep": "d\n", "hidden/x": "h\n"},
		rights: map[string]enforce.StoredRights{"both": both, "read": read, "write": write, "in/deep": both, "new": both, "lead/a/b": read},
		asks:   map[string]bool{}}
	f := stored.New(t.Context(), stored.Config{Storer: s, Host: func(pid int) int { return pid }, Killed: func(pid int) bool { return pid == killed }})
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f, s
}

var wire = binary.NativeEndian

func words(v ...uint32) (b []byte) {
	for _, w := range v {
		b = wire.AppendUint32(b, w)
	}
	return b
}

func name(b []byte, n string) []byte { return append(append(b, n...), 0) }

func ask(t testing.TB, f *stored.Folder, op fuse.Operation, node uint64, body []byte) ([]byte, unix.Errno) {
	t.Helper()
	b, no, asked := f.Put(fuse.Request{Op: op, Node: node, Body: body})
	if asked {
		t.Fatalf("operation %d is asked about", op)
	}
	return b, no
}

func must(t testing.TB, f *stored.Folder, op fuse.Operation, node uint64, body []byte) []byte {
	t.Helper()
	b, no := ask(t, f, op, node, body)
	if no != 0 {
		t.Fatalf("operation %d: %v", op, no)
	}
	return b
}

func lookup(t testing.TB, f *stored.Folder, parent uint64, n string) uint64 {
	t.Helper()
	return wire.Uint64(must(t, f, fuse.OpLookup, parent, name(nil, n)))
}

func opened(t testing.TB, f *stored.Folder, node uint64, flags uint32) uint64 {
	t.Helper()
	return wire.Uint64(must(t, f, fuse.OpOpen, node, words(flags, 0)))
}

func handleOf(h uint64) []byte { return append(wire.AppendUint64(nil, h), make([]byte, 16)...) }

func written(h, offset uint64, flags uint32, data string) []byte {
	b := wire.AppendUint64(wire.AppendUint64(nil, h), offset)
	b = append(b, words(uint32(len(data)), 0, 0, 0, flags, 0)...)
	return append(b, data...)
}

func readOf(h uint64) []byte {
	return append(wire.AppendUint64(wire.AppendUint64(nil, h), 0), words(4096, 0)...)
}

func listed(t testing.TB, f *stored.Folder, node uint64) string {
	t.Helper()
	h := wire.Uint64(must(t, f, fuse.OpOpendir, node, words(0, 0)))
	return string(must(t, f, fuse.OpReaddir, node, readOf(h)))
}

// TestNotThere: what nobody granted is not there, by its name, in a list, nor by what
// lies beneath it.
func TestNotThere(t *testing.T) {
	f, _ := folder(t)
	for _, n := range []string{"other", "hidden", "absent", "new"} {
		if _, no := ask(t, f, fuse.OpLookup, fuse.RootID, name(nil, n)); no != unix.ENOENT {
			t.Errorf("%s: %v", n, no)
		}
	}
	for _, n := range []string{"..", ".", "", "a/b", "../x", strings.Repeat("x", 4096)} {
		if _, no := ask(t, f, fuse.OpLookup, fuse.RootID, name(nil, n)); no != unix.EINVAL {
			t.Errorf("%.20q: %v", n, no)
		}
	}
	list := listed(t, f, fuse.RootID)
	for n, want := range map[string]bool{"both": true, "read": true, "write": true, "in": true, "lead": true, "other": false, "hidden": false, "new": false} {
		if strings.Contains(list, n) != want {
			t.Errorf("%s is listed: %v", n, !want)
		}
	}
	if list := listed(t, f, lookup(t, f, fuse.RootID, "in")); !strings.Contains(list, "deep") {
		t.Errorf("in: %q", list)
	}
	for op, body := range map[fuse.Operation][]byte{
		fuse.OpCreate: name(words(unix.O_WRONLY|unix.O_CREAT, 0o644, 0, 0), "other"), fuse.OpMkdir: name(words(0o755, 0), "hidden"),
		fuse.OpUnlink: name(nil, "other"),
	} {
		if _, no := ask(t, f, op, fuse.RootID, body); no == 0 {
			t.Errorf("operation %d of what is not there", op)
		}
	}
}

// TestRights: each right alone gives that and no more.
func TestRights(t *testing.T) {
	f, s := folder(t)
	r, w := lookup(t, f, fuse.RootID, "read"), lookup(t, f, fuse.RootID, "write")
	for _, c := range []struct {
		what string
		op   fuse.Operation
		node uint64
		body []byte
		want unix.Errno
	}{
		{"write to what can be read", fuse.OpOpen, r, words(unix.O_WRONLY, 0), unix.EACCES},
		{"truncate what can be read", fuse.OpOpen, r, words(unix.O_RDONLY|unix.O_TRUNC, 0), unix.EACCES},
		{"truncate it by path", fuse.OpSetattr, r, append(words(1<<3, 0), make([]byte, 80)...), unix.EACCES},
		{"remove what can be read", fuse.OpUnlink, fuse.RootID, name(nil, "read"), unix.EACCES},
		{"read what can be written", fuse.OpOpen, w, words(unix.O_RDONLY, 0), unix.EACCES},
		{"read it besides", fuse.OpOpen, w, words(unix.O_RDWR, 0), unix.EACCES},
		{"another name", fuse.OpLink, fuse.RootID, name(wire.AppendUint64(nil, r), "new"), unix.EPERM},
		{"a link", fuse.OpSymlink, fuse.RootID, name(name(nil, "new"), "read"), unix.EPERM},
		{"rename", fuse.OpRename, fuse.RootID, name(name(wire.AppendUint64(nil, fuse.RootID), "read"), "new"), unix.EXDEV},
		{"rename2", fuse.OpRename2, fuse.RootID, name(name(wire.AppendUint64(wire.AppendUint64(nil, fuse.RootID), 2), "both"), "read"), unix.EXDEV},
		{"mode", fuse.OpSetattr, r, append(words(1<<0, 0), make([]byte, 80)...), unix.EPERM},
		{"a device", fuse.OpMknod, fuse.RootID, name(words(unix.S_IFCHR|0o666, 0x103, 0, 0), "new"), unix.EPERM},
		{"a mapped page", fuse.OpWrite, w, func() []byte {
			b := written(opened(t, f, w, unix.O_WRONLY), 0, 0, "x")
			b[20] = 1
			return b
		}(), unix.EPERM},
	} {
		if _, no := ask(t, f, c.op, c.node, c.body); no != c.want {
			t.Errorf("%s: %v, want %v", c.what, no, c.want)
		}
	}
	if len(s.commits) > 0 {
		t.Errorf("committed: %q", s.commits)
	}
	h := opened(t, f, r, unix.O_RDONLY)
	if got := must(t, f, fuse.OpRead, r, readOf(h)); string(got) != "r\n" {
		t.Errorf("read %q", got)
	}
	s.mu.Lock()
	s.rights["read"] = enforce.StoredRights{}
	s.mu.Unlock()
	if got, no := ask(t, f, fuse.OpRead, r, readOf(h)); no == 0 {
		t.Errorf("read %q of what was taken back", got)
	}
}

// TestCommit: what was written is committed with the last close, once, and what was
// only opened is not.
func TestCommit(t *testing.T) {
	f, s := folder(t)
	b := lookup(t, f, fuse.RootID, "both")
	must(t, f, fuse.OpRelease, b, handleOf(opened(t, f, b, unix.O_RDWR)))
	h := opened(t, f, b, unix.O_WRONLY|unix.O_TRUNC)
	before := opened(t, f, b, unix.O_RDONLY)
	must(t, f, fuse.OpFlush, b, handleOf(h)) // one of two descriptors, as a shell does
	must(t, f, fuse.OpWrite, b, written(h, 0, 0, "one"))
	must(t, f, fuse.OpWrite, b, written(h, 0, unix.O_APPEND, "two"))
	must(t, f, fuse.OpFlush, b, handleOf(h))
	if len(s.commits) > 0 {
		t.Fatalf("committed before the last close: %q", s.commits)
	}
	must(t, f, fuse.OpRelease, b, handleOf(h))
	if got := string(must(t, f, fuse.OpRead, b, readOf(before))); got != "b\n" {
		t.Errorf("what was open before has become %q", got)
	}
	made := must(t, f, fuse.OpCreate, fuse.RootID, name(words(unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o644, 0, 0), "new"))
	must(t, f, fuse.OpRelease, wire.Uint64(made), handleOf(wire.Uint64(made[len(made)-16:])))
	must(t, f, fuse.OpUnlink, fuse.RootID, name(nil, "new"))
	if got := strings.Join(s.commits, " "); got != "both=onetwo new= -new" {
		t.Errorf("committed: %q", got)
	}
}

// TestKilled: what one who had it open was killed over, what could not be sealed, and
// what was never closed is not committed.
func TestKilled(t *testing.T) {
	f, s := folder(t)
	b := lookup(t, f, fuse.RootID, "both")
	one, two := opened(t, f, b, unix.O_WRONLY|unix.O_TRUNC), opened(t, f, b, unix.O_WRONLY|unix.O_TRUNC)
	for _, h := range []uint64{one, two, opened(t, f, b, unix.O_WRONLY|unix.O_TRUNC)} {
		must(t, f, fuse.OpWrite, b, written(h, 0, 0, "half"))
	}
	if _, no, _ := f.Put(fuse.Request{Op: fuse.OpFlush, Node: b, Body: handleOf(one), PID: killed}); no != 0 {
		t.Fatal(no)
	}
	must(t, f, fuse.OpFlush, b, handleOf(one)) // another one who has it open lives
	must(t, f, fuse.OpRelease, b, handleOf(one))
	s.seal = unix.ENOSPC
	if _, no := ask(t, f, fuse.OpFlush, b, handleOf(two)); no != unix.ENOSPC {
		t.Errorf("a full disk: %v", no)
	}
	must(t, f, fuse.OpRelease, b, handleOf(two))
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if len(s.commits) > 0 || s.values["both"] != "b\n" || !slices.Equal(s.lost, []string{"both"}) {
		t.Errorf("committed %q, told of %q", s.commits, s.lost)
	}
}

// TestTwoOpen: two who write have a draft each.
func TestTwoOpen(t *testing.T) {
	f, s := folder(t)
	b := lookup(t, f, fuse.RootID, "both")
	one, two := opened(t, f, b, unix.O_WRONLY), opened(t, f, b, unix.O_WRONLY)
	must(t, f, fuse.OpWrite, b, written(one, 0, 0, "1"))
	must(t, f, fuse.OpWrite, b, written(two, 1, 0, "2"))
	must(t, f, fuse.OpRelease, b, handleOf(one))
	must(t, f, fuse.OpRelease, b, handleOf(two))
	if got := strings.Join(s.commits, " "); got != "both=1\n both=b2" {
		t.Errorf("committed: %q", got)
	}
}

// TestAsk: a question holds who asks and nobody else, and can be given up.
func TestAsk(t *testing.T) {
	f, s := folder(t)
	s.asks["other"], s.asks["absent"], s.answer = true, true, make(chan bool)
	look := func(n string, unique uint64) bool {
		_, _, asked := f.Put(fuse.Request{Op: fuse.OpLookup, Node: fuse.RootID, Unique: unique, Body: name(nil, n)})
		return asked
	}
	if !look("absent", 8) {
		t.Fatal("nobody is asked")
	}
	lookup(t, f, fuse.RootID, "both")
	f.Interrupt(fuse.Request{Op: fuse.OpInterrupt, Body: wire.AppendUint64(nil, 8)})
	f.Wait()
	if !look("other", 7) {
		t.Fatal("nobody is asked any more")
	}
	lookup(t, f, fuse.RootID, "both")
	s.answer <- true
	f.Wait()
	if s.Rights("absent").Read || !s.Rights("other").Read {
		t.Errorf("what was given up: %+v, what was answered: %+v", s.Rights("absent"), s.Rights("other"))
	}
}

// TestForget: what the kernel forgets the server forgets.
func TestForget(t *testing.T) {
	f, _ := folder(t)
	for range 3 {
		lookup(t, f, fuse.RootID, "both")
	}
	b := lookup(t, f, fuse.RootID, "both")
	if f.Known() != 2 {
		t.Errorf("%d names are known", f.Known())
	}
	f.Forget(b, 4)
	if _, no := ask(t, f, fuse.OpGetattr, b, make([]byte, 16)); no != unix.ESTALE || f.Known() != 1 {
		t.Errorf("%v, %d names are known", no, f.Known())
	}
}

// FuzzRequest puts whatever comes: what nobody may change stays, and nothing stops.
func FuzzRequest(f *testing.F) {
	for _, s := range []struct {
		op   uint32
		body []byte
	}{
		{uint32(fuse.OpWrite), written(1, 0, 0, "x")}, {uint32(fuse.OpSetattr), make([]byte, 88)}, {uint32(fuse.OpReaddir), make([]byte, 40)},
		{uint32(fuse.OpCreate), name(words(1, 2, 3, 4), "new")}, {uint32(fuse.OpRename2), make([]byte, 40)}, {uint32(fuse.OpOpen), words(0x201, 0)},
		{uint32(fuse.OpRelease), handleOf(1)}, {uint32(fuse.OpFlush), handleOf(1)}, {uint32(fuse.OpMkdir), name(words(0, 0), "x")},
	} {
		f.Add(s.op, uint8(0), s.body)
		f.Add(s.op, uint8(1), s.body)
	}
	f.Fuzz(func(t *testing.T, op uint32, of uint8, body []byte) {
		d, s := folder(t)
		nodes := []uint64{fuse.RootID, lookup(t, d, fuse.RootID, "read"), lookup(t, d, fuse.RootID, "in"), 99}
		opened(t, d, nodes[1], unix.O_RDONLY)
		listed(t, d, fuse.RootID)
		_, _, _ = d.Put(fuse.Request{Op: fuse.Operation(op), Node: nodes[int(of)%len(nodes)], Body: body})
		if s.values["read"] != "r\n" || s.values["other"] != "o\n" || s.values["hidden/x"] != "h\n" {
			t.Errorf("they are %q", s.values)
		}
	})
}
