package trap_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/trap"
)

// caller is the thread of every message, in a pid namespace of its own.
const caller = 77

// message is a request as the kernel writes it.
func message(op uint32, unique, node uint64, body []byte) []byte {
	b := make([]byte, 40, 40+len(body))
	e := binary.NativeEndian
	e.PutUint32(b, uint32(40+len(body)))
	e.PutUint32(b[4:], op)
	e.PutUint64(b[8:], unique)
	e.PutUint64(b[16:], node)
	e.PutUint32(b[32:], caller)
	return append(b, body...)
}

// bare returns a trap over the real host, whose replies can be read from the
// second descriptor.
func bare(t testing.TB, c trap.Config) (b *trap.Bare, replies int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	must(err)
	root, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	must(err)
	c.Host = root
	ctx, cancel := context.WithCancel(t.Context())
	b, err = trap.NewBare(ctx, c, pair[0])
	must(err)
	must(unix.SetsockoptTimeval(pair[1], unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 60}))
	t.Cleanup(func() {
		cancel()
		_ = unix.Shutdown(pair[1], unix.SHUT_RDWR) // a reply that nobody reads must not be waited for
		b.Wait()
		_ = unix.Close(pair[1])
		_ = unix.Close(root)
	})
	return b, pair[1]
}

// reply reads the next reply: which request it answers, and how.
func reply(t testing.TB, from int) (unique uint64, errno unix.Errno, body []byte) {
	t.Helper()
	b := make([]byte, 1<<17)
	n, err := unix.Read(from, b)
	if err != nil || n < 16 || int(binary.NativeEndian.Uint32(b)) != n {
		t.Fatalf("reply of %d bytes, said to have %d: %v", n, binary.NativeEndian.Uint32(b), err)
	}
	return binary.NativeEndian.Uint64(b[8:]), unix.Errno(-int32(binary.NativeEndian.Uint32(b[4:]))), b[16:n]
}

const (
	lookup, getattr, open, statfs, access = 1, 3, 14, 17, 34
)

// TestAttendedBound has a touch be followed by more requests than are answered by who
// answered it: a program cannot keep a processor busy with looking for the next one.
func TestAttendedBound(t *testing.T) {
	most := 0
	for range 10 {
		b, replies := bare(t, trap.Config{Touch: func(context.Context, trap.Touched) unix.Errno { return unix.ESTALE }})
		must(b.Serve(message(lookup, 1, 1, []byte("etc\x00"))))
		_, _, body := reply(t, replies)
		for i := range trap.MaxAttended + 30 {
			_, err := unix.Write(replies, message(statfs, uint64(100+i), 1, nil))
			must(err)
		}
		must(b.Serve(message(getattr, 2, binary.NativeEndian.Uint64(body), make([]byte, 16))))
		if unique, errno, _ := reply(t, replies); unique != 2 || errno != unix.ESTALE {
			t.Fatalf("request %d: %v, want the touch answered", unique, errno)
		}
		b.Wait()
		answered := 0
		for {
			n, err := unix.Read(replies, make([]byte, 1<<10))
			if errors.Is(err, unix.ECONNRESET) {
				continue // the other end was closed with requests that nobody took
			}
			if n <= 0 || err != nil {
				break
			}
			answered++
		}
		most = max(most, answered)
	}
	if most > trap.MaxAttended || most == 0 && runtime.NumCPU() > 1 {
		t.Errorf("%d requests were answered, want some and at most %d", most, trap.MaxAttended)
	}
}

// TestWaitingBound has the call that is one too many refused at once, and room
// again when others return.
func TestWaitingBound(t *testing.T) {
	release := make(chan unix.Errno)
	b, replies := bare(t, trap.Config{Touch: func(ctx context.Context, _ trap.Touched) unix.Errno {
		select {
		case e := <-release:
			return e
		case <-ctx.Done():
			return unix.EINTR
		}
	}})
	must(b.Serve(message(lookup, 1, 1, []byte("etc\x00"))))
	_, errno, body := reply(t, replies)
	if errno != 0 {
		t.Fatalf("lookup: %v", errno)
	}
	etc := binary.NativeEndian.Uint64(body)
	for i := range trap.MaxWaiting {
		must(b.Serve(message(getattr, uint64(100+i), etc, make([]byte, 16))))
	}
	must(b.Serve(message(getattr, 7, etc, make([]byte, 16))))
	if unique, errno, _ := reply(t, replies); unique != 7 || errno != unix.EACCES {
		t.Errorf("request %d: %v, want 7 refused", unique, errno)
	}
	release <- unix.ESTALE
	if unique, errno, _ := reply(t, replies); unique < 100 || errno != unix.ESTALE {
		t.Errorf("request %d: %v, want one that waits", unique, errno)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		must(b.Serve(message(getattr, 8, etc, make([]byte, 16))))
		must(unix.SetNonblock(replies, true))
		n, _ := unix.Read(replies, make([]byte, 64))
		must(unix.SetNonblock(replies, false))
		if n <= 0 {
			break // it waits
		}
		if time.Now().After(deadline) {
			t.Fatal("no room though one returned")
		}
	}
}

