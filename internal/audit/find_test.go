package audit

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// What is looked for by its rarest byte is found where it stands first, and nowhere else:
// at both ends, cut off at them, and among texts that are nearly the same.
func TestFinder(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	byRare := 0
	for range 20_000 {
		letters := 1 + r.IntN(3)
		text := make([]byte, r.IntN(400))
		for i := range text {
			if text[i] = 'a' + byte(r.IntN(letters)); r.IntN(80) == 0 {
				text[i] = 'r'
			}
		}
		want := make([]byte, 1+r.IntN(5))
		for i := range want {
			if want[i] = 'a' + byte(r.IntN(letters)); r.IntN(6) == 0 {
				want[i] = 'r'
			}
		}
		if len(text) > len(want) && r.IntN(2) == 0 {
			copy(text[r.IntN(len(text)-len(want)+1):], want)
		}
		f := finders([][]byte{want}, text)[0]
		if f.at >= 0 {
			byRare++
		}
		if got, first := f.index(text), bytes.Index(text, want); got != first {
			t.Fatalf("%q is found in %q at %d, want %d (by its byte %d)", want, text, got, first, f.at)
		}
	}
	if byRare < 1000 {
		t.Errorf("only %d of them were looked for by a rare byte", byRare)
	}
	for n := range 4000 { // rare only where it was judged
		text := append(bytes.Repeat([]byte("ca"), sampled/2), bytes.Repeat([]byte("r"), n)...)
		text = append(text, "aarrrr"[n%2:]...)
		f := finders([][]byte{[]byte("aar")}, text)[0]
		if got, first := f.index(text), bytes.Index(text, []byte("aar")); f.at != 2 || got != first {
			t.Fatalf("behind %d others it is found at %d, want %d (by its byte %d)", n, got, first, f.at)
		}
	}
	if f := finders([][]byte{[]byte("ab")}, bytes.Repeat([]byte("ab"), 1000))[0]; f.at >= 0 {
		t.Error("a byte that stands everywhere is taken for a rare one")
	}
}
