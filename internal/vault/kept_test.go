package vault_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"ambit.dev/ambit/internal/vault"
)

// TestChangedBetween: who keeps what was read answers what is there now, however
// soon after, and nothing of what cannot be read any more.
func TestChangedBetween(t *testing.T) {
	other, dir := open(t)
	v := vault.In(dir, time.Now)
	for i := range 200 {
		text := fmt.Sprintf("value %8d", i) // as long as the one before
		if err := other.Set("a", bound("a"), value(t, text)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, got, err := v.Value("a"); err != nil || got.Reveal() != text {
				t.Fatalf("%q, %v, want %q", got.Reveal(), err, text)
			}
		}
	}
	if err := other.Set("b", bound("b"), value(t, "another value")); err != nil {
		t.Fatal(err)
	}
	if err := other.Remove("a"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := v.Value("a"); !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("a removed one: %v", err)
	}
	for _, name := range []string{"identity", "secrets.age"} {
		if _, _, err := v.Value("b"); err != nil {
			t.Fatal(err)
		}
		at, away := filepath.Join(dir, name), filepath.Join(dir, "away")
		if err := os.Chmod(at, 0o640); err != nil {
			t.Fatal(err)
		}
		if _, _, err := v.Value("b"); err == nil {
			t.Errorf("%s may be read by others, and is read", name)
		}
		if err := errors.Join(os.Chmod(at, 0o600), os.Rename(at, away)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := v.Value("b"); err == nil {
			t.Errorf("%s is gone, and what was read is still told", name)
		}
		if err := os.Rename(away, at); err != nil {
			t.Fatal(err)
		}
		if _, _, err := v.Value("b"); err != nil {
			t.Errorf("%s is there again: %v", name, err)
		}
	}
}

// BenchmarkValue is what a use costs, of one that is kept.
func BenchmarkValue(b *testing.B) {
	dir := filepath.Join(b.TempDir(), "vault")
	v := vault.In(dir, time.Now)
	if err := v.Set("a", bound("a"), value(b, "correct horse battery staple")); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := v.Value("a"); err != nil {
			b.Fatal(err)
		}
	}
}
