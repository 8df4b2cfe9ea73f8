package microvm_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/yamux"
	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/enforcetest"
	"ambit.dev/ambit/internal/enforce/microvm"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
	"ambit.dev/ambit/internal/enforce/microvm/image"
)

// interrogated runs a session whose guest was taken over, and asks by itself: as what
// it likes, over the stream of OpAsk. It says how the session ended.
func interrogated(t *testing.T, p enforce.Asker, ask func(s *channel.Stream, c net.Conn)) error {
	t.Helper()
	img := image.Image{ID: "i", Dir: t.TempDir()}
	if err := img.Name(nil); err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	begun, asked := make(chan struct{}), make(chan struct{})
	lie := func(op channel.Op, c net.Conn, _ *yamux.Session) bool {
		switch op { //nolint:exhaustive // to the others it answers honestly
		case channel.OpAsk:
			s := channel.NewStream(c, 1<<20)
			_ = s.Send(channel.Answer{})
			<-begun
			ask(s, c)
			close(asked)
			return true
		case channel.OpGo:
			close(begun)
			select {
			case <-asked:
			case <-time.After(60 * time.Second):
			}
		}
		return false
	}
	in := input(t, "true")
	in.Base, in.Ask, in.Quiet, in.Home = enforce.Base{}, true, []string{"/etc", "/sys"}, enforce.HomeNone
	s, err := microvm.Tier{Driver: liar{lie: lie}, Image: img, Asker: p}.Start(t.Context(), plan(t, in), enforce.Stdio{In: null, Out: null, Err: null})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Release(); err != nil {
		return errors.Join(err, s.Kill())
	}
	_, err = s.Wait()
	return err
}

// TestAskingRules: a guest that breaks the rules of questions loses its machine, and
// nobody is asked. The honest one is the control.
func TestAskingRules(t *testing.T) {
	question := func(want, path string) []byte {
		text := fmt.Sprintf(`{"id":1,"want":%q,"path":%q}`, want, base64.StdEncoding.EncodeToString([]byte(path)))
		return raw('m', len(text), text)
	}
	named := func(q channel.Question) []byte {
		q.ID, q.Path = 1, []byte("/nothing/at/all")
		if q.Want == "" {
			q.Want = channel.WantRun
		}
		text, err := json.Marshal(q)
		if err != nil {
			t.Fatal(err)
		}
		return raw('m', len(text), string(text))
	}
	for name, c := range map[string]struct {
		says []byte
		good bool
	}{
		"an honest name":          {named(channel.Question{Want: channel.WantWrite, Name: []byte("a")}), true},
		"honest":                  {question("look", "/nothing/at/all"), true},
		"all that may be said":    {named(channel.Question{PID: 1 << 30, Program: make([]byte, 64), Argv: append(make([][]byte, 63), make([]byte, 4096))}), true},
		"a way up":                {question("read", "/home/../etc/shadow"), false},
		"a way up first":          {question("look", "../etc"), false},
		"a path from nowhere":     {question("read", "etc/shadow"), false},
		"no path":                 {question("read", ""), false},
		"a path that is no clean": {question("read", "/etc//shadow/."), false},
		"a zero byte":             {question("read", "/etc\x00/shadow"), false},
		"a long name":             {question("read", "/"+strings.Repeat("x", 256)), false},
		"a name of a megabyte":    {question("read", "/"+strings.Repeat("x", 1<<20)), false},
		"a long path":             {question("look", strings.Repeat("/x", 3000)), false},
		"another want":            {question("make", "/root"), false},
		"a long program":          {named(channel.Question{Program: bytes.Repeat([]byte("x"), 65)}), false},
		"many arguments":          {named(channel.Question{Argv: make([][]byte, 65)}), false},
		"long arguments":          {named(channel.Question{Argv: [][]byte{make([]byte, 4097)}}), false},
		"no process":              {named(channel.Question{PID: -1}), false},
		"a name of several":       {named(channel.Question{Want: channel.WantWrite, Name: []byte("a/b")}), false},
		"a name that leads up":    {named(channel.Question{Want: channel.WantWrite, Name: []byte("..")}), false},
		"a name to read":          {named(channel.Question{Want: channel.WantRead, Name: []byte("a")}), false},
		"over with a path":        {question("over", "/root"), false},
		"a message of 4 GiB":      {raw('m', 1<<32-1, "{"), false},
		"files":                   {node(`{"path":"x","kind":"dir"}`), false},
		"no JSON":                 {raw('m', 1, "x"), false},
		"the same twice":          {bytes.Repeat(question("read", "/root"), 2), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := &enforcetest.Person{Answer: func(ctx context.Context, _ enforce.Touch) enforce.Answer {
				<-ctx.Done()
				return enforce.Answer{}
			}}
			err := interrogated(t, p, func(s *channel.Stream, conn net.Conn) {
				_, _ = conn.Write(c.says) // the launcher may end it before
				_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
				_ = s.Receive(&channel.Told{})
			})
			if broke := err != nil && (strings.Contains(err.Error(), "the guest's questions") || strings.Contains(err.Error(), "release the program: session shutdown")); broke == c.good {
				t.Errorf("it ended with %v", err)
			}
			if put := p.Put(); len(put) > 0 && name != "the same twice" {
				t.Errorf("put %q", put)
			}
		})
	}
}

