package vault_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"ambit.dev/ambit/internal/core/binding"
	"ambit.dev/ambit/internal/vault"
)

const writerVariable = "AMBIT_VAULT_TEST_WRITER"

// A writer in another process is a copy of the test binary.
func TestMain(m *testing.M) {
	dir := os.Getenv(writerVariable)
	if dir == "" {
		os.Exit(m.Run())
	}
	for i := 0; ; i++ {
		value, err := binding.NewValue(fmt.Sprintf("value %8d", i))
		if err == nil {
			err = vault.In(dir, time.Now).Set(os.Args[1], bound("x"), value)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		if i == 0 {
			fmt.Println("writing")
		}
		if len(os.Args) > 2 {
			os.Exit(0) // once
		}
	}
}

func bound(name string) binding.Binding {
	return binding.Binding{Scheme: "https", Host: "api.example.com", Port: 443}.Default(name)
}

func value(t testing.TB, text string) binding.Value {
	t.Helper()
	v, err := binding.NewValue(text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func open(t *testing.T) (*vault.Vault, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "vault")
	return vault.In(dir, time.Now), dir
}

func TestSetAndRemove(t *testing.T) {
	v, dir := open(t)
	if all, err := v.List(); err != nil || len(all) != 0 {
		t.Fatalf("a vault that is not there: %v, %v", all, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it was made by looking: %v", err)
	}
	for _, name := range []string{"b", "a", "c"} {
		if err := v.Set(name, bound(name), value(t, "the secret of "+name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := v.Set("b", bound("b"), value(t, "another value")); err != nil {
		t.Fatal(err)
	}
	all, err := v.List()
	if err != nil || len(all) != 3 || all[0].Name != "a" || all[2].Name != "c" || !all[1].Changed.After(all[1].Created) {
		t.Errorf("%v, %v", all, err)
	}
	e, got, err := v.Value("b")
	if err != nil || got.Reveal() != "another value" || e.Binding != bound("b") {
		t.Errorf("%v, %v", e, err)
	}
	if err := v.Remove("b"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := v.Value("b"); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("a removed one: %v", err)
	}
	if err := v.Remove("b"); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if err := v.Set("a b", bound("x"), value(t, "whatever it is")); err == nil {
		t.Error("an odd name is taken")
	}
	if err := v.Set("x", binding.Binding{}, value(t, "whatever it is")); err == nil {
		t.Error("a secret without a binding is taken")
	}
}

// TestClosed: on the disk nothing shows a value, and nothing is anybody else's.
func TestClosed(t *testing.T) {
	v, dir := open(t)
	const text = "correct horse battery staple"
	if err := v.Set("a", bound("a"), value(t, text)); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, f := range files {
		fi, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if fi.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %#o", f.Name(), fi.Mode().Perm())
		}
		content, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte("horse")) || bytes.Contains(content, []byte("example.com")) {
			t.Errorf("%s shows what is in it", f.Name())
		}
	}
	if fi, err := os.Stat(dir); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("the folder: %v, %v", fi.Mode(), err)
	}
}

// TestRefuses: what is damaged, foreign or open to others is an error without a
// piece of a value, and is left as it is.
func TestRefuses(t *testing.T) {
	secrets, identity := "secrets.age", "identity"
	for _, tc := range []struct {
		name, want string
		change     func(t *testing.T, dir string)
	}{
		{"readable secrets", "chmod 600", func(t *testing.T, dir string) { chmod(t, dir, secrets, 0o640) }},
		{"readable identity", "chmod 600", func(t *testing.T, dir string) { chmod(t, dir, identity, 0o604) }},
		{"no identity", "identity is gone", func(t *testing.T, dir string) { remove(t, dir, identity) }},
		{"damaged identity", "identity is damaged", func(t *testing.T, dir string) { write(t, dir, identity, "AGE-SECRET-KEY-1QQQ") }},
		{"another identity", "decrypt", func(t *testing.T, dir string) {
			other, elsewhere := open(t)
			if err := other.Set("a", bound("a"), value(t, "another secret")); err != nil {
				t.Fatal(err)
			}
			write(t, dir, identity, read(t, elsewhere, identity))
		}},
		{"empty", "decrypt", func(t *testing.T, dir string) { write(t, dir, secrets, "") }},
		{"cut off", "decrypt", func(t *testing.T, dir string) {
			text := read(t, dir, secrets)
			write(t, dir, secrets, text[:len(text)-1])
		}},
		{"one bit", "decrypt", func(t *testing.T, dir string) {
			text := []byte(read(t, dir, secrets))
			text[len(text)-20] ^= 1
			write(t, dir, secrets, string(text))
		}},
		{"foreign", "decrypt", func(t *testing.T, dir string) { write(t, dir, secrets, "hello") }},
		{"a link", "", func(t *testing.T, dir string) {
			if err := os.Rename(filepath.Join(dir, secrets), filepath.Join(dir, "away")); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("away", filepath.Join(dir, secrets)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v, dir := open(t)
			if err := v.Set("a", bound("a"), value(t, "correct horse battery staple")); err != nil {
				t.Fatal(err)
			}
			tc.change(t, dir)
			before := read(t, dir, secrets)
			_, _, err := v.Value("a")
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "horse") {
				t.Errorf("reading: %v, want %q", err, tc.want)
			}
			if err := v.Set("b", bound("b"), value(t, "correct horse battery")); err == nil {
				t.Error("a change is taken")
			}
			if read(t, dir, secrets) != before {
				t.Error("it was written over")
			}
		})
	}
}

func chmod(t *testing.T, dir, name string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, dir, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, name)); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestWriters: of writers at once, in this process and in others, no change is
// lost, and the first have one identity.
func TestWriters(t *testing.T) {
	v, dir := open(t)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			name := fmt.Sprintf("n%d", i)
			if i%2 == 0 {
				cmd := exec.Command(os.Args[0], name, "once")
				cmd.Env = append(os.Environ(), writerVariable+"="+dir)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%v: %s", err, out)
				}
				return
			}
			if err := v.Set(name, bound(name), value(t, "the secret of "+name)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if entries, err := v.List(); err != nil || len(entries) != 8 {
		t.Errorf("%d are there, want 8: %v", len(entries), err)
	}
}

// TestKilledWriter: whenever a writer is killed, the vault is whole, and the next
// one goes on.
func TestKilledWriter(t *testing.T) {
	v, dir := open(t)
	if err := v.Set("kept", bound("kept"), value(t, "it stays as it is")); err != nil {
		t.Fatal(err)
	}
	for i := range 12 {
		cmd := exec.Command(os.Args[0], "other")
		cmd.Env = append(os.Environ(), writerVariable+"="+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 64)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(i*731) * time.Microsecond) // wherever that is
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // it was killed
		if _, got, err := v.Value("kept"); err != nil || got.Reveal() != "it stays as it is" {
			t.Fatalf("after a kill: %v", err)
		}
		if err := v.Set("mine", bound("mine"), value(t, "and can be changed")); err != nil {
			t.Fatal(err)
		}
	}
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 3 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}
