package trap_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/trap"
)

// A question is a touch that waits until it is answered or its context ends.
type question struct {
	touched trap.Touched
	answer  chan unix.Errno
	ended   chan time.Time // the context did
}

// asking returns a Touch that puts questions, and where they come out.
func asking() (func(context.Context, trap.Touched) unix.Errno, <-chan question) {
	questions := make(chan question, 16)
	return func(ctx context.Context, o trap.Touched) unix.Errno {
		q := question{o, make(chan unix.Errno), make(chan time.Time, 1)}
		questions <- q
		select {
		case e := <-q.answer:
			return e
		case <-ctx.Done():
			q.ended <- time.Now()
			return unix.EINTR
		}
	}, questions
}

// next returns the next question.
func (v *view) next(questions <-chan question) question {
	v.t.Helper()
	select {
	case q := <-questions:
		return q
	case <-time.After(time.Minute):
		v.t.Fatal("nobody asked")
		return question{}
	}
}

// reply answers a question that is still open.
func (v *view) reply(q question, e unix.Errno) {
	v.t.Helper()
	select {
	case q.answer <- e:
	case <-q.ended:
		v.t.Fatal("the question is not open any more")
	}
}

// TestLookupNeverWaits lets all others look, list and be refused while one waits
// for its answer in the same folder.
func TestLookupNeverWaits(t *testing.T) {
	touch, questions := asking()
	v := newView(t, trap.Config{Touch: touch, Names: []trap.Name{{Path: "/own", Dir: true}}})
	must(os.WriteFile(v.host+"/file", nil, 0o644))
	must(os.Symlink("nowhere", v.host+"/link"))
	waits := v.start("read", v.host+"/file")
	q := v.next(questions)
	done := make(chan []string, 1)
	go func() {
		done <- v.try("stat", v.host+"/absent", "cached", v.host+"/file", "link", v.host+"/link", "list", "/own", "create", v.host+"/new", "list", "/")
	}()
	select {
	case got := <-done:
		wantLines(t, got, "ENOENT", "100644 size 0 links 1 blocks 0 time 0", "nowhere", "", "EACCES", "own")
	case <-time.After(time.Minute):
		t.Error("others wait for the one that was asked about")
	}
	v.reply(q, unix.EPERM)
	wantLines(t, v.wait(waits), "EPERM")
}

// TestTouchNext has a program touch one file after the other. What it asks for after the first
// is answered by whoever answered that; while the next waits for its answer all others still
// look and are refused.
func TestTouchNext(t *testing.T) {
	waits := make(chan chan unix.Errno)
	v := newAsking(t, func(v *view, ctx context.Context, o trap.Touched) unix.Errno {
		if strings.HasSuffix(o.Path, "first") {
			return v.attach(o)
		}
		answer := make(chan unix.Errno)
		waits <- answer
		return <-answer
	})
	for i := range 10 {
		first, second := fmt.Sprintf("%s/%d-first", v.host, i), fmt.Sprintf("%s/%d-second", v.host, i)
		must(os.WriteFile(first, []byte("shown"), 0o644))
		must(os.WriteFile(second, nil, 0o644))
		c := v.start("read", first, "read", second)
		answer := <-waits
		done := make(chan []string, 1)
		go func() {
			done <- v.try("stat", v.host+"/absent", "cached", second, "create", v.host+"/new", "list", "/")
		}()
		select {
		case got := <-done:
			wantLines(t, got, "ENOENT", "100644 size 0 links 1 blocks 0 time 0", "EACCES", strings.Split(v.host, "/")[1])
		case <-time.After(time.Minute):
			t.Error("others wait for the one that was asked about")
		}
		answer <- unix.EPERM
		wantLines(t, v.wait(c), "shown", "EPERM")
	}
}

