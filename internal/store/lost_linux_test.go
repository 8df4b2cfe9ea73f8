package store_test

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store"
	"ambit.dev/ambit/internal/store/wire"
)

// beneath returns the processes named ambit-store that a process started.
func beneath(t testing.TB, parent int) (all []int) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		pid, rest, _ := strings.Cut(string(text), " (")
		if fields := strings.Fields(strings.TrimPrefix(rest, store.Program+") ")); len(fields) > 1 && strings.HasPrefix(rest, store.Program+") ") &&
			fields[0] != "Z" && fields[1] == strconv.Itoa(parent) {
			n, err := strconv.Atoi(pid)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, n)
		}
	}
	return all
}

// added returns the one process that was started by do.
func added(t testing.TB, do func()) int {
	t.Helper()
	before := beneath(t, os.Getpid())
	do()
	now := slices.DeleteFunc(beneath(t, os.Getpid()), func(pid int) bool { return slices.Contains(before, pid) })
	if len(now) != 1 {
		t.Fatalf("started %v, want one process", now)
	}
	return now[0]
}

// gone waits until a process has ended.
func gone(t testing.TB, pid int) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(text), ") Z ") {
			return
		}
		if time.Since(begin) > time.Minute {
			t.Fatalf("process %d lives", pid)
		}
	}
}

func kill(t testing.TB, pid int) {
	t.Helper()
	must(t, syscall.Kill(pid, syscall.SIGKILL))
	gone(t, pid)
}

// asked waits until a request was sent and its answer is waited for. A lock that is
// held keeps it from coming.
func asked(t testing.TB) {
	t.Helper()
	all := make([]byte, 1<<20)
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		if strings.Contains(string(all[:runtime.Stack(all, true)]), "store.(*line).answer(") {
			return
		}
		if time.Since(begin) > time.Minute {
			t.Fatal("nothing is asked")
		}
	}
}

// TestLost: what a process was asked when it was lost is an error, and never "no
// grants". Whatever is asked then starts another one, and finds all that was
// acknowledged.
func TestLost(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ambit.db")
	var s *store.Store
	pid := added(t, func() { s = open(t, path) })
	for i, ask := range []func() error{
		func() error { _, err := s.AllGrants(t.Context()); return err },
		func() error { _, err := s.Grants(t.Context(), "user:u", "pack"); return err },
		func() error { return s.AddGrant(t.Context(), allow(t, "g-x", "fs.read:/x")) },
		func() error { _, err := s.RevokeGrant(t.Context(), "g-0", noon); return err },
	} {
		must(t, s.AddGrant(t.Context(), allow(t, fmt.Sprint("g-", i), "fs.read:/a")))
		release := holdLock(t, path)
		done := make(chan error)
		go func() { done <- ask() }()
		asked(t)
		kill(t, pid)
		err := <-done
		release()
		if err == nil || !strings.Contains(err.Error(), "ambit-store has ended (signal: killed)") || !strings.Contains(err.Error(), path) {
			t.Fatalf("%d: got %v", i, err)
		}
		pid = added(t, func() {
			if got, err := s.AllGrants(t.Context()); err != nil || len(got) != i+1 || !got[0].Revoked.IsZero() {
				t.Fatalf("%d: got %+v, %v", i, got, err)
			}
		})
	}
	kill(t, pid) // while nothing is asked of it
	pid = added(t, func() {
		for range 2 { // it may not be known to this one yet
			if got, err := s.AllGrants(t.Context()); err == nil && len(got) != 4 {
				t.Fatalf("got %d grants", len(got))
			}
		}
	})
	must(t, s.Close())
	gone(t, pid)
	if _, err := s.AllGrants(t.Context()); err == nil {
		t.Error("a closed store answers")
	}
}

// TestLostFile: a file that is gone when the process is lost is not made anew.
func TestLostFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ambit.db")
	var s *store.Store
	pid := added(t, func() { s = open(t, path) })
	must(t, s.AddGrant(t.Context(), allow(t, "g-1", "fs.read:/a")), os.Remove(path))
	kill(t, pid)
	for range 3 {
		if got, err := s.Grants(t.Context(), "user:u", "pack"); err == nil {
			t.Errorf("got %v and no error", got)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file is there again: %v", err)
	}
}

