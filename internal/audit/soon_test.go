package audit_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/audit"
)

// Boots of a machine.
const (
	bootA = "00000000-0000-4000-8000-00000000000a"
	bootB = "00000000-0000-4000-8000-00000000000b"
)

// ends makes a log of bootA whose last commit, of one record, was not waited for. It
// returns its folder and where that commit begins.
func ends(t *testing.T) (dir string, end int64) {
	t.Helper()
	dir = t.TempDir()
	l := open(t, dir, audit.Options{}.WithBoot(bootA))
	for i := range 3 {
		if _, err := l.Append(t.Context(), decision(t, i)); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "00000001.log"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := l.AppendSoon(t.Context(), decision(t, 9)); err != nil || got[0].Seq != 5 {
		t.Fatalf("got %+v, %v", got, err)
	}
	return dir, info.Size()
}

func TestAppendSoon(t *testing.T) {
	var synced int
	d := countedDisk{Disk: audit.OSDisk, before: func(op string, _ int) (int, error) {
		if op == "sync" {
			synced++
		}
		return 0, nil
	}}
	dir := t.TempDir()
	opt := audit.Options{}.WithDisk(d).WithBoot(bootA)
	soon := func(opt audit.Options, want int) {
		t.Helper()
		synced = 0
		if _, err := open(t, dir, opt).AppendSoon(t.Context(), decision(t, 1)); err != nil || synced != want {
			t.Errorf("waited for the disk %d times, want %d (%v)", synced, want, err)
		}
		if res := verify(t, dir); res.Lost != 0 || res.Uncommitted != 0 {
			t.Errorf("verify: got %+v", res)
		}
	}
	open(t, dir, opt)
	soon(opt, 1) // the name of the segment has to be there
	soon(opt, 0)
	soon(opt, 1)              // the one before
	soon(opt.WithBoot(""), 2) // and itself, where boots have no id
	soon(opt, 0)              // nothing is ahead of the disk now
	l := open(t, dir, opt)
	for i, want := range []int{2, 1} {
		synced = 0
		if _, err := l.Append(t.Context(), decision(t, i)); err != nil || synced != want {
			t.Errorf("append %d: waited for the disk %d times, want %d (%v)", i, synced, want, err)
		}
	}
	if h, _, err := audit.LastHead(dir); err != nil || h.Size != 8 || h.Boot != "" || h.Synced != 0 {
		t.Errorf("got %+v, %v", h, err)
	}
}

// TestLost changes the end of a log that was not waited for: in the boot in which it was
// written that is found as any other change is, and in a later one it is what a crash may leave.
func TestLost(t *testing.T) {
	for _, tc := range []struct {
		name        string
		change      func(dir string, end int64)
		same, other string // what Verify says; other: in a later boot
		want        audit.VerifyResult
		unseen      bool // by a writer, who reads the last commit and no signature but its
	}{
		{"nothing", func(string, int64) {}, "", "", audit.VerifyResult{Records: 5}, false},
		{"cut off", func(dir string, end int64) {
			edit(t, dir, "00000001.log", func(b []byte) []byte { return b[:end] })
		}, "record 5 (00000001.log): missing: the head file covers 5 records, the segments hold 4", "", audit.VerifyResult{Records: 4, Lost: 1}, false},
		{"half of it", func(dir string, end int64) {
			edit(t, dir, "00000001.log", func(b []byte) []byte { return b[:end+100] })
		}, "cut off", "", audit.VerifyResult{Records: 4, Lost: 1, Uncommitted: 100}, false},
		{"changed", func(dir string, end int64) {
			edit(t, dir, "00000001.log", func(b []byte) []byte {
				return append(b[:end:end], bytes.Replace(b[end:], []byte("deny"), []byte("DENY"), 1)...)
			})
		}, "record 5", "", audit.VerifyResult{Records: 4, Lost: 1}, false},
		{"one more than was ahead of the disk", func(dir string, end int64) {
			edit(t, dir, "00000001.log", func(b []byte) []byte {
				at := bytes.LastIndex(b[:end-2], []byte("}\n{\"seq\":4"))
				return b[:at+2]
			})
		}, "missing", "record 4 (00000001.log): missing: the head file covers 4 records, the segments hold 3", audit.VerifyResult{}, false},
		{"a record that was on the disk", func(dir string, _ int64) {
			edit(t, dir, "00000001.log", replace(`"seq":4`, `"seq":7`))
		}, "record 4", "record 4", audit.VerifyResult{}, true},
		{"the head file", func(dir string, _ int64) {
			edit(t, dir, "head", replace(bootA, bootB))
		}, "head", "head", audit.VerifyResult{}, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir, end := ends(t)
			tc.change(dir, end)
			_, err := audit.Verify(dir, audit.VerifyOptions{}.WithBoot(bootA))
			if (err == nil) != (tc.same == "") || err != nil && !strings.Contains(err.Error(), tc.same) {
				t.Errorf("the same boot: got %v, want %q", err, tc.same)
			}
			if err != nil {
				goesOn(t, copyLog(t, dir), bootA, tc.unseen)
			}
			res, err := audit.Verify(dir, audit.VerifyOptions{}.WithBoot(bootB))
			if tc.other != "" {
				if err == nil || !strings.Contains(err.Error(), tc.other) {
					t.Errorf("a later boot: got %v, want %q", err, tc.other)
				}
				goesOn(t, dir, bootB, tc.unseen)
				return
			}
			if tc.want.Uncommitted == 0 {
				res.Uncommitted = 0
			}
			if err != nil || res.Records != tc.want.Records || res.Lost != tc.want.Lost || res.Uncommitted != tc.want.Uncommitted {
				t.Errorf("a later boot: got %+v, %v, want %+v", res, err, tc.want)
			}
			goesOn(t, dir, bootB, true)
			if res := verify(t, dir); res.Lost != 0 || res.Uncommitted != 0 {
				t.Errorf("after the next record: got %+v", res)
			}
		})
	}
}

// goesOn appends to the log in dir, or has it refuse to.
func goesOn(t *testing.T, dir, boot string, want bool) {
	t.Helper()
	l, err := audit.Open(dir, audit.Options{}.WithBoot(boot))
	if err == nil {
		_, err = l.Append(t.Context(), decision(t, 1))
		l.Close()
	}
	if (err == nil) != want || err != nil && !errors.Is(err, audit.ErrDamaged) {
		t.Errorf("boot %s: got %v, want the log to go on: %v", boot[35:], err, want)
	}
}
