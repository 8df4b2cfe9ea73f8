package script_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// zoned is a pack with one zone and a program in it.
func (b *bench) zoned(id, zone, program string) (folder string) {
	b.t.Helper()
	name := filepath.Join(strings.ReplaceAll(id, "/", "-"), "ambit.json")
	return filepath.Dir(b.write(name, `{"id": "`+id+`", "kind": "cli-tool", "entry": ["sh", "-c", `+quoted(program)+`], "zones": {"z": `+zone+`}}`))
}

// quoted is a text as JSON has it; there is nothing in it but what a shell needs.
func quoted(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// A zone that is revoked is taken away from a program that runs.
func TestZoneRevoked(t *testing.T) {
	t.Parallel()
	for mode, gone := range map[string]string{
		"rw":     "gone\n", // the program goes on, and has it no more
		"append": "",       // the session is ended
	} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			// A file for each look, so that nothing of the zone stays open.
			pack := b.zoned("org.example.z", `{"mode": "`+mode+`"}`, "while echo x >> /zones/z/f; do :; done 2>/dev/null; echo gone")
			b.run("grants", "add", "--pack", pack, "--all").want(t, 0)
			cmd := b.command("run", "--pack", pack)
			var out, said strings.Builder
			cmd.Stdout, cmd.Stderr = &out, &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(filepath.Dir(b.dir), "state", "workspaces", "org.example.z", "z", "f")
			for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
				if _, err := os.Stat(file); err == nil {
					break
				}
				if time.Now().After(end) {
					t.Fatalf("nothing was written: %s", said.String())
				}
			}
			b.run("grants", "revoke", "--pack", "org.example.z").want(t, 0)
			err := cmd.Wait()
			if out.String() != gone || gone == "" && (err == nil || !strings.Contains(said.String(), "the session is ended")) {
				t.Errorf("it ended by %v, and printed %q\n%s", err, out.String(), said.String())
			}
		})
	}
}

// What is kept for a pack is kept for it alone, whatever another one calls itself and
// its zones.
func TestZonesApart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, id := range []string{"org.example.a", "org.example.a/z", "org.example"} {
		pack := b.zoned(id, `{"mode": "rw"}`, "for f in /zones/z/* /zones/z/*/*; do [ -e $f ] && echo $f; done; echo "+id+" > /zones/z/mine; echo done")
		b.run("grants", "add", "--pack", pack, "--all").want(t, 0)
		if r := b.run("run", "--pack", pack); r.status != 0 || r.out != "done\n" {
			t.Errorf("%s: status %d, %q\n%s", id, r.status, r.out, r.err)
		}
	}
	found, err := filepath.Glob(filepath.Join(filepath.Dir(b.dir), "state", "workspaces", "*", "z", "mine"))
	if err != nil || len(found) != 3 {
		t.Errorf("there are %q: %v", found, err)
	}
}
