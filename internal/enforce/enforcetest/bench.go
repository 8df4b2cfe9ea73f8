package enforcetest

import (
	"fmt"
	"os"
	"testing"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
)

// Benchmark measures the start of a program that does nothing, to its end; and,
// for each way of asking, the first touch of many files by one program and what
// looking at files costs afterwards.
func Benchmark(b *testing.B, make func(enforce.Asker) enforce.Tier, facts enforce.Facts) {
	b.Run("start", func(b *testing.B) {
		p := newPlace(b)
		in := p.input(b, "/bin/true")
		s := suite{tier: make(newAnswers(AsWanted)), facts: facts}
		for b.Loop() {
			s.run(b, in, nil)
		}
	})
	b.Run("in a fixed view", func(b *testing.B) {
		b.Run("touches", fixedView{make: make, facts: facts}.timeTouches)
	})
	b.Run("by a trap", func(b *testing.B) {
		if !facts.FUSE {
			b.Skip("requires: /dev/fuse that this user can open")
		}
		asking{make: make, facts: facts}.benchmark(b)
	})
	b.Run("by notification", func(b *testing.B) { asking{make: make, facts: facts, notify: true}.benchmark(b) })
}

func (s asking) benchmark(b *testing.B) {
	b.Run("start", func(b *testing.B) {
		p := newPlace(b)
		in := s.input(b, p, "")
		in.Program.Path, in.Program.Argv = "/bin/true", []string{"true"}
		t := suite{tier: s.make(newAnswers(AsWanted)), facts: s.facts}
		for b.Loop() {
			t.run(b, in, nil)
		}
	})
	b.Run("touches", s.timeTouches)
}

// touchFiles prints the microseconds of one call: the first open of a hidden file,
// the second, the stat of a file of the system, the stat of one that is absent,
// the open of one through a link, the stat by a descriptor, and the least of many
// tries of all but the first.
const touchFiles = `
import os, time
d = os.environ["HIDDEN"]
names = [d + "/" + chr(97 + i % 26) + chr(97 + i // 26) for i in range(100)]
def look(n):
    try: os.stat(n)
    except OSError: pass
def each(f, of):
    begin = time.perf_counter()
    for n in of: f(n)
    return (time.perf_counter() - begin) / len(of) * 1e6
def least(f, of): return min(each(f, of) for _ in range(20))
f = os.open("/usr/bin/env", os.O_RDONLY)
print(each(lambda n: os.close(os.open(n, os.O_RDONLY)), names), least(lambda n: os.close(os.open(n, os.O_RDONLY)), names),
    least(look, ["/usr/bin/env"] * 100), least(look, ["/usr/bin/absent"] * 100), least(lambda n: os.close(os.open(n, os.O_RDONLY)), ["/bin/env"] * 100),
    least(os.fstat, [f] * 100))`

// fixedView grants the hidden folder at the start instead of asking.
type fixedView asking

func (s fixedView) timeTouches(b *testing.B) {
	timeTouches(b, s.make, s.facts, func(p place) enforce.Input {
		in := p.input(b, "")
		grant(b, &in, capability.FSRead, p.hidden)
		return in
	})
}

func (s asking) timeTouches(b *testing.B) {
	timeTouches(b, s.make, s.facts, func(p place) enforce.Input { return s.input(b, p, "") })
}

func timeTouches(b *testing.B, make func(enforce.Asker) enforce.Tier, facts enforce.Facts, input func(place) enforce.Input) {
	p := newHidden(b)
	for i := range 100 {
		if err := os.WriteFile(p.hidden+"/"+string(rune('a'+i%26))+string(rune('a'+i/26)), nil, 0o644); err != nil {
			b.Fatal(err)
		}
	}
	in := input(p)
	in.Program.Path, in.Program.Argv = "/usr/bin/python3", []string{"python3", "-c", touchFiles}
	t := suite{tier: make(newAnswers(AsWanted)), facts: facts}
	units := []string{"µs/first-open", "µs/open", "µs/stat", "µs/absent", "µs/open-by-link", "µs/fstat"}
	sum, runs := [6]float64{}, 0
	for b.Loop() {
		e := t.run(b, in, nil)
		var v [6]float64
		if _, err := fmt.Sscan(e.out, &v[0], &v[1], &v[2], &v[3], &v[4], &v[5]); err != nil {
			b.Fatalf("output %q: %v; errors %q", e.out, err, e.err)
		}
		runs++
		for i := range v {
			sum[i] += v[i]
		}
	}
	for i, unit := range units {
		b.ReportMetric(sum[i]/float64(runs), unit)
	}
}
