package enforcetest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// streams: what goes in and comes out, and what the program starts with.
func (s suite) streams(t *testing.T) {
	t.Run("10 MB in and out", func(t *testing.T) {
		data := make([]byte, 10<<20)
		_, _ = rand.Read(data) // it never fails
		p := newPlace(t)
		r := s.run(t, p.input(t, "/bin/cat"), data)
		if r.Exit != 0 || sha256.Sum256([]byte(r.out)) != sha256.Sum256(data) {
			t.Errorf("exit %d, %d bytes of %d came back", r.Exit, len(r.out), len(data))
		}
	})
	t.Run("errors apart", func(t *testing.T) {
		p := newPlace(t)
		r := s.run(t, p.input(t, "/bin/sh", "-c", "echo out; echo err >&2"), nil)
		if r.out != "out\n" || r.err != "err\n" {
			t.Errorf("got %q and %q", r.out, r.err)
		}
	})
	t.Run("arguments", func(t *testing.T) {
		p := newPlace(t)
		words := []string{"", "a b", "-x", "--", ";id", "$(id)", "\n", "'", `"`, strings.Repeat("x", 100_000)}
		if s.differs.TextOnly {
			s.mustRefuse(t, t.Context(), p, p.input(t, "/usr/bin/printf", "\xff"))
		} else {
			words = append(words, "\xff")
		}
		r := s.run(t, p.input(t, append([]string{"/usr/bin/printf", `%s\0`}, words...)...), nil)
		if want := strings.Join(words, "\x00") + "\x00"; r.out != want {
			t.Errorf("got %d bytes, want %d", len(r.out), len(want))
		}
	})
	t.Run("environment", func(t *testing.T) {
		p := newPlace(t)
		in := p.input(t, "/usr/bin/env", "-0")
		in.Program.Env = []string{mark + "=" + p.dir, "A=1", "B=", "C=x=y", "D=\n"}
		r := s.run(t, in, nil)
		got, want := strings.Split(strings.TrimSuffix(r.out, "\x00"), "\x00"), slices.Clone(in.Program.Env)
		if s.differs.OwnHome {
			want = append(want, "HOME=/root")
			slices.Sort(got)
			slices.Sort(want)
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
	t.Run("umask", func(t *testing.T) {
		old := syscall.Umask(0o027)
		defer syscall.Umask(old)
		p := newPlace(t)
		r := s.run(t, p.input(t, "/bin/sh", "-c", "umask"), nil)
		if strings.TrimLeft(strings.TrimSpace(r.out), "0") != "27" {
			t.Errorf("got %q, want 0027", r.out)
		}
	})
	t.Run("signals", func(t *testing.T) {
		p := newPlace(t)
		r := s.run(t, p.input(t, "/bin/sh", "-c", "grep -E 'Sig(Blk|Ign)' /proc/self/status"), nil)
		own := ignored(t) // whoever started this ignores them, and so may all that follow
		for line := range strings.Lines(r.out) {
			name, text, _ := strings.Cut(line, ":")
			mask, err := strconv.ParseUint(strings.TrimSpace(text), 16, 64)
			if err != nil || name == "SigBlk" && mask != 0 || name == "SigIgn" && mask&^own != 0 {
				t.Errorf("the program starts with %s, this test with %x ignored", line, own)
			}
		}
	})
	t.Run("nobody reads", func(t *testing.T) {
		p := newPlace(t)
		r := s.run(t, p.input(t, "/bin/sh", "-c", "yes | head -1"), bytes.Repeat([]byte("x"), 1<<20))
		if r.Exit != 0 || r.out != "y\n" {
			t.Errorf("exit %d %q", r.Exit, r.out)
		}
	})
}

// ignored are the signals that this process ignores, as a mask.
func ignored(t *testing.T) uint64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "SigIgn:"); ok {
			mask, err := strconv.ParseUint(strings.TrimSpace(rest), 16, 64)
			if err != nil {
				t.Fatal(err)
			}
			return mask
		}
	}
	t.Fatal("no SigIgn in /proc/self/status")
	return 0
}
