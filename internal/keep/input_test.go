package keep

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
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
		if next, err := in.put(stroke{writer: step.writer, offset: step.offset, data: []byte(step.data)}, time.Time{}); next != step.next || !errors.Is(err, step.err) {
			t.Errorf("%+v: got %d, %v", step, next, err)
		}
	}
	if got := in.take(); string(got) != "onetwoone" {
		t.Errorf("there waits %q", got)
	}
	fill(t, in)
	in.end()
	if _, err := in.put(stroke{writer: "a", offset: 6}, time.Time{}); !errors.Is(err, ErrOver) || in.take() != nil {
		t.Errorf("after the end: %v", err)
	}
}

// fill types until nothing is taken any more, and more after some was read.
func fill(t *testing.T, in *input) {
	t.Helper()
	piece, at := bytes.Repeat([]byte("x"), MaxPiece), int64(0)
	for range 10 {
		next, err := in.put(stroke{writer: "full", offset: at, data: piece}, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		at = next
	}
	if at != MaxInput {
		t.Errorf("%d bytes are held, want %d", at, MaxInput)
	}
	n := int64(len(in.take()))
	if next, err := in.put(stroke{writer: "full", offset: at, data: piece}, time.Time{}); next != at+n || err != nil {
		t.Errorf("after %d bytes were read: %d of %d are taken, %v", n, next-at, MaxPiece, err)
	}
}

// There are as many writers as are held, and no more: who is not known any more could
// type something twice.
func TestTypedWriters(t *testing.T) {
	t.Parallel()
	in := newInput()
	for i := range maxWriters {
		if _, err := in.put(stroke{writer: fmt.Sprint(i)}, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	_, err := in.put(stroke{writer: "another"}, time.Time{})
	if _, known := in.put(stroke{writer: "0"}, time.Time{}); !errors.Is(err, ErrWriters) || known != nil {
		t.Errorf("beyond the bound: %v; who is known: %v", err, known)
	}
}

// A program that asks its terminal is answered once, by whoever did it last: also when
// that one is late, is gone, or comes again. What is typed by hand is everybody's.
func TestAnswered(t *testing.T) {
	t.Parallel()
	in := newInput()
	at := map[string]int64{}
	for i, step := range []struct {
		writer string
		data   string
		asked  int64
		ms     int // since the beginning
		taken  bool
		typed  string
	}{
		{"a", "A1", 10, 0, true, "A1"},
		{"b", "B1", 10, 1, true, ""},
		{"a", "A2", 10, 2, true, "A2"}, // two questions in one piece of output
		{"b", "B2", 10, 3, true, ""},
		{"b", "B3", 20, 100, false, ""}, // it is waited for a
		{"a", "A3", 20, 200, true, "A3"},
		{"b", "B3", 20, 210, true, ""},
		{"b", "key", 0, 220, true, "key"},
		{"b", "B4", 30, 5000, false, ""}, // a was in time before: it has all of its time anew
		{"b", "B4", 30, 5299, false, ""},
		{"b", "B4", 30, 5300, true, "B4"}, // a is gone
		{"b", "B5", 40, 5301, true, "B5"},
		{"a", "A4", 30, 5302, true, ""}, // or late
		{"a", "A5", 40, 5303, true, ""},
		{"a", "A6", 50, 6000, false, ""},
		{"b", "B6", 50, 6001, true, "B6"},
		{"a", "A6", 50, 6002, true, ""},
	} {
		now := time.Unix(1_000_000, 0).Add(time.Duration(step.ms) * time.Millisecond)
		next, err := in.put(stroke{step.writer, at[step.writer], []byte(step.data), step.asked}, now)
		if err != nil {
			t.Fatal(err)
		}
		if taken := next == at[step.writer]+int64(len(step.data)); taken != step.taken {
			t.Errorf("%d: %+v: taken is %t", i, step, taken)
		}
		at[step.writer] = next
		if got := string(in.waiting); got != step.typed {
			t.Errorf("%d: %+v: %q is typed", i, step, got)
		}
		in.waiting = nil
	}
}

// An answer is typed whole or not yet.
func TestAnsweredWhole(t *testing.T) {
	t.Parallel()
	in := newInput()
	fill(t, in)
	for _, want := range []int64{0, 1500} {
		next, err := in.put(stroke{"a", 0, bytes.Repeat([]byte("y"), 1500), 7}, time.Time{})
		if next != want || err != nil {
			t.Errorf("%d are taken, %v; want %d", next, err, want)
		}
		in.take()
		in.take()
	}
}