// TestOneProcess: both files of a launcher are kept by one process, which ends
// with the last of them; it has nothing of this one's.
func TestOneProcess(t *testing.T) {
	t.Setenv("SOME_SECRET", "x")
	db, dir := besides(), t.TempDir()
	var s *store.Store
	var l *store.List
	pid := added(t, func() {
		var err error
		s, err = db.Open(filepath.Join(dir, "ambit.db"))
		must(t, err)
		l, err = db.OpenList(filepath.Join(dir, "sessions.db"))
		must(t, err)
	})
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if len(env) > 0 || err != nil && !errors.Is(err, os.ErrPermission) { // what is undumpable may be looked at by root alone
		t.Errorf("its environment: %q, %v", env, err)
	}
	if _, err := db.Open(filepath.Join(dir, "ambit.db")); err == nil || !strings.Contains(err.Error(), "open already") {
		t.Errorf("a second opening of one file: got %v", err)
	}
	if _, err := db.Open(filepath.Join(t.TempDir(), "ambit.db")); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("a file elsewhere: got %v", err)
	}
	must(t, s.Close())
	if _, err := l.Sessions(t.Context()); err != nil {
		t.Error(err)
	}
	s, err = db.Open(filepath.Join(dir, "ambit.db"))
	must(t, err, l.Close(), s.Close())
	gone(t, pid)
}

// TestGivenUp: whoever gives a request up is not kept waiting by a lock of
// another one, nothing of it is kept, and the next request goes as ever.
func TestGivenUp(t *testing.T) {
	path := left(t)
	s := open(t, path)
	release := holdLock(t, path)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.AddGrant(ctx, allow(t, "g-1", "fs.read:/a")) }()
	asked(t)
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	release()
	if got, err := s.AllGrants(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
	must(t, s.AddGrant(t.Context(), allow(t, "g-1", "fs.read:/a")))
	if err := s.AddGrant(ctx, allow(t, "g-2", "fs.read:/a")); !errors.Is(err, context.Canceled) {
		t.Errorf("given up before: got %v", err)
	}
}

// TestKilled has a process grant and revoke, and kills it or its ambit-store
// after each number of steps: all that it was told of is there.
func TestKilled(t *testing.T) {
	for i := range 24 {
		path := filepath.Join(t.TempDir(), "ambit.db")
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "STORE_TEST_PROCESS=grow "+path)
		out, err := cmd.StdoutPipe()
		must(t, err, cmd.Start())
		lines := bufio.NewScanner(out)
		lines.Scan() // that it has opened the store
		all := beneath(t, cmd.Process.Pid)
		if len(all) != 1 {
			t.Fatalf("it has %v", all)
		}
		var told []string
		for n := 0; n < i && lines.Scan(); n++ {
			told = append(told, lines.Text())
		}
		if i%2 == 0 {
			must(t, cmd.Process.Kill())
		} else {
			must(t, syscall.Kill(all[0], syscall.SIGKILL))
		}
		for lines.Scan() {
			if told = append(told, lines.Text()); len(told) == i+100 {
				// Its ambit-store was lost between two requests, and it has another.
				must(t, cmd.Process.Kill())
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("it ended by itself")
		}
		gone(t, all[0])
		if len(told) < i {
			t.Fatalf("it told %d steps of %d", len(told), i)
		}
		wants(t, path, told)
	}
}

// wants fails unless the store has what was told: grants, and which are revoked.
func wants(t *testing.T, path string, told []string) {
	t.Helper()
	all, err := open(t, path).AllGrants(t.Context())
	must(t, err)
	have := map[string]bool{}
	for _, g := range all {
		have["added "+g.ID] = true
		have["revoked "+g.ID] = !g.Revoked.IsZero()
	}
	for _, line := range told {
		if !have[line] {
			t.Errorf("%q was told and is not so, among %d", line, len(all))
		}
	}
}

// grow adds and revokes grants, and tells each step.
func grow(path string) error {
	s, err := openAt(path)
	if err != nil {
		return err
	}
	fmt.Println("open")
	for i := 0; ; i++ {
		c, err := capability.Parse("fs.read:/home/u")
		if err != nil {
			return err
		}
		g := grant.Grant{ID: fmt.Sprint("g-", i), Principal: "user:u", Capability: c, Outcome: grant.Allow, Created: noon}
		if err := s.AddGrant(context.Background(), g); err != nil {
			return err
		}
		fmt.Println("added " + g.ID)
		if _, err := s.RevokeGrant(context.Background(), g.ID, noon); err != nil {
			return err
		}
		fmt.Println("revoked " + g.ID)
	}
}

