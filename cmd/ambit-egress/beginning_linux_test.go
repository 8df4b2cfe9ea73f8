package main

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestBeginnings: what goes on is told once, and what has ended by then is not.
func TestBeginnings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b beginnings
		told := map[beginning]int{}
		short, long, again := beginning{use: 1}, beginning{flow: 1}, beginning{flow: 2}
		for _, of := range []beginning{short, long, again} {
			b.begin(of, func() { told[of]++ })
		}
		time.Sleep(beginTime - 1)
		if b.end(short) {
			t.Error("it was told of what was over")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if told[short] != 0 || told[long] != 1 || told[again] != 1 {
			t.Errorf("told %v", told)
		}
		if !b.end(long) || b.end(long) || b.end(beginning{flow: 9}) {
			t.Error("what was told is not known, or what was not is")
		}
		b.end(again)
		if len(b.all) != 0 {
			t.Errorf("%d are left", len(b.all))
		}
	})
}
