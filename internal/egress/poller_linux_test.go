package egress

import (
	"errors"
	"sync"
	"testing"

	"ambit.dev/ambit/internal/workers"
)

// TestTurns: of directions that always have something to do each has its turn,
// again and again, also where one goroutine serves them all.
func TestTurns(t *testing.T) {
	o, err := newPoller()
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(o.run)
	p := workers.New(1, 1)
	const rounds = 100
	var ended sync.WaitGroup
	var mu sync.Mutex
	taken := make([]int, 5) // guarded by mu; steps of each
	least := func() int {
		n := taken[0]
		for _, k := range taken {
			n = min(n, k)
		}
		return n
	}
	all := make([]direction, len(taken))
	for i := range all {
		ended.Add(1)
		all[i].init(p, o, func() (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			taken[i]++
			if ahead := taken[i] - least(); ahead > 2*steps+1 && least() > 0 {
				return false, errors.New("it was ahead")
			}
			return least() < rounds, nil // until the last one has had them
		}, func(err error) {
			if err != nil {
				t.Error(err)
			}
			ended.Done()
		})
	}
	for i := range all {
		all[i].wake()
	}
	ended.Wait()
	p.Close()
	if err := o.close(); err != nil {
		t.Error(err)
	}
	serving.Wait()
}
