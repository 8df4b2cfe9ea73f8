package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ambit.dev/ambit/internal/audit"
)

// copyLog copies the log in from to a new folder.
func copyLog(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(to, "key"), 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}

// edit changes a file of a log.
func edit(t testing.TB, dir, name string, change func([]byte) []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(b), 0o600); err != nil {
		t.Fatal(err)
	}
}

// editLines changes the lines of a file of a log.
func editLines(t testing.TB, dir, name string, change func([][]byte) [][]byte) {
	t.Helper()
	edit(t, dir, name, func(b []byte) []byte { return bytes.Join(change(bytes.SplitAfter(b, []byte("\n"))), nil) })
}

func replace(old, now string) func([]byte) []byte {
	return func(b []byte) []byte { return bytes.Replace(b, []byte(old), []byte(now), 1) }
}

// TestTamper changes a log of 61 records, three a commit, in segments of about
// four commits, and has Verify name the first record that is wrong.
func TestTamper(t *testing.T) {
	opt := audit.Options{SegmentSize: 6000}
	origin := t.TempDir()
	fill(t, origin, opt, 60, 3)
	first, third := "00000001.log", "00000003.log"
	where := map[string]uint64{} // segment → its first record
	verify(t, origin)
	for _, name := range []string{first, "00000002.log", third, "00000004.log"} {
		b, err := os.ReadFile(filepath.Join(origin, name))
		if err != nil {
			t.Fatal(err)
		}
		r, err := audit.ParseRecordLine(b[:bytes.IndexByte(b, '\n')])
		if err != nil {
			t.Fatal(err)
		}
		where[name] = r.Seq
	}
	early, _, err := audit.LastHead(origin)
	if err != nil {
		t.Fatal(err)
	}
	foreign := t.TempDir()
	fill(t, foreign, opt, 60, 3)

	for _, tc := range []struct {
		name   string
		opt    audit.VerifyOptions
		change func(t *testing.T, dir string)
		seq    uint64
		file   string
		what   string
	}{
		// Lines of the first segment: records 1 to 4, head, 5 to 7, head, 8 to 10, head, …
		{"edit", audit.VerifyOptions{}, func(t *testing.T, dir string) { edit(t, dir, first, replace("file-0", "file-x")) }, 2, first, "changed"},
		{"edit inside a commit", audit.VerifyOptions{}, func(t *testing.T, dir string) { edit(t, dir, first, replace("file-4", "file-x")) }, 6, first, "changed"},
		{"edit the last of a commit", audit.VerifyOptions{}, func(t *testing.T, dir string) { edit(t, dir, first, replace("file-5", "file-x")) }, 7, first, "changed"},
		{"edit without hashes", audit.VerifyOptions{}, func(t *testing.T, dir string) {
			edit(t, dir, first, replace("file-4", "file-x"))
			os.Remove(filepath.Join(dir, "hashes"))
		}, 6, first, "changed"},
		{"edit the very last record", audit.VerifyOptions{}, func(t *testing.T, dir string) {
			for _, name := range segments(t, dir) {
				edit(t, dir, name, replace("file-59", "file-xx"))
			}
		}, 61, "", "changed"},
		{"edit so that it is no record", audit.VerifyOptions{}, func(t *testing.T, dir string) { edit(t, dir, first, replace(`"session":"s-1"`, `"Session":"s-1"`)) }, 2, first, "not a record"},
		{"edit a link", audit.VerifyOptions{}, func(t *testing.T, dir string) {
			editLines(t, dir, first, func(l [][]byte) [][]byte {
				i := bytes.LastIndex(l[6], []byte(`"prev":"`)) + 8
				l[6][i] = "01"[(l[6][i]&1)^1]
				return l
			})
		}, 6, first, "prev"},
		{"delete", audit.VerifyOptions{}, func(t *testing.T, dir string) {
			editLines(t, dir, first, func(l [][]byte) [][]byte { return append(l[:5], l[6:]...) })
		}, 5, first, "missing"},
		{"delete a commit", audit.VerifyOptions{}, func(t *testing.T, dir string) {
			editLines(t, dir, first, func(l [][]byte) [][]byte { return append(l[:5], l[9:]...) })
		}, 5, first, "missing"},
		{"delete a head", audit.VerifyOptions{}, func(t *testing.T, dir string) {
			editLines(t, dir, first, func(l [][]byte) [][]byte { return append(l[:4], l[5:]...) })
		}, 5, first, "prev"},
		{"delete the last commit", audit.VerifyOptions{}, func(t *testing.T, dir string) {
			editLines(t, dir, last(segments(t, dir)), func(l [][]byte) [][]byte { return l[:len(l)-5] })
		}, 59, "", "missing"},
		{"reorder", audit.VerifyOptions{}, func(t *testing.T, dir string) {
			editLines(t, dir, first, func(l [][]byte) [][]byte { l[5], l[6] = l[6], l[5]; return l })
		}, 5, first, "record 6 stands in its place"},
		{"insert", audit.VerifyOptions{}, func(t *testing.T, dir string) {
			editLines(t, dir, first, func(l [][]byte) [][]byte { return append(l[:6:6], l[5:]...) })
		}, 6, first, "record 5 stands in its place"},
		{"insert from another log", audit.VerifyOptions{}, func(t *testing.T, dir string) {
			editLines(t, foreign, first, func(other [][]byte) [][]byte {
				editLines(t, dir, first, func(l [][]byte) [][]byte { l[6] = bytes.Clone(other[6]); return l })
				return other
			})
		}, 6, first, "prev"},
		{"edit a head's signature", audit.VerifyOptions{}, func(t *testing.T, dir string) {
			editLines(t, dir, first, func(l [][]byte) [][]byte { flip(l[4], 12); return l })
		}, 4, first, "head"},
		{"edit a head's root", audit.VerifyOptions{}, func(t *testing.T, dir string) {
			editLines(t, dir, first, func(l [][]byte) [][]byte {
				l[4][bytes.Index(l[4], []byte(`\n4\n`))+12] ^= 1
				return l
			})
		}, 4, first, "head"},
		{"swap segments", audit.VerifyOptions{}, func(t *testing.T, dir string) {
			rename(t, dir, third, "x")
			rename(t, dir, "00000004.log", third)
			rename(t, dir, "x", "00000004.log")
		}, where[third], third, "missing"},
		{"truncate a segment", audit.VerifyOptions{}, func(t *testing.T, dir string) {
			edit(t, dir, third, func(b []byte) []byte { return b[:len(b)-2] })
		}, where["00000004.log"] - 3, third, "end"},
		{"truncate a segment behind a commit", audit.VerifyOptions{}, func(t *testing.T, dir string) {
			editLines(t, dir, third, func(l [][]byte) [][]byte { return l[:4] })
		}, where[third] + 3, "00000004.log", "missing"},
		{"empty a segment", audit.VerifyOptions{}, func(t *testing.T, dir string) {
			edit(t, dir, third, func([]byte) []byte { return nil })
		}, where[third], third, "empty"},
		{"remove a segment", audit.VerifyOptions{}, func(t *testing.T, dir string) { remove(t, dir, third) }, where[third], third, "missing"},
		{"remove the first segment", audit.VerifyOptions{}, func(t *testing.T, dir string) { remove(t, dir, first) }, 1, first, "missing"},
		{"remove the last segment", audit.VerifyOptions{}, func(t *testing.T, dir string) { remove(t, dir, last(segments(t, dir))) }, 0, "", "missing"},
		{"remove the head file", audit.VerifyOptions{}, func(t *testing.T, dir string) { remove(t, dir, "head") }, 0, "head", "no such file"},
		{"remove the public key", audit.VerifyOptions{}, func(t *testing.T, dir string) { remove(t, dir, "key.pub") }, 0, "key.pub", "no such file"},
		{"edit the head file", audit.VerifyOptions{}, func(t *testing.T, dir string) { edit(t, dir, "head", replace("\n61\n", "\n62\n")) }, 0, "head", ""},
		{"another key", audit.VerifyOptions{}, func(t *testing.T, dir string) { copyFile(t, foreign, dir, "key.pub") }, 0, "head", ""},
		{"another log", audit.VerifyOptions{Head: early.Note}, func(t *testing.T, dir string) {
			for _, name := range append(segments(t, dir), "key.pub", "head") {
				copyFile(t, foreign, dir, name)
			}
		}, 0, "key.pub", "earlier head"},
		{"another log, key pinned", audit.VerifyOptions{Key: read(t, origin, "key.pub")}, func(t *testing.T, dir string) {
			for _, name := range append(segments(t, dir), "key.pub", "head") {
				copyFile(t, foreign, dir, name)
			}
		}, 0, "key.pub", "pinned"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := copyLog(t, origin)
			tc.change(t, dir)
			_, err := audit.Verify(dir, tc.opt)
			fault, ok := errors.AsType[*audit.Fault](err)
			if !ok {
				t.Fatalf("got %v, want a fault", err)
			}
			if tc.seq != 0 && fault.Seq != tc.seq || tc.file != "" && fault.File != tc.file || !strings.Contains(fault.What, tc.what) {
				t.Errorf("got %v, want record %d in %q: %q", fault, tc.seq, tc.file, tc.what)
			}
		})
	}
}