// TestAskingLearns: what a guest learns of the host's names is what every program
// learns that asks, and of what the view has of its own it learns nothing.
func TestAskingLearns(t *testing.T) {
	dir := enforcetest.Concealed(t)
	if err := errors.Join(unix.Mkfifo(dir+"/pipe", 0o644), os.Symlink("sub", dir+"/way")); err != nil {
		t.Fatal(err)
	}
	p := &enforcetest.Person{Answer: enforcetest.No}
	told := map[string]channel.Told{}
	ask := func(s *channel.Stream, want channel.Want, paths ...string) {
		for _, path := range paths {
			var a channel.Told
			if err := errors.Join(s.Send(channel.Question{ID: 1, Want: want, Path: []byte(path)}), s.Receive(&a)); err != nil {
				t.Error(path, err)
			}
			told[string(want)+" "+strings.TrimPrefix(path, dir)] = a
		}
	}
	err := interrogated(t, p, func(s *channel.Stream, _ net.Conn) {
		ask(s, channel.WantLook, dir+"/file", dir+"/sub", dir+"/link", dir+"/pipe", dir+"/way/deep", dir+"/absent", "/proc/self", "/proc/1/root", "/dev/null", "/etc/passwd", "/sys/kernel", "/tmp")
		ask(s, channel.WantRead, dir+"/pipe", dir+"/link", dir+"/way/deep", dir+"/absent", "/proc/1/environ", "/dev/null", "/etc/passwd", "/tmp")
		if put := p.Put(); len(put) > 0 {
			t.Errorf("put %q", put)
		}
		ask(s, channel.WantRead, dir+"/file")
	})
	if err != nil {
		t.Error(err)
	}
	if put := p.Put(); len(put) != 1 || put[0] != "read "+dir+"/file" {
		t.Errorf("put %q", put)
	}
	for what, want := range map[string]channel.Told{
		"look /file": {Mode: unix.S_IFREG}, "look /sub": {Mode: unix.S_IFDIR}, "look /link": {Mode: unix.S_IFLNK, Target: []byte("file")}, "look /pipe": {Mode: unix.S_IFREG},
		"read /file": {Errno: int(unix.EACCES)}, "read /pipe": {Errno: int(unix.EACCES)}, "read /link": {Errno: int(unix.EACCES)},
		"read /proc/1/environ": {Errno: int(unix.EACCES)}, "read /dev/null": {Errno: int(unix.EACCES)}, "read /etc/passwd": {Errno: int(unix.EACCES)}, "read /tmp": {Errno: int(unix.EACCES)},
	} {
		want.ID = 1
		if got := told[what]; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: told %+v, want %+v", what, got, want)
		}
		delete(told, what)
	}
	for what, got := range told { // of the others it is told that they are not there
		if got.Errno != int(unix.ENOENT) || got.Mode != 0 || len(got.Target) > 0 {
			t.Errorf("%s: told %+v", what, got)
		}
	}
}

// TestAskingFlood: a guest has so many people asked at one time and no more, each of
// its questions is answered, and one that takes no answers ends like any other.
func TestAskingFlood(t *testing.T) {
	dir := enforcetest.Concealed(t)
	const many = 3000
	var now, most atomic.Int64
	answer := make(chan struct{})
	p := &enforcetest.Person{Answer: func(ctx context.Context, _ enforce.Touch) enforce.Answer {
		if n := now.Add(1); n > most.Load() {
			most.Store(n)
		}
		defer now.Add(-1)
		select {
		case <-answer:
		case <-ctx.Done():
		}
		return enforce.Answer{}
	}}
	var once sync.Once
	late := time.AfterFunc(20*time.Second, func() { once.Do(func() { close(answer) }) }) // where nothing is refused
	defer late.Stop()
	err := interrogated(t, p, func(s *channel.Stream, _ net.Conn) {
		go func() {
			for i := range many {
				if s.Send(channel.Question{ID: uint64(i), Want: channel.WantRead, Path: []byte(dir + "/file")}) != nil {
					return
				}
			}
		}()
		seen := map[uint64]bool{}
		for len(seen) < many {
			var a channel.Told
			if err := s.Receive(&a); err != nil || seen[a.ID] || a.Errno != int(unix.EACCES) {
				t.Errorf("told %+v %v", a, err)
				return
			}
			seen[a.ID] = true
			if len(seen) > many/2 {
				once.Do(func() { close(answer) })
			}
		}
	})
	if err != nil || most.Load() == 0 || most.Load() > 256 {
		t.Errorf("%d questions at one time; %v", most.Load(), err)
	}
	err = interrogated(t, &enforcetest.Person{Answer: enforcetest.No}, func(s *channel.Stream, c net.Conn) {
		_ = c.SetWriteDeadline(time.Now().Add(2 * time.Second))
		for i := uint64(0); s.Send(channel.Question{ID: i, Want: channel.WantLook, Path: []byte(dir + "/absent")}) == nil; i++ {
		}
	})
	if err != nil {
		t.Errorf("a guest that takes no answers: %v", err)
	}
}