// TestLies: whatever a process says that is not an answer is an error.
func TestLies(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	must(t, err)
	for name := range lies {
		program := filepath.Join(dir, liar+name)
		must(t, os.Symlink(self, program))
		path := left(t, allow(t, "g-1", "fs.read:/a"))
		s, err := (&store.Database{Path: program}).Open(path)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := s.Grants(t.Context(), "user:u", "pack"); err == nil {
			t.Errorf("%s: got %v", name, got)
		}
		if got, err := s.RevokeGrant(t.Context(), "g-1", noon); err == nil {
			t.Errorf("%s: revoked %v", name, got)
		}
		_ = s.Close()
	}
	for name, make := range map[string]func(program string) error{
		"absent":         func(string) error { return nil },
		"not executable": func(program string) error { return os.WriteFile(program, []byte("x"), 0o600) },
		"ends":           func(program string) error { return os.Symlink("/bin/true", program) },
		"ends, and says": func(program string) error {
			return os.WriteFile(program, []byte("#!/bin/sh\necho 'it is \x1b[2J bad' >&2\nexit 3\n"), 0o700)
		},
	} {
		program := filepath.Join(dir, name)
		must(t, make(program))
		path := filepath.Join(t.TempDir(), "ambit.db")
		s, err := (&store.Database{Path: program}).Open(path)
		if err == nil {
			t.Errorf("%s: opened", name)
			_ = s.Close()
			continue
		}
		if !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\x1b") || name == "ends, and says" && !strings.Contains(err.Error(), "(exit status 3): it is") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// liar begins the names of programs that open everything and then say something
// else than they should.
const liar = "ambit-store-"

var lies = map[string]func(c *wire.Conn, kind byte){
	"ends":    func(c *wire.Conn, _ byte) { _ = c.Close() },
	"half":    func(c *wire.Conn, _ byte) { _ = errors.Join(row(c, "user:u"), c.Close()) },
	"long":    func(c *wire.Conn, _ byte) { _, _ = c.Write(binary.BigEndian.AppendUint32(nil, 1<<31)) },
	"unknown": func(c *wire.Conn, _ byte) { _ = c.Send(77) },
	"more":    func(c *wire.Conn, _ byte) { x := "x"; _ = c.Send(store.SayDone, &x) },
	"cut":     func(c *wire.Conn, _ byte) { x := "x"; _ = errors.Join(c.Send(store.SayRow, &x), c.Send(store.SayDone)) },
	"other":   func(c *wire.Conn, _ byte) { _ = errors.Join(row(c, "user:v"), c.Send(store.SayDone)) },
	"fault":   func(c *wire.Conn, _ byte) { n, x := 99, "x"; _ = c.Send(store.SayError, &n, &x) },
	"two": func(c *wire.Conn, kind byte) {
		if kind == store.AskRevoke {
			_ = errors.Join(row(c, "user:u"), row(c, "user:u"))
		}
		_ = c.Send(store.SayError)
	},
}

// row sends a grant of somebody.
func row(c *wire.Conn, principal string) error {
	of, err := capability.Parse("fs.read:/a")
	if err != nil {
		return err
	}
	return c.Send(store.SayRow, store.GrantFields(&grant.Grant{ID: "g-9", Principal: principal, Pack: "pack", Capability: of, Outcome: grant.Allow, Created: noon})...)
}

// lie is such a program.
func lie(name string) error {
	control, err := companion.Inherit()
	if err != nil {
		return err
	}
	for {
		one, rights := make([]byte, 1), make([]byte, syscall.CmsgSpace(4))
		_, n, _, _, err := control.ReadMsgUnix(one, rights)
		if err != nil || n == 0 {
			return err
		}
		messages, err := syscall.ParseSocketControlMessage(rights[:n])
		if err != nil {
			return err
		}
		fds, err := syscall.ParseUnixRights(&messages[0])
		if err != nil {
			return err
		}
		file := os.NewFile(uintptr(fds[0]), "line")
		conn, err := net.FileConn(file)
		if err := errors.Join(err, file.Close()); err != nil {
			return err
		}
		c := wire.NewConn(conn.(*net.UnixConn))
		if _, _, err := c.Receive(); err != nil || c.Send(store.SayDone) != nil {
			return err
		}
		for {
			kind, _, err := c.Receive()
			if err != nil {
				break
			}
			lies[name](c, kind)
		}
		_ = c.Close()
	}
}
