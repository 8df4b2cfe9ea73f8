package microvm_test

import (
	"os"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce/enforcetest"
)

// Files come back while the program runs from a folder in which names come and go all the
// time.
func TestMeanwhileComeAndGo(t *testing.T) {
	in := input(t, "")
	dir := folder(t, &in, true)
	in.Program.Argv[2] = strings.ReplaceAll(`exec python3 -S -E -c '
import os
os.chdir("D")
for i in range(100): open("0-%d" % i, "w").close()
n = 0
while True:
    with open("file", "w") as f: f.write("round %d" % n)
    for i in range(100): os.rename("%d-%d" % (n, i), "%d-%d" % (n+1, i))
    n += 1
'`, "D", dir)
	r := start(t, tier(t), plan(t, in), "")
	defer func() {
		_ = r.Kill()
		_, _ = r.Wait()
	}()
	last := "was\n"
	for range 3 {
		eventually(t, "what was changed since comes back", func() bool {
			text, err := os.ReadFile(dir + "/file")
			return err == nil && strings.HasPrefix(string(text), "round ") && string(text) != last
		})
		last = enforcetest.Content(t, dir+"/file")
	}
}