// TestSettle never gives the kernel an errno with a second meaning, or one that
// it does not take.
func TestSettle(t *testing.T) {
	for _, c := range []struct{ said, want unix.Errno }{
		{0, unix.EACCES}, {unix.ENOSYS, unix.EACCES}, {512, unix.EACCES}, {1 << 20, unix.EACCES}, {511, 511},
		{unix.ESTALE, unix.ESTALE}, {unix.ENOENT, unix.ENOENT}, {unix.EPERM, unix.EPERM},
	} {
		b, replies := bare(t, trap.Config{Touch: func(context.Context, trap.Touched) unix.Errno { return c.said }})
		must(b.Serve(message(lookup, 1, 1, []byte("etc\x00"))))
		_, _, body := reply(t, replies)
		for _, op := range []uint32{getattr, open, access} {
			must(b.Serve(message(op, 2, binary.NativeEndian.Uint64(body), make([]byte, 16))))
			if _, errno, _ := reply(t, replies); errno != c.want {
				t.Errorf("operation %d, said %d: %d, want %d", op, c.said, errno, c.want)
			}
		}
	}
}

// TestRefusesWithoutTouch refuses everything where nobody can be asked.
func TestRefusesWithoutTouch(t *testing.T) {
	b, replies := bare(t, trap.Config{})
	must(b.Serve(message(lookup, 1, 1, []byte("etc\x00"))))
	_, _, body := reply(t, replies)
	must(b.Serve(message(getattr, 2, binary.NativeEndian.Uint64(body), make([]byte, 16))))
	if _, errno, _ := reply(t, replies); errno != unix.EACCES {
		t.Errorf("stat: %v, want EACCES", errno)
	}
}

// TestPID tells of a caller as the host knows it: its process, and its thread
// where the process cannot be found out.
func TestPID(t *testing.T) {
	for _, c := range []struct{ outside, want int }{{unix.Gettid(), os.Getpid()}, {0, 0}, {1 << 30, 1 << 30}} {
		var asked record
		b, replies := bare(t, trap.Config{Touch: asked.refuse, PID: func(thread int) int {
			if thread != caller {
				t.Errorf("thread %d, want %d", thread, caller)
			}
			return c.outside
		}})
		must(b.Serve(message(lookup, 1, 1, []byte("etc\x00"))))
		_, _, body := reply(t, replies)
		must(b.Serve(message(getattr, 2, binary.NativeEndian.Uint64(body), make([]byte, 16))))
		reply(t, replies)
		if all := asked.take(); len(all) != 1 || all[0].PID != c.want {
			t.Errorf("%+v, want one touch by %d", all, c.want)
		}
	}
}

// TestMountedOver has whoever set out before a mount be told of to Touch, though
// the name is on the way to others; and never has the kernel forget a name that
// is mounted on, which would detach the mount.
func TestMountedOver(t *testing.T) {
	b, replies := bare(t, trap.Config{Touch: func(context.Context, trap.Touched) unix.Errno { return unix.ESTALE }})
	dir := t.TempDir()
	must(os.MkdirAll(dir+"/over/beneath", 0o755))
	var node uint64 = 1
	for name := range strings.SplitSeq(dir[1:]+"/over", "/") {
		must(b.Serve(message(lookup, 1, node, []byte(name+"\x00"))))
		_, _, body := reply(t, replies)
		node = binary.NativeEndian.Uint64(body)
	}
	b.Trap().Shown(dir+"/over/beneath", true)
	must(b.Serve(message(getattr, 2, node, make([]byte, 16))))
	if _, errno, _ := reply(t, replies); errno != 0 {
		t.Errorf("a directory on the way: %v", errno)
	}
	b.Trap().Shown(dir+"/over", true)
	must(b.Serve(message(getattr, 2, node, make([]byte, 16))))
	if _, errno, _ := reply(t, replies); errno != unix.ESTALE {
		t.Errorf("a directory that is mounted over: %v, want ESTALE", errno)
	}
	must(os.RemoveAll(dir + "/over"))
	must(b.Serve(message(getattr, 3, node, make([]byte, 16))))
	if unique, errno, _ := reply(t, replies); unique != 3 || errno != unix.ENOENT {
		t.Errorf("the same, gone from the host: %v, want ENOENT", errno)
	}
	time.Sleep(20 * time.Millisecond)
	must(b.Serve(message(statfs, 4, node, nil)))
	if unique, _, _ := reply(t, replies); unique != 4 {
		t.Error("the name of a mount is to be forgotten")
	}
}