// TestTouchMany has programs touch many files each at once.
func TestTouchMany(t *testing.T) {
	v := newAsking(t, func(v *view, _ context.Context, o trap.Touched) unix.Errno { return v.attach(o) })
	const programs, files = 6, 30
	var calls []*call
	for i := range programs {
		var args []string
		for j := range files {
			p := fmt.Sprintf("%s/%d-%d", v.host, i, j)
			must(os.WriteFile(p, []byte("shown"), 0o644))
			args = append(args, "read", p)
		}
		calls = append(calls, v.start(args...))
	}
	for _, c := range calls {
		wantLines(t, v.wait(c), slices.Repeat([]string{"shown"}, files)...)
	}
}

// TestSlowHost has a file system of the host that does not answer hold nobody
// but those who want something of it, and those not once they are killed.
func TestSlowHost(t *testing.T) {
	v := newView(t, trap.Config{})
	must(os.Mkdir(v.host+"/slow", 0o755))
	dev, number := mountFUSE(t, v.host+"/slow") // whose requests nobody reads
	tellWatchdog(number)
	answerNothing := sync.OnceFunc(func() { _ = unix.Close(dev); tellWatchdog("-" + number) })
	defer func() { _ = unix.Unmount(v.host+"/slow", unix.MNT_DETACH) }() // the namespace ends with this process
	defer answerNothing()
	waits := v.startCommand(exec.Command("cat", v.dir+v.host+"/slow/file"))
	time.Sleep(100 * time.Millisecond)
	done := make(chan []string, 1)
	go func() { done <- v.try("stat", v.host+"/absent", "cached", v.host+"/slow") }()
	select {
	case got := <-done:
		wantLines(t, got, "ENOENT", "40755 size 0 links 1 blocks 0 time 0")
	case <-time.After(time.Minute):
		t.Error("all wait for one file system of the host")
	}
	select {
	case <-waits.ended:
		t.Error("the slow look did not wait")
	default:
	}
	sent := time.Now()
	must(waits.cmd.Process.Kill())
	v.wait(waits)
	if d := time.Since(sent); d > time.Minute {
		t.Errorf("the process ended after %v", d)
	}
	answerNothing() // Serve waits for its looks at the host
}

// TestKill ends a call that waits for an answer when its process is ended, and
// the question with it.
func TestKill(t *testing.T) {
	for _, s := range []syscall.Signal{unix.SIGKILL, unix.SIGTERM, unix.SIGQUIT} {
		t.Run(unix.SignalName(s), func(t *testing.T) {
			touch, questions := asking()
			v := newView(t, trap.Config{Touch: touch})
			must(os.WriteFile(v.host+"/file", nil, 0o644))
			// A program without handlers; Go's runtime has one for every signal.
			waits := v.startCommand(exec.Command("cat", v.dir+v.host+"/file"))
			q := v.next(questions)
			time.Sleep(20 * time.Millisecond)
			sent := time.Now()
			must(waits.cmd.Process.Signal(s))
			v.wait(waits)
			if d := time.Since(sent); d > time.Minute {
				t.Errorf("the process ended after %v", d)
			}
			select {
			case at := <-q.ended:
				t.Logf("the question ended after %v", at.Sub(sent))
			case <-time.After(time.Minute):
				t.Error("the question is still open")
			}
		})
	}
}

// TestSignal has signals with a handler disturb nobody who waits, and a kill end
// the wait even after them: the kernel tells of an interrupted call only once.
func TestSignal(t *testing.T) {
	touch, questions := asking()
	v := newView(t, trap.Config{Touch: touch})
	p := v.host + "/file"
	must(os.WriteFile(p, []byte("text"), 0o644))

	waits := v.start("timer", "", "read", p)
	q := v.next(questions)
	time.Sleep(300 * time.Millisecond) // 60 signals
	v.reply(q, v.attach(q.touched))
	wantLines(t, v.wait(waits), "ok", "text")

	must(os.WriteFile(v.host+"/other", nil, 0o644))
	waits = v.start("timer", "", "read", v.host+"/other")
	q = v.next(questions)
	time.Sleep(300 * time.Millisecond)
	sent := time.Now()
	must(waits.cmd.Process.Kill())
	v.wait(waits)
	if d := time.Since(sent); d > time.Minute {
		t.Errorf("the process ended after %v", d)
	}
	<-q.ended
}

