package enforcetest

import (
	"os"
	"testing"

	"ambit.dev/ambit/internal/enforce"
)

// Benchmark measures the start of a program that does nothing, to its end; and
// with an asker, the first touch of many files by one program.
func Benchmark(b *testing.B, make func(enforce.Asker) enforce.Tier, facts enforce.Facts) {
	for _, asks := range []bool{false, true} {
		name := map[bool]string{false: "start", true: "start asking"}[asks]
		b.Run(name, func(b *testing.B) {
			p := newPlace(b)
			in := p.input(b, "/bin/true")
			in.Ask, in.Quiet = asks && facts.FUSE, []string{"/etc", "/sys", "/run"}
			s := suite{tier: make(newAnswers(allow)), facts: facts}
			for b.Loop() {
				s.run(b, in, nil)
			}
		})
	}
	b.Run("first touch", func(b *testing.B) {
		if !facts.FUSE {
			b.Skip("requires: /dev/fuse that this user can open")
		}
		const files = 100
		p := newHidden(b)
		for i := range files {
			if err := os.WriteFile(p.hidden+"/"+string(rune('a'+i%26))+string(rune('a'+i/26)), nil, 0o644); err != nil {
				b.Fatal(err)
			}
		}
		in := p.input(b, "/usr/bin/python3", "-c", `
import os, time
d = os.environ["HIDDEN"]
names = [d + "/" + chr(97 + i % 26) + chr(97 + i // 26) for i in range(100)]
begin = time.perf_counter()
for n in names: os.close(os.open(n, os.O_RDONLY))
middle = time.perf_counter()
for n in names: os.close(os.open(n, os.O_RDONLY))
end = time.perf_counter()
print(f"{(middle - begin) * 1e4:.1f} {(end - middle) * 1e4:.2f}")`)
		in.Ask = true
		s := suite{tier: make(newAnswers(allow)), facts: facts}
		for b.Loop() {
			e := s.run(b, in, nil)
			b.Logf("first touch, second touch in µs: %s", e.out)
		}
	})
}
