package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/store"
	"ambit.dev/ambit/internal/store/database"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 123, time.UTC)

// openAt opens a store by a process of its own, as another launcher would.
func openAt(path string) (*store.Store, error) { return besides().Open(path) }

func openListAt(path string) (*store.List, error) { return besides().OpenList(path) }

// besideVariable names this program, by the name of ambit-store.
const besideVariable = "STORE_TEST_BESIDE"

// besides returns what starts it.
func besides() *store.Database { return &store.Database{Path: os.Getenv(besideVariable)} }

func open(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := openAt(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func allow(t testing.TB, id, text string) grant.Grant {
	t.Helper()
	c, err := capability.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return grant.Grant{
		ID: id, Principal: "user:u", Pack: "pack", Digest: "sha256:00", Capability: c, Outcome: grant.Allow,
		Lifespan: grant.Lifespan{Span: grant.Always}, Origin: "command line", Reason: "tests", Created: noon,
	}
}

func TestGrants(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b%3f?#", "ambit.db")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	odd, err := capability.ForPath(capability.FSRead, "/home/u/\xff\n*")
	if err != nil {
		t.Fatal(err)
	}
	want := []grant.Grant{allow(t, "g-1", "fs.read:/home/u"), allow(t, "g-2", "net.connect:example.org:443"), allow(t, "g-3", "fs.read:/x")}
	want[1].Outcome = grant.Deny
	want[1].Lifespan = grant.Lifespan{Span: grant.Until, Until: noon.Add(time.Hour)}
	want[2].Capability, want[2].Lifespan = odd, grant.Lifespan{Span: grant.Session, Session: "s-1"}
	other := allow(t, "g-4", "fs.read:/home/u")
	other.Pack = ""
	for _, g := range append(want, other) {
		if err := s.AddGrant(t.Context(), g); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // as written, and as read by another
		got, err := s.Grants(t.Context(), "user:u", "pack")
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("got %+v, %v, want %+v", got, err, want)
		}
		s = open(t, path)
	}
	if err := s.AddGrant(t.Context(), want[0]); !errors.Is(err, store.ErrExists) {
		t.Errorf("second g-1: got %v", err)
	}
	if err := s.AddGrant(t.Context(), grant.Grant{ID: "g-9"}); err == nil {
		t.Error("a grant without a capability was added")
	}
	revoked, err := s.RevokeGrant(t.Context(), "g-1", noon)
	if err != nil || !revoked.Revoked.Equal(noon) {
		t.Errorf("revoke: got %+v, %v", revoked, err)
	}
	if _, err := s.RevokeGrant(t.Context(), "g-1", noon); !errors.Is(err, store.ErrRevoked) {
		t.Errorf("revoke again: got %v", err)
	}
	if _, err := s.RevokeGrant(t.Context(), "g-none", noon); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revoke unknown: got %v", err)
	}
	if got, err := s.Grants(t.Context(), "user:u", "pack"); err != nil || len(got) != 2 {
		t.Errorf("after revoke: got %v, %v", got, err)
	}
	if got, err := s.AllGrants(t.Context()); err != nil || len(got) != 4 {
		t.Errorf("all: got %d, %v", len(got), err)
	}
	left, _ := filepath.Glob(path + ".new*")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 || len(left) > 0 {
		t.Errorf("got mode %v, %v, left over %q", info.Mode(), err, left)
	}
}

// holdLock has the file locked for readers too, as amid a change of another
// process, until the function that it returns is called.
func holdLock(t testing.TB, path string) (release func()) {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_txlock=exclusive")
	if err != nil {
		t.Fatal(err)
	}
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return func() { must(t, tx.Rollback(), db.Close()) }
}