// TestMany has 200 processes wait for the same file at once, and touch one each.
func TestMany(t *testing.T) {
	const n = 200
	var mu sync.Mutex
	waiting := 0 // guarded by mu
	all := make(chan struct{})
	var once sync.Once
	v := newAsking(t, func(v *view, _ context.Context, o trap.Touched) unix.Errno {
		if filepath.Base(o.Path) != "same" {
			return v.attach(o)
		}
		mu.Lock()
		if waiting++; waiting == n {
			close(all)
		}
		mu.Unlock()
		select {
		case <-all:
		case <-time.After(2 * time.Minute):
			t.Error("not all wait at once")
		}
		once.Do(func() { v.attach(o) })
		return unix.ESTALE
	})
	must(os.WriteFile(v.host+"/same", []byte("same"), 0o644))
	calls := make([]*call, n)
	for i := range calls {
		p := fmt.Sprintf("%s/%d", v.host, i)
		must(os.WriteFile(p, []byte("own"), 0o644))
		calls[i] = v.startCommand(exec.Command("cat", v.dir+v.host+"/same", v.dir+p))
	}
	for _, c := range calls {
		if got := v.wait(c)[0]; got != "sameown" {
			t.Errorf("%q, want what is in both files", got)
		}
	}
}

// TestForget frees what the kernel forgets, and has it forget when names are too
// many; but none that something is mounted on.
func TestForget(t *testing.T) {
	const names, most = 3000, 300
	v := makeView(t, func(v *view) trap.Config {
		v.bound = most
		return trap.Config{Touch: func(_ context.Context, o trap.Touched) unix.Errno { return v.attach(o) }}
	})
	must(os.Mkdir(v.host+"/many", 0o755))
	must(unix.Mount("none", v.host+"/many", "tmpfs", 0, ""))             // faster than a disk
	defer func() { _ = unix.Unmount(v.host+"/many", unix.MNT_DETACH) }() // the namespace ends with this process
	must(os.WriteFile(v.host+"/granted", []byte("text"), 0o644))
	for i := range names {
		must(os.Symlink("x", fmt.Sprintf("%s/many/%d", v.host, i))) // the cheapest thing that has a name
	}
	wantLines(t, v.try("read", v.host+"/granted"), "text")
	for range 2 {
		wantLines(t, v.try("names", v.host+"/many"), fmt.Sprint(names))
		v.until("names were given back", func() bool { return v.trap.Nodes() < most+most/8 })
	}
	wantLines(t, v.try("read", v.host+"/granted", "link", v.host+"/many/0"), "text", "x")
}

func (v *view) until(what string, true func() bool) {
	v.t.Helper()
	for end := time.Now().Add(time.Minute); !true(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			v.t.Fatalf("waited a minute until %s (%d nodes)", what, v.trap.Nodes())
		}
	}
}

// TestEnd ends every wait, and every later call, with the connection.
func TestEnd(t *testing.T) {
	touch, questions := asking()
	v := newView(t, trap.Config{Touch: touch})
	must(os.WriteFile(v.host+"/file", nil, 0o644))
	waits := v.start("read", v.host+"/file")
	q := v.next(questions)
	v.end() // waits for Serve, which waits for every Touch
	<-q.ended
	if got := v.wait(waits)[0]; got != "ECONNABORTED" && got != "ENOTCONN" && got != "EINTR" {
		t.Errorf("the call that waited: %s", got)
	}
	wantLines(t, v.try("stat", v.host+"/file", "read", v.host+"/absent", "list", "/"), "ENOTCONN", "ENOTCONN", "ENOTCONN")
}

