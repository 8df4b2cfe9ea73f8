package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"path"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/gvisor/wire"
)

// Only what a kernel of ours asks is a question: of a bounded size, about one name beneath
// an absolute, clean path.
func TestQuestion(t *testing.T) {
	for name, c := range map[string]struct {
		q  wire.Question
		ok bool
	}{
		"a name":       {wire.Question{Want: wire.WantWrite, Dir: []byte("/a/b"), Name: []byte("c")}, true},
		"no text":      {wire.Question{Want: wire.WantWrite, Dir: []byte("/a\xff"), Name: []byte("\xfe\n")}, true},
		"an object":    {wire.Question{Want: wire.WantRun, Dir: []byte("/")}, true},
		"over":         {wire.Question{Want: wire.WantOver}, true},
		"nothing":      {wire.Question{}, false},
		"to be read":   {wire.Question{Want: wire.WantRead, Dir: []byte("/a"), List: true}, true},
		"another want": {wire.Question{Want: "see", Dir: []byte("/a")}, false},
		"relative":     {wire.Question{Want: wire.WantWrite, Dir: []byte("a")}, false},
		"a way up":     {wire.Question{Want: wire.WantWrite, Dir: []byte("/a/../b")}, false},
		"a slash":      {wire.Question{Want: wire.WantWrite, Dir: []byte("/a"), Name: []byte("b/c")}, false},
		"up":           {wire.Question{Want: wire.WantWrite, Dir: []byte("/a"), Name: []byte("..")}, false},
		"a zero":       {wire.Question{Want: wire.WantWrite, Dir: []byte("/a"), Name: []byte("b\x00")}, false},
		"a zero above": {wire.Question{Want: wire.WantWrite, Dir: []byte("/a\x00b")}, false},
		"no entry":     {wire.Question{Want: wire.WantWrite, Dir: []byte("/a"), Entry: true}, false},
		"a long name":  {wire.Question{Want: wire.WantWrite, Dir: []byte("/a"), Name: bytes.Repeat([]byte("n"), 256)}, false},
		"a long path":  {wire.Question{Want: wire.WantWrite, Dir: []byte("/" + strings.Repeat("n", 4096))}, false},
		"a long argv":  {wire.Question{Want: wire.WantWrite, Dir: []byte("/a"), Argv: make([]byte, 5000)}, false},
		"no process":   {wire.Question{Want: wire.WantWrite, Dir: []byte("/a"), PID: -1}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.q.Check(); (err == nil) != c.ok {
				t.Errorf("got %v", err)
			}
		})
	}
	if got := (wire.Question{Argv: []byte("sh\x00-c\x00cut o")}).Arguments(); !slices.Equal(got, []string{"sh", "-c", "cut o"}) {
		t.Errorf("arguments %q", got)
	}
}

// FuzzQuestion: whatever comes over the line is a question within its bounds, or an error.
func FuzzQuestion(f *testing.F) {
	f.Add([]byte(`{"ID":1,"Want":"write","Dir":"L2E=","Name":"Yg=="}`))
	f.Add([]byte(`{"ID":1,"Want":"over"}`))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, packet []byte) {
		interrupted := false
		var q wire.Question
		err := wire.Asked(func(b []byte) (int, error) {
			if !interrupted {
				interrupted = true
				return 0, unix.EINTR
			}
			return copy(b, packet), nil
		}, &q)
		switch {
		case len(packet) == 0 && !errors.Is(err, wire.ErrGone), len(packet) > 32<<10 && !errors.Is(err, wire.ErrLong), err == nil && !json.Valid(packet):
			t.Errorf("got %v", err)
		case err != nil || q.Check() != nil || q.Want == wire.WantOver:
			return
		}
		p := path.Join(string(q.Dir), string(q.Name))
		if !path.IsAbs(p) || len(p) > wire.LongestPath+wire.LongestName || strings.ContainsRune(p, 0) || path.Clean(p) != p {
			t.Errorf("got %q", p)
		}
		if again, err := wire.Ask(q); err != nil || len(again) == 0 {
			t.Errorf("cannot be said: %v", err)
		}
	})
}
