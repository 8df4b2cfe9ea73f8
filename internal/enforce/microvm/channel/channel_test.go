package channel_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce/microvm/channel"
)

// written is a connection from which these bytes come.
type written struct {
	net.Conn
	r io.Reader
}

func (w written) Read(b []byte) (int, error)    { return w.r.Read(b) }
func (written) Write(b []byte) (int, error)     { return len(b), nil }
func (written) SetReadDeadline(time.Time) error { return nil }
func (written) Close() error                    { return nil }
func stream(text []byte, limit int) *channel.Stream {
	return channel.NewStream(written{r: bytes.NewReader(text)}, limit)
}

func message(kind byte, text string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(len(text))), text...)
}

// TestNodes: names that lead out, or that no file system has, end the stream.
func TestNodes(t *testing.T) {
	for _, bad := range []string{
		`{"path":"../x","kind":"file"}`, `{"path":"/etc/passwd","kind":"file"}`, `{"path":"a/../../x","kind":"dir"}`, `{"path":"a//b","kind":"dir"}`,
		`{"path":"","kind":"dir"}`, `{"path":"a/.","kind":"dir"}`, `{"path":"a\u0000b","kind":"file"}`, `{"path":"` + strings.Repeat("x", 256) + `","kind":"file"}`,
		`{"path":"` + strings.Repeat("a/", 70) + `a","kind":"dir"}`, `{"path":"a","kind":"device"}`, `{"path":"a","kind":""}`,
		`{"path":"a","kind":"file","size":-1}`, `{"path":"a","kind":"dir","size":1}`, `{"path":"a","kind":"file","same":true,"size":1}`,
		`{"path":"a","kind":"file","mode":61440}`, `{"path":"a","kind":"link"}`, `{"path":"a","kind":"file","target":"b"}`, `{"path":"a","kind":"link","target":"b\u0000"}`,
		`{"path":"a","kind":"link","target":"` + strings.Repeat("x", 5000) + `"}`, `[`, `{"path":1}`,
	} {
		s := stream(append(message('n', bad), message('e', "")...), 64<<10)
		err := s.Files(func(n channel.Node, _ io.Reader) error {
			t.Errorf("taken: %+v", n)
			return nil
		})
		if err == nil {
			t.Errorf("no error for %.60s", bad)
		}
	}
}

