package microvm_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/yamux"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm"
	"ambit.dev/ambit/internal/enforce/microvm/channel"
	"ambit.dev/ambit/internal/enforce/microvm/image"
	"ambit.dev/ambit/internal/enforce/microvm/machine"
)

// liar is a driver whose machines are a guest that somebody has taken over: what it
// answers to one kind of request is lie's to say, and all else is honest.
type liar struct {
	machine.Driver
	lie func(op channel.Op, c net.Conn, mux *yamux.Session) (lied bool)
}

func (liar) Accel() machine.Accel { return machine.TCG }
func (liar) Fingerprint(context.Context, machine.Shape) (machine.Fingerprint, error) {
	return "a machine", nil
}
func (liar) Open(dir string) (machine.Template, error) {
	return machine.Template{Fingerprint: "a machine", Dir: dir}, nil
}

func (l liar) Clone(context.Context, machine.Shape, machine.Template) (machine.Machine, error) {
	ours, theirs := net.Pipe()
	m := &taken{channel: ours, ended: make(chan struct{})}
	go func() {
		defer theirs.Close()
		l.guest(theirs)
	}()
	return m, nil
}

// taken is such a machine.
type taken struct {
	machine.Machine
	channel net.Conn
	once    sync.Once
	ended   chan struct{}
}

func (m *taken) Channel() net.Conn       { return m.channel }
func (m *taken) PID() int                { return os.Getpid() }
func (m *taken) Layers() []machine.Layer { return nil }
func (m *taken) Console() []byte         { return nil }
func (m *taken) Ended() <-chan struct{}  { return m.ended }
func (m *taken) Close(time.Duration) error {
	m.once.Do(func() {
		close(m.ended)
		_ = m.channel.Close()
	})
	return nil
}

// guest is the other end of the channel.
func (l liar) guest(c net.Conn) {
	first := make([]byte, 8+channel.NonceSize)
	if _, err := io.ReadFull(c, first); err != nil {
		return
	}
	if l.lie("", c, nil) {
		return
	}
	if _, err := c.Write(first); err != nil {
		return
	}
	cfg := yamux.DefaultConfig()
	cfg.LogOutput, cfg.EnableKeepAlive = io.Discard, false
	mux, err := yamux.Server(c, cfg)
	if err != nil {
		return
	}
	for {
		s, err := mux.Accept()
		if err != nil {
			return
		}
		go l.answer(s, mux)
	}
}

// answer answers one request.
func (l liar) answer(c net.Conn, mux *yamux.Session) {
	s := channel.NewStream(c, channel.LargestRequest)
	var r channel.Request
	if s.Receive(&r) != nil {
		return
	}
	defer c.Close()
	if l.lie(r.Op, c, mux) {
		return
	}
	switch r.Op {
	case channel.OpIdentity:
		_ = s.Send(channel.Answer{Boot: strings.Repeat("b", 36)})
	case channel.OpPut:
		_ = s.Files(func(channel.Node, io.Reader) error { return nil })
		_ = s.Send(channel.Answer{})
	case channel.OpCollect:
		_ = s.Put(channel.Node{Path: ".", Kind: channel.NodeDir, Mode: 0o755}, nil)
		_ = s.Put(channel.Node{Path: "file", Kind: channel.NodeFile, Same: true}, nil)
		_ = s.EndFiles()
		_ = s.Send(channel.Answer{})
	case channel.OpStream:
		if r.FD == 0 {
			_, _ = io.Copy(io.Discard, c)
		}
	case channel.OpPrepare, channel.OpEnter, channel.OpGo, channel.OpSignal, channel.OpSize, channel.OpClock, channel.OpFrames, channel.OpAsk, channel.OpShow, channel.OpHide:
		_ = s.Send(channel.Answer{})
	}
}

// raw is a message as the channel has it, with a length of its own.
func raw(kind byte, length int, text string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(length)), text...)
}

func node(text string) []byte { return raw('n', len(text), text) }

// says answers one kind of request with these bytes, and all others honestly.
func says(op channel.Op, text ...[]byte) func(channel.Op, net.Conn, *yamux.Session) bool {
	return func(asked channel.Op, c net.Conn, _ *yamux.Session) bool {
		if asked == op {
			_, _ = c.Write(bytes.Join(text, nil))
		}
		return asked == op
	}
}