// raw runs SQL on the file behind the back of the store.
func raw(t testing.TB, path string, queries ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range queries {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestRefuse(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(t *testing.T, path string)
		want  string
	}{
		{"empty", func(t *testing.T, path string) { truncate(t, path, 0) }, "empty or cut off"},
		{"a few bytes", func(t *testing.T, path string) { truncate(t, path, 50) }, "empty or cut off"},
		{"a header", func(t *testing.T, path string) { truncate(t, path, 100) }, "cut off"},
		{"a page", func(t *testing.T, path string) { truncate(t, path, 4096) }, "malformed"},
		{"half", func(t *testing.T, path string) { truncate(t, path, 3*4096+100) }, "cut off"},
		{"text", func(t *testing.T, path string) { write(t, path, strings.Repeat("hello\n", 100)) }, "not written by ambit"},
		{"another database", func(t *testing.T, path string) { raw(t, path, "PRAGMA application_id=7") }, "not written by ambit"},
		{"newer", func(t *testing.T, path string) { raw(t, path, "PRAGMA user_version=2") }, "version 2"},
		{"folder", func(t *testing.T, path string) { must(t, os.Remove(path), os.Mkdir(path, 0o700)) }, "not a file"},
		{"written by others", func(t *testing.T, path string) { must(t, os.Chmod(path, 0o622)) }, "others may write it"},
		{"no tables", func(t *testing.T, path string) { raw(t, path, "DROP TABLE grants") }, "no such table"},
		{"unknown outcome", spoil("outcome", "'maybe'"), `"maybe"`},
		{"unknown span", spoil("span", "'often'"), `"often"`},
		{"bad capability", spoil("capability", "'fs.read:/'"), "g-1"},
		{"unknown capability", spoil("capability", "'fs.everything'"), "g-1"},
		{"other spelling", spoil("capability", "'FsRead(/home/u)'"), "g-1"},
		{"span without its time", spoil("span", "'until'"), "g-1"},
		{"no id", spoil("id", "''"), "needs an id"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "ambit.db")
			s := open(t, path)
			if err := s.AddGrant(t.Context(), allow(t, "g-1", "fs.read:/home/u")); err != nil {
				t.Fatal(err)
			}
			s.Close()
			tc.spoil(t, path)
			s, err := openAt(path)
			if err == nil {
				var got []grant.Grant
				if got, err = s.Grants(t.Context(), "user:u", "pack"); err == nil {
					t.Fatalf("got %v and no error", got)
				}
				s.Close()
			}
			if !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("got %v, want it to name the file and %q", err, tc.want)
			}
		})
	}
}

// spoil sets a column of the grant to an SQL value that its checks refuse.
func spoil(column, value string) func(*testing.T, string) {
	return func(t *testing.T, path string) {
		raw(t, path, "PRAGMA ignore_check_constraints=1; UPDATE grants SET "+column+" = "+value)
	}
}

func must(t testing.TB, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func truncate(t *testing.T, path string, size int64) {
	t.Helper()
	if err := os.Truncate(path, size); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSettings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ambit.db")
	open(t, path)
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var mode string
	if err := db.QueryRow("PRAGMA journal_mode").Scan(&mode); err != nil || mode != "delete" {
		t.Errorf("got journal mode %q, %v", mode, err)
	}
}

func TestSessions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sessions.db")
	s, err := openListAt(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if _, err := openAt(path); err == nil {
		t.Error("a list of sessions was opened as a store of grants")
	}
	cmd := exec.Command("sleep", "60")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	want := []store.Session{
		{ID: "s-1", Principal: "user:u", Pack: "p", Digest: "d", Program: "/bin/\xff", PID: os.Getpid(), Tier: "process", Started: noon},
		{ID: "s-2", PID: cmd.Process.Pid, Started: noon.Add(1)},
		{ID: "s-3", PID: os.Getpid(), Started: noon.Add(2)},
	}
	for i := range want {
		noteOne(t, path, want[i])
		want[i].Status = store.Running
	}
	must(t, s.TakeIn(t.Context())) // some of it now, the rest later
	want[2].Status, want[2].Ended = "exited", noon.Add(time.Hour)
	noteOne(t, path, want[2])
	must(t, s.TakeIn(t.Context()))
	if got, err := s.Sessions(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	want[1].Status = store.Lost
	deadline := time.Now().Add(time.Minute)
	for {
		got, err := s.Sessions(t.Context()) // a zombie is lost too
		if err != nil {
			t.Fatal(err)
		}
		if reflect.DeepEqual(got, want) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %+v, want %+v", got, want)
		}
	}
	_ = cmd.Wait()
	again := want[2]
	again.Status, again.Ended = "again", noon
	noteOne(t, path, again)
	must(t, s.TakeIn(t.Context()))
	if got, err := s.Sessions(t.Context()); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("ended twice: got %+v, %v, want %+v", got, err, want)
	}
}