// serveAlone is the copy that TestServerKilled kills: it serves a trap at dir
// whose questions nobody answers, and prints a line for each.
func serveAlone(dir string) {
	t := testing.TB(aloneTB{})
	root, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	must(err)
	dev, number := mountFUSE(t, dir)
	tellWatchdog(number)
	fmt.Println("number", number)
	served := trap.New(trap.Config{Host: root, Touch: func(ctx context.Context, o trap.Touched) unix.Errno {
		fmt.Println("touched", o.Path)
		<-ctx.Done()
		return unix.EINTR
	}}).Serve(context.Background(), dev)
	fmt.Println("served", served)
	os.Exit(0)
}

// aloneTB lets mountFUSE be used outside of a test.
type aloneTB struct{ testing.TB }

func (aloneTB) Helper()                  {}
func (aloneTB) Skipf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

// TestServerKilled has nobody hang when the server dies: who waits is ended, and
// every later walk fails.
func TestServerKilled(t *testing.T) {
	whole := newView(t, trap.Config{}) // for its folders
	dir := filepath.Join(t.TempDir(), "killed")
	must(os.Mkdir(dir, 0o755))
	must(os.WriteFile(whole.host+"/file", nil, 0o644))
	r, w, err := os.Pipe()
	must(err)
	server := copyOf("server", dir)
	server.Stdout = w
	if fd := watchdogFile(); fd != nil {
		server.ExtraFiles = []*os.File{fd}
	}
	must(server.Start())
	w.Close()
	told := make(chan string, 16)
	go func() {
		b := make([]byte, 256)
		for {
			n, err := r.Read(b)
			if err != nil {
				close(told)
				return
			}
			told <- string(b[:n])
		}
	}()
	var number string
	_, _ = fmt.Sscanf(<-told, "number %s", &number)
	defer func() {
		_ = unix.Unmount(dir, unix.MNT_DETACH)
		tellWatchdog("-" + number)
	}()

	v := &view{t: t, dir: dir, host: whole.host, end: whole.end}
	waits := v.start("read", v.host+"/file")
	if got := <-told; !strings.HasPrefix(got, "touched") {
		t.Fatalf("the server says %q", got)
	}
	must(server.Process.Kill())
	_ = server.Wait()
	begin := time.Now()
	if got := v.wait(waits)[0]; got != "ECONNABORTED" && got != "ENOTCONN" && got != "EINTR" {
		t.Errorf("the call that waited: %s", got)
	}
	wantLines(t, v.try("stat", v.host+"/file", "list", "/"), "ENOTCONN", "ENOTCONN")
	if d := time.Since(begin); d > time.Minute {
		t.Errorf("it took %v", d)
	}
}

// TestAsUser runs the tests of what programs see as a user without privileges,
// in a user namespace, with a device node that such a user may open.
func TestAsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("requires: root, to become another user; the others run as this one")
	}
	if _, inUser := os.LookupEnv(roleVariable); !inUser {
		t.Skip("requires: a mount namespace of its own")
	}
	dir, err := os.MkdirTemp("", "ambit-trap-user") //nolint:usetesting // t.TempDir is closed to others
	must(err)
	defer os.RemoveAll(dir)
	must(os.Chmod(dir, 0o755))
	device := dir + "/fuse"
	must(unix.Mknod(device, unix.S_IFCHR|0o666, int(unix.Mkdev(10, 229))))
	must(os.Chmod(device, 0o666))
	must(os.Mkdir(dir+"/tmp", 0o777))
	must(os.Chmod(dir+"/tmp", 0o777))
	t.Setenv("TMPDIR", dir+"/tmp")
	var out bytes.Buffer
	code := insideTo(&out, []string{"-test.run=^(TestTouch|TestTouchRun|TestSkeleton|TestChanges|TestHidden|TestKill|TestSignal|TestTransit|TestReplaced|TestEnd)$", "-test.v", "-test.timeout=10m"},
		device, &syscall.Credential{Uid: 65534, Gid: 65534})
	if code != 0 || strings.Contains(out.String(), "--- SKIP") || !strings.Contains(out.String(), "--- PASS: TestReplaced") {
		t.Errorf("as uid 65534:\n%s", out.String())
	}
}
