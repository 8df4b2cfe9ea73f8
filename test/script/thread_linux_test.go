//go:build amd64 || arm64

package script_test

import (
	"debug/elf"
	"os"
	"testing"
)

// TestBegins holds that ambit begins where internal/entry has it begin, and that a
// program that it runs has timers as exact as it would have them outside.
func TestBegins(t *testing.T) {
	f, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	symbols, err := f.Symbols()
	if err != nil {
		t.Skip("requires: an ambit with its symbols")
	}
	var entry uint64
	for _, s := range symbols {
		if s.Name == "ambit.dev/ambit/internal/entry.Entry.abi0" || s.Name == "ambit.dev/ambit/internal/entry.Entry" && entry == 0 {
			entry = s.Value
		}
	}
	if entry == 0 || f.Entry != entry {
		t.Errorf("it begins at %#x, want %#x", f.Entry, entry)
	}
	want, err := os.ReadFile("/proc/self/timerslack_ns")
	if err != nil {
		t.Skip("requires: a kernel that says how late timers may be")
	}
	b := newBench(t)
	if got := b.run("run", "--ask", "none", "--", "cat", "/proc/self/timerslack_ns").out; got != string(want) {
		t.Errorf("inside timers may be %q nanoseconds late, want %q", got, want)
	}
}
