package vault_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/vault"
	"ambit.dev/ambit/internal/vault/wire"
)

// served is somebody who asks a vault, over a line; ended says how that ended.
func served(t *testing.T, v *vault.Vault) (c *wire.Client, hangUp func() error, ended <-chan error) {
	t.Helper()
	ours, theirs := net.Pipe()
	done := make(chan error, 1)
	go func() {
		line := wire.NewConn(theirs)
		var h wire.Hello
		err := line.Receive(&h)
		if err == nil && (h != wire.Hello{Dir: "/d", Write: true}) {
			err = fmt.Errorf("it was greeted with %+v", h)
		}
		done <- errors.Join(err, v.Serve(line), theirs.Close())
	}()
	c, err := wire.NewClient(ours, wire.Hello{Dir: "/d", Write: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ours.Close() }) // it may be closed
	return c, ours.Close, done
}

func TestServe(t *testing.T) {
	v, dir := open(t)
	c, hangUp, ended := served(t, v)
	if all, err := c.List(); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
	for _, name := range []string{"b", "a"} {
		if err := c.Set(name, bound(name), value(t, "the secret of "+name)); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := c.List(); err != nil || len(all) != 2 || all[0].Name != "a" || all[1].Binding != bound("b") {
		t.Errorf("%v, %v", all, err)
	}
	if e, got, err := c.Value("b"); err != nil || got.Reveal() != "the secret of b" || e.Binding != bound("b") || e.Created.IsZero() {
		t.Errorf("%v, %v", e, err)
	}
	if err := c.Remove("b"); err != nil {
		t.Error(err)
	}
	if _, err := c.Entry("b"); !errors.Is(err, wire.ErrNotFound) || !strings.HasPrefix(err.Error(), "b: ") {
		t.Errorf("a removed one: %v", err)
	}
	if err := c.Remove("b"); !errors.Is(err, wire.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if err := c.Set("a b", bound("x"), value(t, "whatever it is")); err == nil {
		t.Error("an odd name is taken")
	}
	long := bound("x")
	long.Key = strings.Repeat("x", 70<<10)
	if err := c.Set("x", long, value(t, "whatever it is")); err == nil {
		t.Error("a message that is too long is sent")
	}
	chmod(t, dir, "identity", 0o644)
	if _, _, err := c.Value("a"); err == nil || !strings.Contains(err.Error(), "chmod 600") || strings.Contains(err.Error(), "secret of") {
		t.Errorf("open to others: %v", err)
	}
	chmod(t, dir, "identity", 0o600)
	if _, got, err := c.Value("a"); err != nil || got.Reveal() != "the secret of a" {
		t.Errorf("after an error: %v", err)
	}
	if err := errors.Join(hangUp(), <-ended); err != nil {
		t.Error(err)
	}
	if _, _, err := c.Value("a"); err == nil {
		t.Error("an answer of nobody")
	}
}

// TestWant: who wants a secret gets that one, whoever takes an answer first, and whatever
// came of the others.
func TestWant(t *testing.T) {
	v, _ := open(t)
	c, _, _ := served(t, v)
	for _, name := range []string{"a", "b"} {
		if err := c.Set(name, bound(name), value(t, "the secret of "+name)); err != nil {
			t.Fatal(err)
		}
	}
	first, missing, last := c.Want("a"), c.Want("x"), c.Want("b")
	got := make(chan error, 2)
	go func() {
		e, text, err := last.Value()
		if err == nil && (e.Name != "b" || text.Reveal() != "the secret of b") {
			err = fmt.Errorf("got %s, want b", e.Name)
		}
		got <- err
	}()
	go func() {
		if _, _, err := missing.Value(); !errors.Is(err, wire.ErrNotFound) {
			got <- fmt.Errorf("one that is not there: %w", err)
			return
		}
		got <- nil
	}()
	if e, text, err := first.Value(); err != nil || e.Name != "a" || text.Reveal() != "the secret of a" {
		t.Errorf("%v, %v", e, err)
	}
	if err := errors.Join(<-got, <-got); err != nil {
		t.Error(err)
	}
}

// TestHangUp: who waits for another writer ends with whoever asked, and changes
// nothing then.
func TestHangUp(t *testing.T) {
	v, dir := open(t)
	if err := v.Set("a", bound("a"), value(t, "as it was before")); err != nil {
		t.Fatal(err)
	}
	lock, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	c, hangUp, ended := served(t, v)
	asked := make(chan error, 1)
	go func() { asked <- c.Remove("a") }()
	waits := fmt.Sprintf("-> FLOCK  ADVISORY  WRITE %d ", os.Getpid())
	for end := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
		if text, err := os.ReadFile("/proc/locks"); err == nil && strings.Contains(string(text), waits) {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it does not wait")
		}
	}
	if err := hangUp(); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it waits on")
	}
	if err := <-asked; err == nil {
		t.Error("it is said to be removed")
	}
}

// TestNobody: where there was never a vault, nothing is known.
func TestNobody(t *testing.T) {
	var c *wire.Client
	if all, err := c.List(); err != nil || all != nil {
		t.Errorf("%v, %v", all, err)
	}
	if _, err := c.Entry("a"); !errors.Is(err, wire.ErrNotFound) {
		t.Error(err)
	}
	if err := c.Remove("a"); !errors.Is(err, wire.ErrNotFound) {
		t.Error(err)
	}
}

// TestAnswerOfSomebodyElse: what a process of the vault says is taken for what was
// asked, or not at all.
func TestAnswerOfSomebodyElse(t *testing.T) {
	entry := wire.Entry{Name: "a", Binding: bound("a")}
	for name, a := range map[string]wire.Answer{
		"nothing":         {},
		"another":         {Entry: &wire.Entry{Name: "b", Binding: bound("b")}, Value: []byte("correct horse")},
		"without binding": {Entry: &wire.Entry{Name: "a"}, Value: []byte("correct horse")},
		"no value":        {Entry: &entry},
		"two lines":       {Entry: &entry, Value: []byte("correct\nhorse")},
		"a fault":         {Entry: &entry, Value: []byte("correct horse"), Fault: "correct\x1bhorse"},
	} {
		ours, theirs := net.Pipe()
		go func() {
			line := wire.NewConn(theirs)
			var h wire.Hello
			var q wire.Question
			_ = errors.Join(line.Receive(&h), line.Receive(&q), line.Send(a)) // the other end says what is wrong
		}()
		c, err := wire.NewClient(ours, wire.Hello{})
		if err != nil {
			t.Fatal(err)
		}
		if _, got, err := c.Value("a"); err == nil || got != (binding.Value{}) || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%s: %v", name, err)
		}
		_, _ = ours.Close(), theirs.Close() // they were both closed, or are now
	}
}

// TestShown: a message shows no value, however it is printed.
func TestShown(t *testing.T) {
	for _, m := range []any{wire.Answer{Value: []byte("correct horse")}, &wire.Answer{Value: []byte("correct horse")},
		wire.Change{Value: []byte("correct horse")}, wire.Question{Set: &wire.Change{Value: []byte("correct horse")}}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q"} {
			if got := fmt.Sprintf(verb, m); strings.Contains(got, "horse") || strings.Contains(got, "686f727365") || strings.Contains(got, "104") {
				t.Errorf("%s of %T: %s", verb, m, got)
			}
		}
	}
}
