package script_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
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
		if mode == "append" && !opensDevice("/dev/fuse") {
			continue
		}
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
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

// outgrow is every way that comes to mind to have more in a folder than was allowed,
// each tried for itself. It prints those that the kernel did not refuse.
const outgrow = `
import errno, mmap, os, sys
D, most = "/out", int(sys.argv[1])
def full(fd, n):
    while n > 0: n -= os.write(fd, b"x" * min(n, 4096))
def made(name): return os.open(os.path.join(D, name), os.O_CREAT | os.O_RDWR, 0o600)
def written(): full(made("f"), 2 * most)
def appended():
    for i in range(2 * most // 1000):
        f = os.open(D + "/log", os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600); full(f, 1000); os.close(f)
def by_many():
    for i in range(20): full(made("part%d" % i), most // 10)
def hole(): os.pwrite(made("f"), b"x", 4 * most)
def truncated_up(): os.ftruncate(made("f"), 4 * most)
def truncated_by_name(): made("f"); os.truncate(D + "/f", 4 * most)
def allocated(): os.posix_fallocate(made("f"), 0, 2 * most)
def mapped():
    f = made("f"); full(f, 4096); m = mmap.mmap(f, 4096); os.ftruncate(f, 4 * most); m[0:1] = b"y"
def removed_and_open():
    held = []
    for i in range(4):
        f = made("f"); held.append(f); full(f, most // 2); os.unlink(D + "/f")
def renamed_over_and_open():
    held = []
    for i in range(4):
        f = made("g"); held.append(f); full(f, most // 2); os.rename(D + "/g", D + "/f")
def in_folders():
    d = D
    for i in range(8):
        d += "/d"; os.mkdir(d); full(os.open(d + "/f", os.O_CREAT | os.O_RDWR), most // 4)
def moved_away():
    full(made("f"), most // 2); os.mkdir(D + "/e"); os.rename(D + "/f", D + "/e/f"); os.rename(D + "/e", D + "/k"); full(made("f"), most)
def unnamed(): full(os.open(D, os.O_TMPFILE | os.O_RDWR, 0o600), 2 * most)
def copied():
    a, b = made("a"), made("b"); full(a, most // 2)
    for i in range(4): os.lseek(a, 0, 0); os.copy_file_range(a, b, most // 2, 0)
    if os.fstat(b).st_size < most: raise OSError(errno.EDQUOT, "")
def many_files():
    for i in range(3000): os.close(made("n%d" % i))
def two_processes():
    if os.fork() == 0:
        try: full(made("c"), most)
        finally: os._exit(0)
    os.wait(); full(made("f"), most)
try: globals()[sys.argv[2]](); print("done")
except OSError as e: print(errno.errorcode[e.errno])
`

// A bounded folder holds no more than its bound, whatever is tried, while the program
// runs and afterwards; without the bound each way has more there.
func TestZoneBounded(t *testing.T) {
	t.Parallel()
	if !opensDevice("/dev/fuse") {
		t.Skip("requires: a FUSE device that can be opened")
	}
	const most = 64 << 10
	for _, way := range []string{"written", "appended", "by_many", "hole", "truncated_up", "truncated_by_name", "allocated", "mapped", "removed_and_open",
		"renamed_over_and_open", "in_folders", "moved_away", "unnamed", "copied", "many_files", "two_processes"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			for _, bounded := range []bool{false, true} {
				b := newBench(t)
				script, out := b.write("outgrow.py", outgrow), filepath.Join(b.dir, "out")
				if err := os.Mkdir(out, 0o755); err != nil {
					t.Fatal(err)
				}
				flags := []string{"run", "-v", out + ":/out:rw", "--allow", "fs.read:" + script}
				if bounded {
					flags = append(flags, "--limit", fmt.Sprintf("disk.out=%d", most))
				}
				r := b.run(append(flags, "--", "python3", script, fmt.Sprint(most), way)...)
				told := strings.Contains(r.err, "ambit: limit disk.out of 65536 bytes reached: writes to /out were refused") ||
					strings.Contains(r.err, "ambit: limit files.out of 1016 reached: making more in /out was refused")
				refusal := way == "mapped" || way == "unnamed" // by another errno, of what is never carried out
				if done := r.out == "done\n"; done == bounded || bounded && !refusal && (!told || r.out != "EDQUOT\n") {
					t.Errorf("bounded %v: it came to %q, status %d\n%s", bounded, r.out, r.status, r.err)
				}
				bytes, files := 0, 0
				if err := filepath.Walk(out, func(path string, info os.FileInfo, err error) error {
					if err == nil && info.Mode().IsRegular() {
						bytes += int(info.Size())
					}
					files++
					return err
				}); err != nil {
					t.Fatal(err)
				}
				if bounded && (bytes > most || files > 1017) {
					t.Errorf("there are %d bytes in %d files", bytes, files)
				}
			}
		})
	}
}

// Where what is bounded would not be, or is somebody else's to count, the launch is refused.
func TestZoneBoundRefused(t *testing.T) {
	t.Parallel()
	if !opensDevice("/dev/fuse") {
		t.Skip("requires: a FUSE device that can be opened")
	}
	b := newBench(t)
	file := b.write("out/f", "x")
	out := filepath.Dir(file)
	rw := []string{"run", "-v", out + ":/out:rw", "--limit", "disk.out=1M"}
	for want, flags := range map[string][]string{
		"the same files can be written at":        {"--allow", "fs.write:" + out},
		"the same files can be written at /again": {"-v", out + ":/again:rw"},
		"is denied in it":                         {"--deny", "fs.read:" + file},
		"the gvisor tier does not count":          {"--tier", "gvisor"},
		"two volumes are called so":               {"-v", out + ":/b/out:ro"},
	} {
		r := b.run(append(append(slices.Clip(rw), flags...), "--", "true")...)
		if r.status != 125 || !strings.Contains(r.err, want) {
			t.Errorf("%q: status %d\n%s", flags, r.status, r.err)
		}
	}
	for want, flags := range map[string][]string{
		"only what lies in a folder is counted": {"-v", file + ":/f:rw", "--limit", "disk.f=1M"},
		"it is read-only":                       {"-v", out + ":/out:ro", "--limit", "disk.out=1M"},
		"copy on write grows":                   {"-v", out + ":/out:cow", "--limit", "disk.out=1M"},
	} {
		r := b.run(append(append([]string{"run"}, flags...), "--", "true")...)
		if r.status != 125 || !strings.Contains(r.err, want) {
			t.Errorf("%q: status %d\n%s", flags, r.status, r.err)
		}
	}
	// One session has it at a time.
	cmd := b.command(append(rw, "--", "sh", "-c", "echo here > /out/here; read x")...)
	feed, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(out + "/here"); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("it did not begin")
		}
	}
	b.run(append(rw, "--", "true")...).want(t, 125, "another session has it")
	_ = feed.Close()
	_ = cmd.Wait()
	b.run(append(rw, "--", "true")...).want(t, 0)
}