// TestRewritten has the holder of the key write another history: what was kept
// elsewhere tells.
func TestRewritten(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, audit.Options{}, 10, 3)
	early, _, err := audit.LastHead(dir)
	if err != nil {
		t.Fatal(err)
	}
	rolled := copyLog(t, dir)
	fill(t, dir, audit.Options{}, 10, 3)
	opt := audit.VerifyOptions{Head: early.Note}
	if _, err := audit.Verify(dir, opt); err != nil {
		t.Errorf("a log that grew: %v", err)
	}
	later, _, err := audit.LastHead(dir)
	if err != nil {
		t.Fatal(err)
	}
	var fault *audit.Fault
	if _, err := audit.Verify(rolled, audit.VerifyOptions{Head: later.Note}); !errors.As(err, &fault) || fault.Seq != 12 {
		t.Errorf("rolled back: got %v", err)
	}
	// The same key, another history of the same length.
	for _, name := range segments(t, dir) {
		remove(t, dir, name)
	}
	remove(t, dir, "hashes")
	remove(t, dir, "head")
	l := open(t, dir, audit.Options{})
	for i := range 20 {
		if _, err := l.Append(t.Context(), decision(t, 100+i)); err != nil {
			t.Fatal(err)
		}
	}
	verify(t, dir)
	if _, err := audit.Verify(dir, opt); !errors.As(err, &fault) || fault.Seq != early.Size {
		t.Errorf("rewritten: got %v", err)
	}
}

