package server

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// What was read is read again when it is of something else, too old, of nothing that can
// be told, or was an error; and once for many who ask together.
func TestRecent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recent[int]
		looks := 0
		get := func(key string, want int) {
			t.Helper()
			got, err := r.get(key, time.Second, func() (int, error) {
				looks++
				return looks, nil
			})
			if err != nil || got != want {
				t.Errorf("of %q: %d, %v; want %d", key, got, err, want)
			}
		}
		get("a", 1)
		get("a", 1)
		get("b", 2)
		time.Sleep(999 * time.Millisecond)
		get("b", 2)
		time.Sleep(time.Millisecond)
		get("b", 3)
		get("", 4)
		get("", 5)
		if _, err := r.get("a", time.Second, func() (int, error) { return 0, errors.New("x") }); err == nil {
			t.Error("an error was kept to itself")
		}
		get("a", 6)
		var all sync.WaitGroup
		for range 10 {
			all.Go(func() { get("c", 7) })
		}
		all.Wait()
	})
}