func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); name == store.Program || strings.HasPrefix(name, liar) {
		if err := serve(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if args := os.Getenv("STORE_TEST_PROCESS"); args != "" {
		if err := perform(strings.Fields(args)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(run(m))
}

// run runs the tests, with a link by which this program is started as ambit-store.
func run(m *testing.M) int {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	dir, err := os.MkdirTemp("", "store-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	link := filepath.Join(dir, store.Program)
	if err := os.Symlink(self, link); err != nil {
		panic(err)
	}
	if bin := os.Getenv("AMBIT_BIN"); bin != "" { // as it ships
		link = filepath.Join(filepath.Dir(bin), store.Program)
	}
	if err := os.Setenv(besideVariable, link); err != nil {
		panic(err)
	}
	return m.Run()
}

// perform is what another process of the tests does.
func perform(words []string) error {
	switch words[0] {
	case "ask":
		return ask(words[1])
	case "answer":
		return answerAll(words[1], words[2])
	case "grow":
		return grow(words[1])
	case "launch":
		return launches(words[1])
	default:
		return work(words[0], words[1])
	}
}

// serve is ambit-store, but for what that takes from itself.
func serve(name string) error {
	if name != store.Program {
		return lie(strings.TrimPrefix(name, liar))
	}
	line, err := companion.Inherit()
	if err != nil {
		return err
	}
	return database.Serve(context.Background(), line)
}

// work is what one of the processes of TestHammerProcesses does.
func work(path, name string) error {
	ctx := context.Background()
	s, err := openAt(path)
	if err != nil {
		return err
	}
	defer s.Close()
	for i := range 10 {
		c, err := capability.Parse("fs.read:/home/u/" + name)
		if err != nil {
			return err
		}
		g := grant.Grant{ID: fmt.Sprintf("g-%s-%d", name, i), Principal: "user:u", Capability: c, Outcome: grant.Allow, Created: noon}
		if err := s.AddGrant(ctx, g); err != nil {
			return err
		}
		all, err := s.Grants(ctx, "user:u", "")
		if err != nil || len(all) == 0 {
			return fmt.Errorf("%d grants, %w", len(all), err)
		}
		if _, err := s.RevokeGrant(ctx, g.ID, noon); i%2 == 0 && err != nil {
			return err
		}
	}
	return nil
}

// TestHammerProcesses has processes make the store at once, and then add, read
// and revoke.
func TestHammerProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ambit.db")
	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), fmt.Sprintf("STORE_TEST_PROCESS=%s p%d", path, i))
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("process %d: %v: %s", i, err, out)
			}
		})
	}
	wg.Wait()
	got, err := open(t, path).AllGrants(t.Context())
	if err != nil || len(got) != 160 {
		t.Errorf("got %d grants, %v", len(got), err)
	}
}

// TestHammerOnce has several revoke one grant: one alone is told that it was first.
func TestHammerOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ambit.db")
	if err := open(t, path).AddGrant(t.Context(), allow(t, "g-1", "fs.read:/home/u")); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	first := 0
	var wg sync.WaitGroup
	for range 8 {
		s := open(t, path)
		wg.Go(func() {
			_, err := s.RevokeGrant(context.Background(), "g-1", noon)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				first++
			} else if !errors.Is(err, store.ErrRevoked) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if first != 1 {
		t.Errorf("%d were first", first)
	}
}

// BenchmarkOpenGrants is what a run pays: open, read the grants, close.
func BenchmarkOpenGrants(b *testing.B) {
	path := filepath.Join(b.TempDir(), "ambit.db")
	s := open(b, path)
	for i := range 50 {
		if err := s.AddGrant(b.Context(), allow(b, fmt.Sprintf("g-%d", i), fmt.Sprintf("fs.read:/home/u/%d", i))); err != nil {
			b.Fatal(err)
		}
	}
	s.Close()
	var opened time.Duration
	for b.Loop() {
		start := time.Now()
		s, err := openAt(path)
		if err != nil {
			b.Fatal(err)
		}
		if got, err := s.Grants(b.Context(), "user:u", "pack"); err != nil || len(got) != 50 {
			b.Fatal(len(got), err)
		}
		opened += time.Since(start)
		s.Close()
	}
	b.ReportMetric(float64(opened.Microseconds())/float64(b.N), "µs-before-close/op")
}