// TestPropertyAnyByte changes one byte of a segment or of the head file.
func TestPropertyAnyByte(t *testing.T) {
	for _, per := range []int{1, 4} {
		origin := t.TempDir()
		fill(t, origin, audit.Options{SegmentSize: 3000}, 12, per)
		dir := copyLog(t, origin)
		names := append(segments(t, origin), "head", "key.pub")
		rapid.Check(t, func(t *rapid.T) {
			name := rapid.SampledFrom(names).Draw(t, "file")
			path := filepath.Join(dir, name)
			good, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			bad := bytes.Clone(good)
			bad[rapid.IntRange(0, len(bad)-1).Draw(t, "at")] ^= rapid.ByteRange(1, 255).Draw(t, "flip")
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err = audit.Verify(dir, audit.VerifyOptions{})
			if _, ok := errors.AsType[*audit.Fault](err); !ok {
				t.Errorf("got %v, want a fault", err)
			}
			if err := os.WriteFile(path, good, 0o600); err != nil {
				t.Fatal(err)
			}
		})
		verify(t, dir)
	}
}

// TestDamaged has the log refuse to go on over what no crash leaves.
func TestDamaged(t *testing.T) {
	origin := t.TempDir()
	fill(t, origin, audit.Options{SegmentSize: 3000}, 20, 2)
	for _, tc := range []struct {
		name   string
		change func(dir string)
	}{
		{"last record edited", func(dir string) { edit(t, dir, last(segments(t, dir)), replace("file-19", "file-xx")) }},
		{"last head edited", func(dir string) {
			edit(t, dir, last(segments(t, dir)), func(b []byte) []byte { b[len(b)-9] ^= 1; return b })
		}},
		{"last commit removed", func(dir string) {
			editLines(t, dir, last(segments(t, dir)), func(l [][]byte) [][]byte { return l[:len(l)-4] })
		}},
		{"last segment removed", func(dir string) { remove(t, dir, last(segments(t, dir))) }},
		{"segment removed", func(dir string) { remove(t, dir, "00000002.log") }},
		{"all segments removed", func(dir string) {
			for _, name := range segments(t, dir) {
				remove(t, dir, name)
			}
		}},
		{"head file removed", func(dir string) { remove(t, dir, "head") }},
		{"head file edited", func(dir string) { edit(t, dir, "head", func(b []byte) []byte { b[0] = ' '; return b[1:] }) }},
		{"two commits of the last segment edited", func(dir string) {
			remove(t, dir, "hashes")
			edit(t, dir, last(segments(t, dir)), func(b []byte) []byte { b[20] ^= 1; return b })
		}},
		{"key removed", func(dir string) { remove(t, dir, "key") }},
		{"key readable by others", func(dir string) { chmod(t, filepath.Join(dir, "key"), 0o644) }},
		{"another key", func(dir string) {
			other := t.TempDir()
			fill(t, other, audit.Options{}, 1, 1)
			copyFile(t, other, dir, "key")
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := copyLog(t, origin)
			tc.change(dir)
			l, err := audit.Open(dir, audit.Options{SegmentSize: 3000})
			if err == nil {
				_, err = l.Append(t.Context(), decision(t, 1))
				l.Close()
			}
			if err == nil {
				t.Error("the log went on")
			}
		})
	}
}

