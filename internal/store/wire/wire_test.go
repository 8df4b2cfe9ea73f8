package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store/wire"
)

// part is what may be in a message more than once, or not at all.
type part struct {
	Text string
	More *part
}

func (p *part) fields() []any {
	return []any{&p.Text, wire.Maybe[part]{Of: &p.More, Fields: (*part).fields}}
}

// all is a message with every kind of field.
type all struct {
	Text       string
	Number     int
	Yes        bool
	At         time.Time
	Outcome    grant.Outcome
	Span       grant.Span
	Capability capability.Capability
	Parts      []part
	One        *part
}

func (a *all) fields() []any {
	return []any{&a.Text, &a.Number, &a.Yes, &a.At, &a.Outcome, &a.Span, &a.Capability,
		wire.List[part]{Of: &a.Parts, Fields: (*part).fields}, wire.Maybe[part]{Of: &a.One, Fields: (*part).fields}}
}

func full(t testing.TB) all {
	t.Helper()
	c, err := capability.ForPath(capability.FSRead, "/home/u/\xff\n*")
	if err != nil {
		t.Fatal(err)
	}
	return all{"a\xff\x00b", -7, true, time.Unix(-3, 5).UTC(), grant.Allow, grant.Always, c, []part{{"x", nil}, {"", &part{"y", nil}}}, &part{"z", nil}}
}

// TestFields: what is written is read as it was, and no part of it is.
func TestFields(t *testing.T) {
	for name, want := range map[string]all{"nothing": {}, "everything": full(t), "lists of nothing": {Parts: []part{}}} {
		b := wire.Append(nil, want.fields()...)
		var got all
		if err := wire.Read(b, got.fields()...); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
		for n := range b {
			if err := wire.Read(b[:n], new(all).fields()...); err == nil {
				t.Errorf("%s: %d of %d bytes were read as all", name, n, len(b))
			}
		}
		if err := wire.Read(append(b, 0), new(all).fields()...); err == nil {
			t.Errorf("%s: one byte too many was read", name)
		}
	}
}

// TestRefuse: nothing is made up for what is out of bounds.
func TestRefuse(t *testing.T) {
	var (
		o    grant.Outcome
		s    grant.Span
		yes  bool
		text string
		c    capability.Capability
		list []part
	)
	for name, tc := range map[string]struct {
		field any
		bytes []byte
	}{
		"an unknown outcome":      {&o, []byte{2}},
		"an unknown span":         {&s, []byte{4}},
		"neither yes nor no":      {&yes, []byte{2}},
		"a longer text":           {&text, []byte{5, 'a'}},
		"a length beyond bounds":  {&text, binary.AppendUvarint(nil, 1<<63)},
		"a number without an end": {&text, bytes.Repeat([]byte{0xff}, 11)},
		"no capability":           {&c, append([]byte{3}, "abc"...)},
		"a list of many":          {wire.List[part]{Of: &list, Fields: (*part).fields}, append([]byte{1}, binary.AppendUvarint(nil, 1<<40)...)},
	} {
		if err := wire.Read(tc.bytes, tc.field); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	if o != 0 || s != 0 || yes || text != "" || !c.IsZero() || list != nil {
		t.Errorf("something was kept: %v %v %v %q %v %v", o, s, yes, text, c, list)
	}
}

// conns are the two ends of a socket.
func conns(t *testing.T) (*wire.Conn, *net.UnixConn) {
	t.Helper()
	at := &net.UnixAddr{Name: filepath.Join(t.TempDir(), "s"), Net: "unix"}
	l, err := net.ListenUnix("unix", at)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	theirs, err := net.DialUnix("unix", nil, at)
	if err != nil {
		t.Fatal(err)
	}
	ours, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = errors.Join(ours.Close(), theirs.Close()) })
	return wire.NewConn(ours), theirs
}

func TestReceive(t *testing.T) {
	for name, tc := range map[string]struct {
		sent string
		want error // nil: any
	}{
		"nothing":     {"", io.EOF},
		"half a head": {"\x00\x00", io.ErrUnexpectedEOF},
		"no kind":     {"\x00\x00\x00\x00", nil},
		"too long":    {"\xff\xff\xff\xff" + strings.Repeat("x", 100), nil},
		"cut off":     {"\x00\x00\x00\x09\x01abc", io.ErrUnexpectedEOF},
	} {
		in, out := conns(t)
		if _, err := out.Write([]byte(tc.sent)); err != nil {
			t.Fatal(err)
		}
		if err := out.CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if kind, fields, err := in.Receive(); err == nil || tc.want != nil && !errors.Is(err, tc.want) {
			t.Errorf("%s: got %d %q, %v", name, kind, fields, err)
		}
	}
}

func TestSend(t *testing.T) {
	in, out := conns(t)
	want := strings.Repeat("x", 1<<20)
	sent := make(chan error)
	go func() {
		other := wire.NewConn(out)
		long := strings.Repeat("x", 17<<20)
		if err := other.Send(3, &long); err == nil {
			sent <- errors.New("a message beyond bounds was sent")
			return
		}
		sent <- other.Send(4, &want)
	}()
	kind, fields, err := in.Receive()
	var got string
	if err == nil {
		err = wire.Read(fields, &got)
	}
	if err != nil || kind != 4 || got != want {
		t.Errorf("got %d, %d bytes, %v", kind, len(got), err)
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// FuzzRead: what can be read can be written and read again.
func FuzzRead(f *testing.F) {
	whole := full(f)
	f.Add(wire.Append(nil, whole.fields()...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		var one, two all
		if wire.Read(b, one.fields()...) != nil {
			return
		}
		if err := wire.Read(wire.Append(nil, one.fields()...), two.fields()...); err != nil || !reflect.DeepEqual(one, two) {
			t.Errorf("got %+v, %v, want %+v", two, err, one)
		}
	})
}
