package store_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store"
)

// left makes a store with grants, has it read, and returns its path.
func left(t testing.TB, all ...grant.Grant) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ambit.db")
	s, err := openAt(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range all {
		must(t, s.AddGrant(t.Context(), g))
	}
	must(t, s.Close())
	leave(t, path)
	return path
}

// leave reads the store as a launch does that finds no copy.
func leave(t testing.TB, path string) {
	t.Helper()
	s, err := openAt(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Grants(t.Context(), "user:u", "pack"); err != nil {
		t.Fatal(err)
	}
	must(t, s.Close())
}

// TestStanding holds what is read without the store to what the store says, for
// everybody whose grants are in it.
func TestStanding(t *testing.T) {
	all := []grant.Grant{allow(t, "g-3", "fs.read:/a"), allow(t, "g-1", "fs.read:/b"), allow(t, "g-2", "fs.write:/a"), allow(t, "g-4", "fs.read:/\xff\n"), allow(t, "g-5", "fs.read:/c")}
	all[0].Created = time.Time{}
	all[1].Outcome, all[1].Lifespan = grant.Deny, grant.Lifespan{Span: grant.Until, Until: noon.Add(time.Hour)}
	all[2].Pack, all[2].Reason = "", `<"&`+"\u2028\x00"
	all[3].Principal = "user:v"
	path := left(t, all...)
	s := open(t, path)
	if _, err := s.RevokeGrant(t.Context(), "g-5", noon); err != nil {
		t.Fatal(err)
	}
	must(t, s.Close())
	leave(t, path)
	for _, who := range [][2]string{{"user:u", "pack"}, {"user:u", ""}, {"user:v", "pack"}, {"user:w", "pack"}, {"user:u", "pac"}} {
		got, ok := store.Standing(path, store.Fingerprint(path), who[0], who[1])
		s := open(t, path)
		want, err := s.Grants(t.Context(), who[0], who[1])
		if !ok || err != nil || len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
			t.Errorf("%v: got %+v, %v, want %+v, %v", who, got, ok, want, err)
		}
		must(t, s.Close())
	}
	info, err := os.Stat(path + ".standing")
	if others, _ := filepath.Glob(path + ".standing.*"); err != nil || info.Mode().Perm() != 0o600 || len(others) > 0 {
		t.Errorf("got %+v, %v, and left over %q", info, err, others)
	}
}

// TestStandingStale has a grant revoked, and the store changed in other ways,
// behind a copy that still holds the grant. None may be answered from the copy.
func TestStandingStale(t *testing.T) {
	revoke := func(t *testing.T, path string) {
		s := open(t, path)
		if _, err := s.RevokeGrant(t.Context(), "g-1", noon); err != nil {
			t.Fatal(err)
		}
		must(t, s.Close())
	}
	for name, change := range map[string]func(t *testing.T, path string){
		"revoked": revoke,
		"revoked, store still open": func(t *testing.T, path string) {
			s := open(t, path)
			if _, err := s.RevokeGrant(t.Context(), "g-1", noon); err != nil {
				t.Fatal(err)
			}
		},
		"revoked, times set back": func(t *testing.T, path string) {
			info, err := os.Stat(path)
			must(t, err)
			revoke(t, path)
			must(t, os.Chtimes(path, info.ModTime(), info.ModTime()))
		},
		"revoked, and the old copy put back": func(t *testing.T, path string) {
			old, err := os.ReadFile(path + ".standing")
			must(t, err)
			revoke(t, path)
			leave(t, path)
			must(t, os.WriteFile(path+".standing", old, 0o600))
		},
		"revoked by another program": func(t *testing.T, path string) { raw(t, path, "UPDATE grants SET revoked = 1") },
		"revoked through a write-ahead log": func(t *testing.T, path string) {
			raw(t, path, "PRAGMA journal_mode=wal", "UPDATE grants SET revoked = 1")
		},
		"removed": func(t *testing.T, path string) { must(t, os.Remove(path)) },
		"another store in its place": func(t *testing.T, path string) {
			other := left(t)
			must(t, os.Rename(other, path))
		},
		"overwritten in place, same counter, same size, times set back": func(t *testing.T, path string) {
			info, err := os.Stat(path)
			must(t, err)
			text, err := os.ReadFile(path)
			must(t, err)
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			must(t, err)
			_, err = f.WriteAt([]byte(strings.ReplaceAll(string(text), "allow", "deny!")), 0)
			must(t, err, f.Close(), os.Chtimes(path, info.ModTime(), info.ModTime()))
		},
		"a copy of the same": func(t *testing.T, path string) {
			text, err := os.ReadFile(path)
			must(t, err, os.Remove(path), os.WriteFile(path, text, 0o600))
		},
		"a change goes on":     func(t *testing.T, path string) { write(t, path+"-journal", "x") },
		"an unread log":        func(t *testing.T, path string) { write(t, path+"-wal", "x") },
		"others may write it":  func(t *testing.T, path string) { must(t, os.Chmod(path, 0o622)) },
		"a newer version":      func(t *testing.T, path string) { raw(t, path, "PRAGMA user_version=2") },
		"cut off":              func(t *testing.T, path string) { truncate(t, path, 4096+1) },
		"a folder in its way":  func(t *testing.T, path string) { must(t, os.Remove(path), os.Mkdir(path, 0o700)) },
		"another in the index": func(t *testing.T, path string) { raw(t, path, "REINDEX") },
	} {
		t.Run(name, func(t *testing.T) {
			path := left(t, allow(t, "g-1", "fs.read:/home/u"))
			if got, ok := store.Standing(path, store.Fingerprint(path), "user:u", "pack"); !ok || len(got) != 1 {
				t.Fatalf("before: got %v, %v: this test proves nothing", got, ok)
			}
			change(t, path)
			if got, ok := store.Standing(path, store.Fingerprint(path), "user:u", "pack"); ok {
				t.Errorf("the copy was believed: %+v", got)
			}
		})
	}
}