// TestContent: no more and no less than a file's size comes of it.
func TestContent(t *testing.T) {
	node := message('n', `{"path":"a/b","kind":"file","size":5,"mode":420}`)
	good := append(append(append(node, message('p', "he")...), message('p', "llo")...), message('e', "")...)
	var got []byte
	if err := stream(good, 1<<10).Files(func(_ channel.Node, c io.Reader) (err error) {
		got, err = io.ReadAll(c)
		return err
	}); err != nil || string(got) != "hello" {
		t.Errorf("got %q %v", got, err)
	}
	for name, rest := range map[string][]byte{
		"too much":  append(message('p', "hello!"), message('e', "")...),
		"too short": append(message('p', "he"), message('e', "")...),
		"nothing":   nil,
		"empty":     append(message('p', ""), message('e', "")...),
		"huge":      message('p', strings.Repeat("x", 2<<10)),
	} {
		err := stream(append(bytes.Clone(node), rest...), 1<<10).Files(func(_ channel.Node, c io.Reader) error {
			_, err := io.ReadAll(c)
			return err
		})
		if err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// TestAnswers: what no guest of ours says is refused.
func TestAnswers(t *testing.T) {
	for _, bad := range []string{`{"exit":256}`, `{"exit":-1}`, `{"signal":65}`, `{"errno":-2}`, `{"limit":"all"}`, `{"error":"no"}`, `x`,
		held(`{"what":"mapping"}` + strings.Repeat(`,{"what":"mapping"}`, channel.MostHeld)), held(`{}`), held(`{"what":"descriptor"}`), held(`{"what":"descriptor 3 of sshd"}`), held(`{"what":"descriptor -1"}`),
		held(`{"what":"mapping","pid":-1}`), held(`{"what":"mapping","program":"` + strings.Repeat("x", 65) + `"}`), held(`{"what":"mapping","path":"` + strings.Repeat("x", 4097) + `"}`)} {
		if _, err := stream(message('m', bad), 1<<14).Answer(time.Time{}); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	a, err := stream(message('m', `{"exit":3,"limit":"memory"}`), 1<<10).Answer(time.Time{})
	if err != nil || a.Exit != 3 || a.Limit != "memory" {
		t.Errorf("got %+v %v", a, err)
	}
	a, err = stream(message('m', held(`{"pid":2,"program":"sh","what":"descriptor 3","path":"/a"},{"of":1,"what":"working directory"}`)), 1<<10).Answer(time.Time{})
	if err != nil || len(a.Held) != 2 || a.Held[0].What != "descriptor 3" || a.Held[1].Of != 1 {
		t.Errorf("got %+v %v", a, err)
	}
	// A length without bytes costs no memory.
	if _, err := stream([]byte{'m', 0xff, 0xff, 0xff, 0xff}, 1<<10).Answer(time.Time{}); err == nil {
		t.Error("a message of 4 GiB was taken")
	}
}

// held is an answer that tells of what is held.
func held(all string) string { return `{"held":[` + all + `]}` }

// TestGreeting: a guest that answers otherwise than with the nonce is none.
func TestGreeting(t *testing.T) {
	for name, answer := range map[string]func(first []byte) []byte{
		"the same":  func(b []byte) []byte { return b },
		"another":   func(b []byte) []byte { return bytes.Repeat([]byte("x"), len(b)) },
		"one's own": func([]byte) []byte { return []byte("AMBITVM1" + strings.Repeat("\x00", channel.NonceSize)) },
		"nothing":   func([]byte) []byte { return nil },
	} {
		ours, theirs := net.Pipe()
		go func() {
			first := make([]byte, 8+channel.NonceSize)
			if _, err := io.ReadFull(theirs, first); err == nil {
				_, _ = theirs.Write(answer(first))
			}
			if name != "the same" {
				_ = theirs.Close()
			}
		}()
		s, err := channel.Open(ours, [channel.NonceSize]byte{1}, time.Now().Add(5*time.Second))
		if (err == nil) != (name == "the same") {
			t.Errorf("%s: %v", name, err)
		}
		if s != nil {
			_ = s.Close()
		}
		_, _ = ours.Close(), theirs.Close()
	}
}

// TestBothSides has a launcher and a guest of ours talk.
func TestBothSides(t *testing.T) {
	ours, theirs := net.Pipe()
	go func() {
		mux, err := channel.Accept(theirs)
		if err != nil {
			return
		}
		c, err := mux.AcceptStream()
		if err != nil {
			return
		}
		s := channel.NewStream(c, channel.LargestRequest)
		var r channel.Request
		if s.Receive(&r) == nil {
			_ = s.Send(channel.Answer{Exit: r.FD})
		}
	}()
	until := time.Now().Add(20 * time.Second)
	if err := channel.AwaitReady(ours, until); err != nil {
		t.Fatal(err)
	}
	s, err := channel.Open(ours, [channel.NonceSize]byte{7}, until)
	if err != nil {
		t.Fatal(err)
	}
	a, err := s.Ask(channel.Request{Op: channel.OpStream, FD: 42}, until)
	if err != nil || a.Exit != 42 {
		t.Errorf("got %+v %v", a, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestRefusedFiles: who cannot send files says why, which is not lost; an answer that
// says nothing is no end of them.
func TestRefusedFiles(t *testing.T) {
	for text, want := range map[string]string{`{"error":"too deep"}`: "too deep", `{}`: "breaks the rules", `{"exit":-1}`: "breaks the rules", `x`: "breaks the rules"} {
		err := stream(message('m', text), 1<<10).Files(func(channel.Node, io.Reader) error { return nil })
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

// FuzzFiles reads what a guest might send: it ends, and every name stays beneath.
func FuzzFiles(f *testing.F) {
	f.Add(append(message('n', `{"path":"a","kind":"file","size":2}`), message('p', "xx")...))
	f.Add(message('n', `{"path":"a","kind":"link","target":"/"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		_ = stream(text, 64<<10).Files(func(n channel.Node, c io.Reader) error { // any error is fine
			if n.Path == "" || n.Path[0] == '/' || strings.Contains("/"+n.Path+"/", "/../") {
				t.Errorf("taken: %q", n.Path)
			}
			k, err := io.Copy(io.Discard, c)
			if err == nil && k != n.Size {
				t.Errorf("%d bytes of %d", k, n.Size)
			}
			return err
		})
	})
}

// FuzzQuestion reads what a guest might ask: what passes is an absolute, clean path of
// names that there can be, or none.
func FuzzQuestion(f *testing.F) {
	f.Add(message('m', `{"id":1,"want":"read","path":"L2V0Yy9wYXNzd2Q="}`))
	f.Add(message('m', `{"id":1,"want":"over"}`))
	f.Add(message('m', `{"id":1,"want":"look","path":"L2EvLi4vYg=="}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		q, err := stream(text, 64<<10).Question()
		p := string(q.Path)
		switch {
		case err != nil:
		case q.Want == channel.WantOver && p == "":
		case q.Want != channel.WantLook && q.Want != channel.WantRead, !strings.HasPrefix(p, "/"), strings.ContainsRune(p, 0), len(p) >= 4096,
			strings.Contains(p+"/", "/../"), strings.Contains(p+"/", "/./"), p != "/" && strings.Contains(p+"/", "//"):
			t.Errorf("taken: %+v", q)
		}
	})
}

// FuzzStream reads what a guest might answer.
func FuzzStream(f *testing.F) {
	f.Add(message('m', `{"exit":3}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := stream(text, 64<<10).Answer(time.Time{})
		if err == nil && (a.Exit < 0 || a.Exit > 255 || a.Signal < 0 || a.Signal > 64) {
			t.Errorf("taken: %+v", a)
		}
		if err == nil && a.Error != "" {
			t.Error(errors.New("an error was taken for an answer"))
		}
	})
}

// FuzzFrames reads what a guest might send as frames: each has a size that frames
// have, and what a launcher writes is read back.
func FuzzFrames(f *testing.F) {
	f.Add(channel.AppendFrame(channel.AppendFrame(nil, []byte("one")), []byte("two")))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, text []byte) {
		r, back := channel.NewFrameReader(bytes.NewReader(text)), []byte(nil)
		for {
			frame, err := r.Next()
			if err != nil {
				break
			}
			if len(frame) == 0 || len(frame) > channel.LargestFrame {
				t.Fatalf("a frame of %d bytes", len(frame))
			}
			back = channel.AppendFrame(back, frame)
		}
		if !bytes.HasPrefix(text, back) {
			t.Errorf("%d bytes were read otherwise than they came", len(back))
		}
	})
}
