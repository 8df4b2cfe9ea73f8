package server

import (
	"slices"
	"testing"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// Pages follow each other in the order of keys, either way, and have every item once. A
// key is made once for each item: making it takes longer than all else.
func TestPage(t *testing.T) {
	t.Parallel()
	caller, tokens := Caller{Principal: "uid:1"}, newTokens()
	for newestFirst, want := range map[bool][]string{false: {"a", "b", "c", "d", "e"}, true: {"e", "d", "c", "b", "a"}} {
		for size := int32(1); size <= 6; size++ {
			var got []string
			for r := (&pb.ListSessionsRequest{PageSize: size}); ; {
				made := 0
				key := func(it string) string { made++; return it }
				some, next, err := page(tokens, caller, r, []string{"c", "e", "a", "d", "b"}, key, newestFirst)
				if err != nil || made != len(want) || len(some) > int(size) || len(got) > len(want) {
					t.Fatalf("%v, %v; %d keys were made", some, err, made)
				}
				if got = append(got, some...); next == "" {
					break
				}
				r.PageToken = next
			}
			if !slices.Equal(got, want) {
				t.Errorf("in pages of %d: %v, want %v", size, got, want)
			}
		}
	}
}