// TestStandingForged puts something else in place of the copy.
func TestStandingForged(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, path string, text []byte){
		"others may write it": func(t *testing.T, path string, _ []byte) { must(t, os.Chmod(path, 0o620)) },
		"a link": func(t *testing.T, path string, _ []byte) {
			must(t, os.Rename(path, path+".1"), os.Symlink(path+".1", path))
		},
		"a folder": func(t *testing.T, path string, _ []byte) { must(t, os.Remove(path), os.Mkdir(path, 0o700)) },
		"of another store": func(t *testing.T, path string, _ []byte) {
			must(t, os.Rename(left(t, allow(t, "g-1", "fs.read:/"+"etc"))+".standing", path))
		},
		"one letter": func(t *testing.T, path string, text []byte) {
			write(t, path, strings.Replace(string(text), "/home/u", "/home/v", 1))
		},
		"cut off": func(t *testing.T, path string, text []byte) { truncate(t, path, int64(len(text)/2)) },
		"empty":   func(t *testing.T, path string, _ []byte) { truncate(t, path, 0) },
		"no digest": func(t *testing.T, path string, text []byte) {
			write(t, path, string(text[strings.Index(string(text), "\n"):]))
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := left(t, allow(t, "g-1", "fs.read:/home/u"))
			text, err := os.ReadFile(path + ".standing")
			must(t, err)
			change(t, path+".standing", text)
			if got, ok := store.Standing(path, store.Fingerprint(path), "user:u", "pack"); ok {
				t.Errorf("it was believed: %+v", got)
			}
			if name != "a folder" {
				leave(t, path)
				if got, ok := store.Standing(path, store.Fingerprint(path), "user:u", "pack"); !ok || len(got) != 1 {
					t.Errorf("not mended: got %+v, %v", got, ok)
				}
			}
		})
	}
}

// Another user's file is not read even where a folder lets others make one.
func TestStandingOfAnother(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("requires: root, to give a file to another user")
	}
	path := left(t, allow(t, "g-1", "fs.read:/home/u"))
	must(t, os.Chown(path+".standing", 65534, 65534))
	if got, ok := store.Standing(path, store.Fingerprint(path), "user:u", "pack"); ok {
		t.Errorf("it was believed: %+v", got)
	}
}

// TestStandingMixed changes the store between its opening and its closing: what
// was read is of neither state, and is not left.
func TestStandingMixed(t *testing.T) {
	path := left(t, allow(t, "g-1", "fs.read:/home/u"))
	must(t, os.Remove(path+".standing"))
	s := open(t, path)
	if _, err := s.Grants(t.Context(), "user:u", "pack"); err != nil {
		t.Fatal(err)
	}
	raw(t, path, "UPDATE grants SET revoked = 1")
	must(t, s.Close())
	if _, err := os.Stat(path + ".standing"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was left: %v", err)
	}
}

