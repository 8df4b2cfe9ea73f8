package keep

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// What was typed once is typed once, each writer's for itself; what is missing before
// it is noticed, and what waits is bounded.
func TestTyped(t *testing.T) {
	t.Parallel()
	in := newInput()
	for _, step := range []struct {
		writer string
		offset int64
		data   string
		next   int64
		err    error
	}{
		{"a", 0, "one", 3, nil},
		{"a", 0, "one", 3, nil},
		{"a", 0, "onetwo", 6, nil},
		{"a", 3, "two", 6, nil},
		{"b", 0, "one", 3, nil},
		{"a", 6, "", 6, nil},
		{"a", 7, "x", 6, ErrGap},
		{"c", 1, "x", 0, ErrGap},
		{"a", -1, "x", 6, ErrGap},
		{"a", 6, strings.Repeat("x", MaxPiece+1), 6, ErrTooLong},
		{strings.Repeat("w", maxWriter+1), 0, "x", 0, ErrTooLong},
	} {
		if next, err := in.put(step.writer, step.offset, []byte(step.data)); next != step.next || !errors.Is(err, step.err) {
			t.Errorf("%+v: got %d, %v", step, next, err)
		}
	}
	if got := in.take(); string(got) != "onetwoone" {
		t.Errorf("there waits %q", got)
	}
	fill(t, in)
	in.end()
	if _, err := in.put("a", 6, nil); !errors.Is(err, ErrOver) || in.take() != nil {
		t.Errorf("after the end: %v", err)
	}
}

// fill types until nothing is taken any more, and more after some was read.
func fill(t *testing.T, in *input) {
	t.Helper()
	piece, at := bytes.Repeat([]byte("x"), MaxPiece), int64(0)
	for range 10 {
		next, err := in.put("full", at, piece)
		if err != nil {
			t.Fatal(err)
		}
		at = next
	}
	if at != MaxInput {
		t.Errorf("%d bytes are held, want %d", at, MaxInput)
	}
	n := int64(len(in.take()))
	if next, err := in.put("full", at, piece); next != at+n || err != nil {
		t.Errorf("after %d bytes were read: %d of %d are taken, %v", n, next-at, MaxPiece, err)
	}
}

// There are as many writers as are held, and no more: who is not known any more could
// type something twice.
func TestTypedWriters(t *testing.T) {
	t.Parallel()
	in := newInput()
	for i := range maxWriters {
		if _, err := in.put(fmt.Sprint(i), 0, nil); err != nil {
			t.Fatal(err)
		}
	}
	_, err := in.put("another", 0, nil)
	if _, known := in.put("0", 0, nil); !errors.Is(err, ErrWriters) || known != nil {
		t.Errorf("beyond the bound: %v; who is known: %v", err, known)
	}
}