// TestTorn has the log go on over what a crash leaves, and tell of it.
func TestTorn(t *testing.T) {
	for _, tail := range []string{"{", `{"seq":99}` + "\n", strings.Repeat("\x00", 5000), "\n\n"} {
		dir := t.TempDir()
		fill(t, dir, audit.Options{}, 3, 1)
		edit(t, dir, "00000001.log", func(b []byte) []byte { return append(b, tail...) })
		if res := verify(t, dir); res.Records != 4 || res.Uncommitted != int64(len(tail)) {
			t.Errorf("%.10q: got %+v", tail, res)
		}
		if h, _, err := audit.LastHead(dir); err != nil || h.Size != 4 {
			t.Errorf("%.10q: got head %+v, %v", tail, h, err)
		}
		fill(t, dir, audit.Options{}, 1, 1)
		if res := verify(t, dir); res.Records != 6 || res.Uncommitted != 0 {
			t.Errorf("%.10q: got %+v", tail, res)
		}
		r, err := audit.At(dir, 5)
		if err != nil || r.Kind != audit.LogRepair {
			t.Fatalf("%.10q: got %+v, %v", tail, r, err)
		}
		if b, err := r.Decode(); err != nil || b.(*audit.RepairBody).Bytes != int64(len(tail)) {
			t.Errorf("%.10q: got %+v, %v", tail, b, err)
		}
	}
}

// TestHashesLost has the file of hashes damaged in any way: it is a cache.
func TestHashesLost(t *testing.T) {
	origin := t.TempDir()
	fill(t, origin, audit.Options{SegmentSize: 3000}, 33, 2)
	for name, change := range map[string]func([]byte) []byte{
		"empty":      func([]byte) []byte { return nil },
		"short":      func(b []byte) []byte { return b[:len(b)-40] },
		"half":       func(b []byte) []byte { return b[:len(b)/2] },
		"zeros":      func(b []byte) []byte { return make([]byte, len(b)) },
		"zeros last": func(b []byte) []byte { return append(b[:len(b)-64], make([]byte, 64)...) },
		"too long":   func(b []byte) []byte { return append(b, make([]byte, 99)...) },
	} {
		dir := copyLog(t, origin)
		edit(t, dir, "hashes", change)
		if _, err := audit.Prove(dir, "7"); err != nil {
			t.Errorf("%s: prove: %v", name, err)
		}
		fill(t, dir, audit.Options{SegmentSize: 3000}, 2, 1)
		if res := verify(t, dir); res.Records != 36 {
			t.Errorf("%s: got %+v", name, res)
		}
		if p, err := audit.Prove(dir, "35"); err != nil {
			t.Errorf("%s: prove: %v %v", name, err, p)
		}
	}
}

func segments(t testing.TB, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "0*.log"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("segments of %q: %q, %v", dir, paths, err)
	}
	for i := range paths {
		paths[i] = filepath.Base(paths[i])
	}
	return paths
}

func chmod(t testing.TB, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func last(names []string) string { return names[len(names)-1] }

func flip(line []byte, fromEnd int) { line[len(line)-fromEnd] ^= 1 }

func read(t testing.TB, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func remove(t testing.TB, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func rename(t testing.TB, dir, from, to string) {
	t.Helper()
	if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t testing.TB, from, to, name string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(to, name), []byte(read(t, from, name)), 0o600); err != nil {
		t.Fatal(fmt.Errorf("copy %s: %w", name, err))
	}
}