// What JSON would change, and what cannot be read, is not left. The grants of
// others do not stand in the way of one's own.
func TestStandingNotLeft(t *testing.T) {
	odd := allow(t, "g-1", "fs.read:/home/u")
	odd.Reason = "\xff"
	path := left(t, odd)
	if got, ok := store.Standing(path, store.Fingerprint(path), "user:u", "pack"); ok {
		t.Errorf("bytes: got %+v", got)
	}
	other := allow(t, "g-2", "fs.read:/home/u")
	other.Pack = "other"
	path = left(t, allow(t, "g-1", "fs.read:/home/u"), other)
	raw(t, path, "PRAGMA ignore_check_constraints=1", "UPDATE grants SET outcome = 'maybe' WHERE id = 'g-2'")
	leave(t, path)
	if got, ok := store.Standing(path, store.Fingerprint(path), "user:u", "pack"); ok {
		t.Errorf("beside an unreadable one: got %+v", got)
	}
	if _, err := open(t, path).Grants(t.Context(), "user:u", "other"); err == nil {
		t.Error("the unreadable one was read")
	}
}

// TestStandingCounter holds SQLite to what the fingerprint rests on: each change
// counts one up at this place of the header.
func TestStandingCounter(t *testing.T) {
	path := left(t)
	counter := func() uint32 {
		text, err := os.ReadFile(path)
		must(t, err)
		return binary.BigEndian.Uint32(text[24:])
	}
	last := counter()
	s := open(t, path)
	for i := range 5 {
		must(t, s.AddGrant(t.Context(), allow(t, fmt.Sprintf("g-%d", i), "fs.read:/home/u")))
		if now := counter(); now != last+1 {
			t.Errorf("after change %d the counter went from %d to %d", i, last, now)
		}
		last = counter()
	}
}

// TestHammerStanding has one process grant and revoke while others start again
// and again: none that starts after a revocation has returned sees the grant.
func TestHammerStanding(t *testing.T) {
	path := left(t)
	var wg sync.WaitGroup
	stop := path + ".stop"
	for range 3 {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "STORE_TEST_PROCESS=launch "+path)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
	s := open(t, path)
	for i := range 60 {
		if i == 30 { // each of the two ways is gone by somebody, however slow this machine is
			for _, way := range []string{".by-store", ".by-copy"} {
				awaited(t, path+way)
			}
		}
		id := fmt.Sprintf("g-%d", i)
		must(t, s.AddGrant(t.Context(), allow(t, id, "fs.read:/home/u")))
		time.Sleep(3 * time.Millisecond)
		if _, err := s.RevokeGrant(t.Context(), id, noon); err != nil {
			t.Error(err)
		}
		write(t, path+".floor.new", strconv.Itoa(i))
		must(t, os.Rename(path+".floor.new", path+".floor"))
		time.Sleep(3 * time.Millisecond)
	}
	write(t, stop, "")
	wg.Wait()
}

// awaited waits until there is a file.
func awaited(t *testing.T, path string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no %s", path)
		}
	}
}

// launches reads the grants as launches do, until it is told to stop.
func launches(path string) error {
	for {
		if _, err := os.Stat(path + ".stop"); err == nil {
			return nil
		}
		floor := -1
		if text, err := os.ReadFile(path + ".floor"); err == nil {
			if floor, err = strconv.Atoi(string(text)); err != nil {
				return err
			}
		}
		all, way, err := launchOnce(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(path+way, nil, 0o600); err != nil {
			return err
		}
		for _, g := range all {
			if n, err := strconv.Atoi(strings.TrimPrefix(g.ID, "g-")); err != nil || n <= floor {
				return fmt.Errorf("%s stands (%s), and was revoked: %d were", g.ID, way, floor)
			}
		}
	}
}

func launchOnce(path string) (all []grant.Grant, way string, err error) {
	if all, ok := store.Standing(path, store.Fingerprint(path), "user:u", "pack"); ok {
		return all, ".by-copy", nil
	}
	s, err := openAt(path)
	if err != nil {
		return nil, "", err
	}
	all, err = s.Grants(context.Background(), "user:u", "pack")
	return all, ".by-store", errors.Join(err, s.Close())
}

// BenchmarkStanding is what most runs pay, beside BenchmarkOpenGrants.
func BenchmarkStanding(b *testing.B) {
	var all []grant.Grant
	for i := range 50 {
		all = append(all, allow(b, fmt.Sprintf("g-%d", i), fmt.Sprintf("fs.read:/home/u/%d", i)))
	}
	path := left(b, all...)
	for b.Loop() {
		if got, ok := store.Standing(path, store.Fingerprint(path), "user:u", "pack"); !ok || len(got) != 50 {
			b.Fatal(len(got), ok)
		}
	}
}