// FuzzRequest gives the server what no kernel would.
func FuzzRequest(f *testing.F) {
	for op := range uint32(56) {
		for _, body := range [][]byte{nil, {0}, []byte("etc\x00"), []byte("..\x00"), []byte("a/b\x00"), make([]byte, 3), make([]byte, 24), make([]byte, 200)} {
			f.Add(message(op, 1, 1, body))
		}
	}
	batch := binary.NativeEndian.AppendUint32(nil, 1<<31)
	f.Add(message(42, 1, 1, append(batch, make([]byte, 20)...)))
	f.Add(message(28, 1, 1, append(binary.NativeEndian.AppendUint64(make([]byte, 8), 1<<63), 0xff, 0xff, 0xff, 0xff)))
	f.Add(message(26, 1, 0, []byte{7, 0, 0, 0, 40, 0, 0, 0, 0, 0, 0, 0}))
	f.Add([]byte{40, 0, 0, 0})
	names := []trap.Name{{Path: "/own", Dir: true}, {Path: "/own/file", Content: []byte("text")}, {Path: "/own/link", Link: "file"}}
	f.Fuzz(func(t *testing.T, m []byte) {
		b, replies := bare(t, trap.Config{Names: names, Touch: func(context.Context, trap.Touched) unix.Errno { return unix.EACCES }})
		for _, name := range []string{"own\x00", "etc\x00"} {
			must(b.Serve(message(lookup, 1, 1, []byte(name))))
			reply(t, replies)
		}
		if err := b.Serve(m); err != nil {
			return // it ends the connection
		}
		// Whatever came, the next request is answered.
		must(b.Serve(message(statfs, 1<<40, 1, nil)))
		for {
			if unique, _, _ := reply(t, replies); unique == 1<<40 {
				break
			}
		}
	})
}

// TestListNodes: where no name is known a listing tells of those that the view has what
// lookups would, as far as there is room; what has none, what is given back, and other
// listings leave nothing behind.
func TestListNodes(t *testing.T) {
	const listNodes, forget, entry, header = 44, 2, 128, 24
	names := []trap.Name{{Path: "/own", Dir: true}, {Path: "/link", Link: "own"}, {Path: "/file"}}
	list := func(b *trap.Bare, replies int, size uint32) (told map[string]uint64) {
		body := make([]byte, 40)
		binary.NativeEndian.PutUint32(body[16:], size)
		must(b.Serve(message(listNodes, 1, 1, body)))
		_, errno, got := reply(t, replies)
		if errno != 0 || len(got) > int(size) {
			t.Fatalf("listed: %v, %d bytes of %d", errno, len(got), size)
		}
		told = map[string]uint64{}
		for len(got) > 0 {
			name := got[entry+header:][:binary.NativeEndian.Uint32(got[entry+16:])]
			told[string(name)] = binary.NativeEndian.Uint64(got)
			got = got[entry+(header+len(name)+7)&^7:]
		}
		return told
	}
	b, replies := bare(t, trap.Config{Names: names})
	b.Trap().Shown("/usr", true)
	told := list(b, replies, 4096)
	if len(told) != 6 || told["."] != 0 || told[".."] != 0 || b.Trap().Nodes() != 5 {
		t.Errorf("told %v, %d nodes", told, b.Trap().Nodes())
	}
	b.Trap().Shown("/later", true)
	if again := list(b, replies, 4096); len(again) != 7 || again["own"] != 0 || again["later"] != 0 || b.Trap().Nodes() != 5 {
		t.Errorf("told once more: %v, %d nodes", again, b.Trap().Nodes())
	}
	for _, name := range []string{"own", "link", "file", "usr"} {
		must(b.Serve(message(lookup, 2, 1, []byte(name+"\x00"))))
		if _, errno, body := reply(t, replies); errno != 0 || told[name] == 0 || binary.NativeEndian.Uint64(body) != told[name] {
			t.Errorf("%s: listed as %d, looked up as %d, %v", name, told[name], binary.NativeEndian.Uint64(body), errno)
		}
		must(b.Serve(message(forget, 0, told[name], binary.NativeEndian.AppendUint64(nil, 2))))
	}
	if n := b.Trap().Nodes(); n != 1 {
		t.Errorf("%d nodes are left of both", n)
	}
	b, replies = bare(t, trap.Config{Names: names})
	if told := list(b, replies, 3*(entry+header+8)); len(told) != 3 || told["own"] == 0 || b.Trap().Nodes() != 2 {
		t.Errorf("with room for three: %v, %d nodes", told, b.Trap().Nodes())
	}
}
