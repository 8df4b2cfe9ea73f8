package session_test

import (
	"reflect"
	"sync"
	"testing"
	"testing/synctest"

	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/session"
)

func TestTally(t *testing.T) {
	var none *session.Tally
	none.Denied(capability.FSRead)
	if got := none.Counts(); got != nil {
		t.Errorf("got %v of nobody", got)
	}
	tally := &session.Tally{}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			tally.Asked(capability.FSWrite)
			tally.Allowed(capability.FSWrite)
			tally.Denied(capability.FSRead)
		})
	}
	wg.Wait()
	want := []session.Count{{Capability: capability.FSRead, Denied: 50}, {Capability: capability.FSWrite, Allowed: 50, Asked: 50}}
	if got := tally.Counts(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

// What others count and what the tier denies stands in the record of the end.
func TestTallyRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := &stage{denials: []enforce.Denial{{Kind: "net.connect", Target: "a:1"}, {Kind: "net.connect", Target: "a:1"}}}
		r := st.runner()
		r.Tally = &session.Tally{}
		r.Tally.Asked(capability.FSRead)
		res, err := r.Run(t.Context(), st.spec())
		if err != nil {
			t.Fatal(err)
		}
		want := []audit.CountBody{{Capability: "fs.read", Asked: 1}, {Capability: "net.connect", Denied: 2}}
		if got := body[audit.EndBody](t, st).Counts; !reflect.DeepEqual(got, want) || len(res.Counts) != 2 {
			t.Errorf("got %+v and %+v", got, res.Counts)
		}
	})
}