// TestLiar: whoever has the guest's end of the channel breaks its rules in every
// message. The session ends with an error, soon; nothing is written but in the
// writable grant, and nothing of what was not copied is changed. That the honest
// one passes is the control.
func TestLiar(t *testing.T) {
	end := append(raw('e', 0, ""), raw('m', 2, "{}")...)
	same := node(`{"path":".","kind":"dir","mode":493}`)
	for name, c := range map[string]struct {
		lie  func(channel.Op, net.Conn, *yamux.Session) bool
		pass bool
	}{
		"honest":                    {says("none"), true},
		"bytes that are no frames":  {says("", bytes.Repeat([]byte("x"), 4<<10)), false},
		"an answer of 4 GiB":        {says(channel.OpIdentity, raw('m', 1<<32-1, "{}")), false},
		"an answer that is none":    {says(channel.OpIdentity, raw('m', 2, "[]")), false},
		"files where none are":      {says(channel.OpPrepare, same), false},
		"a boot id that is none":    {says(channel.OpIdentity, raw('m', 15, `{"boot":"../x"}`)), false},
		"silence, then the end":     {says(channel.OpPrepare), false},
		"a status that is none":     {says(channel.OpGo, raw('m', 12, `{"exit":999}`)), false},
		"a limit that is none":      {says(channel.OpGo, raw('m', 13, `{"limit":"x"}`)), false},
		"the end of all at once":    {says(channel.OpGo), false},
		"a path that leads up":      {says(channel.OpCollect, same, node(`{"path":"../canary","kind":"file","mode":420,"size":1}`), raw('p', 1, "x"), end), false},
		"a path from the root":      {says(channel.OpCollect, same, node(`{"path":"/etc/passwd","kind":"file","mode":420}`), end), false},
		"content that was not said": {says(channel.OpCollect, same, raw('p', 4, "data"), end), false},
		"less than was said":        {says(channel.OpCollect, same, node(`{"path":"new","kind":"file","mode":420,"size":9}`), raw('p', 1, "x"), end), false},
		"more than was said":        {says(channel.OpCollect, same, node(`{"path":"new","kind":"file","mode":420,"size":1}`), raw('p', 9, "xxxxxxxxx"), end), false},
		"a piece of 4 GiB":          {says(channel.OpCollect, same, node(`{"path":"new","kind":"file","mode":420,"size":4294967295}`), raw('p', 1<<32-1, "x")), false},
		"the same file twice":       {says(channel.OpCollect, same, node(`{"path":"d","kind":"dir","mode":493}`), node(`{"path":"d","kind":"dir","mode":493}`), end), false},
		"a file through a link": {says(channel.OpCollect, same, node(`{"path":"file","kind":"file","same":true,"mode":420}`), node(`{"path":"l","kind":"link","target":".."}`),
			node(`{"path":"l/canary","kind":"file","mode":420,"size":1}`), raw('p', 1, "x"), end), true}, // passed over, and said
		"streams of its own": {func(op channel.Op, _ net.Conn, mux *yamux.Session) bool {
			for op == channel.OpPrepare {
				if s, err := mux.OpenStream(); err != nil || mux.NumStreams() > 200 {
					break
				} else if _, err := s.Write([]byte("x")); err != nil {
					break
				}
			}
			return false
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			top, work, err := lied(t, c.lie)
			if (err == nil) != c.pass && name != "a file through a link" {
				t.Errorf("it ended with %v", err)
			}
			if got, err := os.ReadFile(filepath.Join(top, "canary")); err != nil || string(got) != "host\n" {
				t.Errorf("the host's file: %q %v", got, err)
			}
			if got, err := os.ReadFile(filepath.Join(work, "file")); err != nil || string(got) != "was\n" {
				t.Errorf("the granted file: %q %v", got, err)
			}
			if all, err := os.ReadDir(top); err != nil || len(all) != 2 {
				t.Errorf("beside the grant there is %v %v", all, err)
			}
		})
	}
}

// lied runs a session with such a guest to its end.
func lied(t *testing.T, lie func(channel.Op, net.Conn, *yamux.Session) bool) (top, work string, err error) {
	t.Helper()
	top, err = filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	work = filepath.Join(top, "work")
	if err := os.Mkdir(work, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, work, "file", "was\n")
	write(t, top, "canary", "host\n")
	img := image.Image{ID: "i", Dir: t.TempDir()}
	if err := img.Name(nil); err != nil {
		t.Fatal(err)
	}
	in := input(t, "true")
	in.Base = enforce.Base{} // there is no image, and nothing of the host is copied
	in.Volumes = append(in.Volumes, enforce.Volume{Source: object(t, work), Target: work, Write: true})
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	done := make(chan error, 1)
	go func() {
		s, err := microvm.Tier{Driver: liar{lie: lie}, Image: img}.Start(t.Context(), plan(t, in), enforce.Stdio{In: null, Out: null, Err: null})
		if err == nil {
			err = s.Release()
			_, ended := s.Wait()
			err = errors.Join(err, ended)
		}
		done <- err
	}()
	select {
	case err := <-done:
		return top, work, err
	case <-time.After(90 * time.Second):
		t.Fatal("the session goes on")
		return top, work, nil
	}
}
