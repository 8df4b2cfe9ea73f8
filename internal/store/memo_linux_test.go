package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
)

// TestMemo: whoever asks again and again gets what stands now, also where another
// changes the store as quickly as it can.
func TestMemo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ambit.db")
	asks, changes := open(t, path), open(t, path)
	count := func(want int, when string) {
		t.Helper()
		for range 3 { // from the store, and from memory
			if got, err := asks.Grants(t.Context(), "user:u", "pack"); err != nil || len(got) != want {
				t.Fatalf("%s: got %d grants, %v, want %d", when, len(got), err, want)
			}
		}
	}
	count(0, "at first")
	for i := range 50 {
		id := fmt.Sprint("g-", i)
		must(t, changes.AddGrant(t.Context(), allow(t, id, "fs.read:/a")))
		count(1, "after a grant")
		if _, err := changes.RevokeGrant(t.Context(), id, noon); err != nil {
			t.Fatal(err)
		}
		count(0, "after its revocation")
	}
}

// TestMemoOfAnother: what was answered for one pack is no answer for another, and
// what a caller does with it is not seen by the next.
func TestMemoOfAnother(t *testing.T) {
	s := open(t, left(t, allow(t, "g-1", "fs.read:/a")))
	got, err := s.Grants(t.Context(), "user:u", "pack")
	if err != nil || len(got) != 1 {
		t.Fatalf("got %v, %v", got, err)
	}
	got[0].ID = "g-2"
	for _, of := range [][2]string{{"user:u", "other"}, {"user:v", "pack"}} {
		if got, err := s.Grants(t.Context(), of[0], of[1]); err != nil || len(got) != 0 {
			t.Errorf("for %q: got %v, %v", of, got, err)
		}
	}
	for range 2 {
		if got, err := s.Grants(t.Context(), "user:u", "pack"); err != nil || len(got) != 1 || got[0].ID != "g-1" {
			t.Errorf("got %v, %v", got, err)
		}
	}
}

// TestMemoForeign: a change by other means than a store is seen too.
func TestMemoForeign(t *testing.T) {
	path := left(t, allow(t, "g-1", "fs.read:/a"))
	s := open(t, path)
	if got, err := s.Grants(t.Context(), "user:u", "pack"); err != nil || len(got) != 1 {
		t.Fatalf("got %v, %v", got, err)
	}
	raw(t, path, "UPDATE grants SET revoked = 1")
	if got, err := s.Grants(t.Context(), "user:u", "pack"); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v, want none", got, err)
	}
}

func BenchmarkGrants(b *testing.B) {
	s, err := openAt(left(b, allow(b, "g-1", "fs.read:/a"), allow(b, "g-2", "fs.read:/b")))
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		if _, err := s.Grants(b.Context(), "user:u", "pack"); err != nil {
			b.Fatal(err)
		}
	}
}
