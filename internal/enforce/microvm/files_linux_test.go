package microvm_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/inside"
)

// ordered has an order carried out in a machine.
func (r *running) ordered(t *testing.T, o inside.Order, in string) (inside.Result, string) {
	t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var ours, theirs [3]*os.File
	for i := range ours {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		if ours[i], theirs[i] = read, write; i == 0 {
			ours[i], theirs[i] = write, read
		}
	}
	e, err := enforce.EnterOwn(r.Session, r.Report().Tier, enforce.Command{Args: []string{inside.Name, string(text)}, Dir: "/", Files: theirs})
	for _, f := range theirs {
		_ = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	stop := time.AfterFunc(5*time.Minute, func() { _ = r.Kill() })
	defer stop.Stop()
	go func() {
		_ = inside.Feed(ours[0], strings.NewReader(in))
		_ = ours[0].Close()
	}()
	var out bytes.Buffer
	read := make(chan struct{})
	go func() {
		_, _ = io.Copy(&out, ours[1])
		close(read)
	}()
	res, err := inside.ReadResult(ours[2])
	<-read
	if end, e := e.Wait(); err != nil || e != nil || end.Exit != 0 {
		t.Fatalf("%+v, %v, %v", end, e, err)
	}
	return res, out.String()
}

// TestMachineFiles: files of a machine are looked after within it, with the rights that its
// program has, and what is denied beneath a grant is neither removed nor replaced.
func TestMachineFiles(t *testing.T) {
	tr := tier(t)
	in := input(t, "umask 077; echo one > /tmp/f; mkdir /home/u/d; echo; exec sleep 600")
	dir := folder(t, &in, true)
	locked := filepath.Join(dir, "locked")
	if err := os.WriteFile(locked, []byte("locked\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	deny, err := capability.Parse("fs.read:" + locked)
	if err != nil {
		t.Fatal(err)
	}
	in.Masked = append(in.Masked, deny)
	in.Objects[deny.String()] = []enforce.Object{object(t, locked)}
	r := start(t, tr, plan(t, in), "")
	defer func() {
		_ = r.Kill()
		_ = r.wait(t)
	}()
	order := func(op, path string) inside.Order {
		return inside.Order{Op: op, Path: []byte(path), Limit: 10, Most: 1 << 20}
	}
	eventually(t, "there is a file", func() bool {
		got, out := r.ordered(t, order(inside.OpRead, "/tmp/f"), "")
		return got.Error == "" && out == "one\n"
	})
	wants := func(o inside.Order, in string, errno unix.Errno) inside.Result {
		t.Helper()
		got, _ := r.ordered(t, o, in)
		if unix.Errno(got.Errno) != errno || errno == 0 && got.Error != "" {
			t.Errorf("%s %s: %+v, want %v", o.Op, o.Path, got, errno)
		}
		return got
	}
	wants(order(inside.OpWrite, "/tmp/f"), "two\n", 0)
	if got, out := r.ordered(t, order(inside.OpRead, "/tmp/f"), ""); out != "two\n" || got.Copied.Bytes != 4 {
		t.Errorf("%+v, %q", got, out)
	}
	if e := wants(order(inside.OpStat, "/tmp/f"), "", 0).Entry; e.Name != "f" || e.Type != "file" || e.Size != 4 || e.Mode != 0o600 {
		t.Errorf("%+v", e)
	}
	if p := wants(order(inside.OpList, "/home/u"), "", 0).Page; len(p.Entries) != 1 || p.Entries[0].Name != "d" || p.Entries[0].Type != "folder" {
		t.Errorf("%+v", p)
	}
	wants(order(inside.OpWrite, "/tmp/large"), strings.Repeat("x", 2<<20), unix.EFBIG)
	wants(order(inside.OpStat, "/tmp/large"), "", unix.ENOENT)
	wants(order(inside.OpRead, "/proc/1/mem"), "", unix.EACCES)
	wants(order(inside.OpWrite, "/usr/f"), "x", unix.EROFS)
	for _, op := range []string{inside.OpRemove, inside.OpWrite} {
		wants(order(op, locked), "mine", unix.EBUSY)
	}
	wants(order(inside.OpRead, locked), "", unix.EACCES)
	grows := order(inside.OpWrite, filepath.Join(dir, "file"))
	grows.Grows = [][]byte{[]byte(dir)}
	wants(grows, "mine", unix.EEXIST)
	grows.Op = inside.OpRemove
	wants(grows, "", unix.EPERM)
	wants(order(inside.OpWrite, filepath.Join(dir, "new")), "new\n", 0)
	eventually(t, "it comes back", func() bool {
		got, err := os.ReadFile(filepath.Join(dir, "new"))
		return err == nil && string(got) == "new\n"
	})
	if got, err := os.ReadFile(locked); err != nil || string(got) != "locked\n" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestMachinePause: nothing in a machine runs while it is paused, and its clock is right when
// it goes on; one that is paused ends when it is to.
func TestMachinePause(t *testing.T) {
	tr := tier(t)
	in := input(t, `while :; do echo x >> "$0/steps"; sleep 0.05; done`)
	dir := folder(t, &in, true)
	in.Program.Argv = append(in.Program.Argv, dir)
	r := start(t, tr, plan(t, in), "")
	steps := func() int64 {
		got, _ := r.ordered(t, inside.Order{Op: inside.OpStat, Path: []byte(filepath.Join(dir, "steps"))}, "")
		return got.Entry.Size
	}
	eventually(t, "it makes steps", func() bool { return steps() > 4 })
	// What it does is counted by its processor's time, which stands still too.
	before := steps()
	_, thaw, err := enforce.Freeze(r.Session, r.Report().Tier)
	if err != nil {
		t.Fatal(err)
	}
	busy := processorTime(t, r.PID())
	time.Sleep(2 * time.Second)
	if now := processorTime(t, r.PID()); now-busy > 20 {
		t.Errorf("it took %d hundredths of a second of the processor while it stood still", now-busy)
	}
	if err := thaw(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it makes steps", func() bool { return steps() > before })
	made, _ := r.ordered(t, inside.Order{Op: inside.OpStat, Path: []byte(filepath.Join(dir, "steps"))}, "")
	if off := time.Since(made.Entry.Modified); off > 30*time.Second || off < -30*time.Second {
		t.Errorf("its clock is off by %v", off)
	}
	if _, _, err = enforce.Freeze(r.Session, r.Report().Tier); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := r.Kill(); err != nil {
		t.Fatal(err)
	}
	if res, err := r.Wait(); res.Signal != int(unix.SIGKILL) || !errorSays(err, "lost") {
		t.Errorf("%+v, %v", res, err)
	}
	r.read.Wait()
	if took := time.Since(begin); took > time.Minute {
		t.Errorf("it took %v to end", took)
	}
}

func errorSays(err error, part string) bool { return err != nil && strings.Contains(err.Error(), part) }

// processorTime is that of a process and all that came from it, in hundredths of a second.
func processorTime(t *testing.T, pid int) (sum int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	type of struct{ parent, used int }
	known := map[int]of{}
	for _, name := range all {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		f := strings.Fields(rest)
		var id, parent, user, system int
		if _, err := fmt.Sscan(filepath.Base(filepath.Dir(name))+" "+f[1]+" "+f[11]+" "+f[12], &id, &parent, &user, &system); err != nil {
			t.Fatal(err)
		}
		known[id] = of{parent, user + system}
	}
	for id, p := range known {
		for at := id; at > 1; at = known[at].parent {
			if at == pid {
				sum += p.used
				break
			}
		}
	}
	if sum == 0 {
		t.Fatal(errors.New("the machine took no time at all"))
	}
	return sum
}
