package app

import (
	"errors"
	"io/fs"
	"testing"

	"ambit.dev/ambit/internal/core/capability"
)

// A value is reached by the rights of the set alone, and is what was put last.
func TestStorage(t *testing.T) {
	t.Parallel()
	var set Set
	for _, text := range []string{"storage.read:notes", "storage.write:notes/today", "storage.write:blind"} {
		c, err := capability.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		set.has = append(set.has, c)
	}
	at := func(key string) Stored {
		v := set.Storage(key)
		v.dir = t.TempDir()
		return v
	}
	v := at("notes/today")
	if _, err := v.Get(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before: %v", err)
	}
	for _, want := range []string{"one", ""} {
		if err := v.Put([]byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := v.Get(); err != nil || string(got) != want {
			t.Errorf("got %q, %v", got, err)
		}
	}
	for range 2 {
		if err := v.Remove(); err != nil {
			t.Error(err)
		}
	}
	if _, err := at("blind").Get(); !errors.Is(err, ErrBeyond) {
		t.Errorf("read what can only be written: %v", err)
	}
	for _, key := range []string{"notes/other", "other", "notes"} {
		if err := at(key).Put(nil); !errors.Is(err, ErrBeyond) {
			t.Errorf("%s: %v", key, err)
		}
	}
	for _, key := range []string{"notes/*", "../notes", "", "notes/"} {
		if err := at(key).Put(nil); err == nil {
			t.Errorf("%q is a key", key)
		}
	}
}
