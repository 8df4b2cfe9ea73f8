package script_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// newLearnBench is a bench whose work is a folder of its own below the home, with
// keys lying about.
func newLearnBench(t *testing.T, programs ...string) *bench {
	t.Helper()
	for _, name := range programs {
		if _, err := os.Stat("/usr/bin/" + name); err != nil {
			t.Skipf("requires: /usr/bin/%s (%v)", name, err)
		}
	}
	b := newAskingBench(t)
	b.dir = filepath.Join(b.home, "src", "app")
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b.write("../../.ssh/id_ed25519", "a key\n")
	b.write("../../.gitconfig", "[user]\n\tname = Ana\n\temail = ana@example.com\n[init]\n\tdefaultBranch = main\n")
	b.write("../../notes/a.txt", "one two\n")
	b.write("../../notes/b.txt", "three\n")
	return b
}

// outside runs a program of the host, without a sandbox.
func (b *bench) outside(argv ...string) {
	b.t.Helper()
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = b.dir, b.env
	if out, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("%q: %v\n%s", argv, err, out)
	}
}

// manifest is the text of what was learned.
func (b *bench) manifest() string {
	b.t.Helper()
	text, err := os.ReadFile(filepath.Join(b.dir, "ambit.json"))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(text)
}

// learnt learns a command, grants what the manifest asks for, and runs the pack:
// without a question and without a denial, by what was printed and by the log.
func (b *bench) learnt(argv ...string) (learned, ran ran) {
	b.t.Helper()
	return b.learntWith(nil, argv...)
}

func (b *bench) learntWith(flags []string, argv ...string) (learned, ran ran) {
	b.t.Helper()
	learned = b.run(slices.Concat([]string{"learn"}, flags, []string{"--"}, argv)...)
	learned.want(b.t, 0, "ambit: wrote ambit.json")
	if _, text, _ := strings.Cut(b.manifest(), `"capabilities"`); strings.Contains(text, ".ssh") || strings.Contains(text, `:~"`) {
		b.t.Errorf("it asks for what nobody may have:\n%s", text)
	}
	b.run("grants", "add", "--pack", ".", "--all", "--broad").want(b.t, 0)
	ran = b.run("run", "--pack", ".")
	ran.want(b.t, 0)
	if strings.Contains(ran.err, "ambit:") {
		b.t.Errorf("the pack was told of something:\n%s\nits manifest:\n%s", ran.err, b.manifest())
	}
	if end := b.end(); strings.Contains(end, "denied") || strings.Contains(end, "asked") {
		b.t.Errorf("the log of the pack's run: %s\n%s\nits manifest:\n%s", end, b.denials(), b.manifest())
	}
	return learned, ran
}

// end is what the log says of the last session's end.
func (b *bench) end() string {
	b.t.Helper()
	r := b.run("audit", "ls", "--kind", "session.end")
	r.want(b.t, 0)
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	return lines[len(lines)-1]
}

func (b *bench) denials() string { return b.run("audit", "ls", "--kind", "denial").out }

// has fails unless the manifest has each of these lines, comments and all.
func (b *bench) has(lines ...string) {
	b.t.Helper()
	text := b.manifest()
	for _, line := range lines {
		if !strings.Contains(text, line) {
			b.t.Errorf("want %s in\n%s", line, text)
		}
	}
}

func TestLearnGit(t *testing.T) {
	b := newLearnBench(t, "git")
	b.write("a.txt", "a\n")
	b.outside("git", "init", "-q")
	b.outside("git", "add", ".")
	b.outside("git", "commit", "-qm", "one")
	_, ran := b.learnt("sh", "-c", "git status --short && date >> a.txt && git commit -qam more && git log --format=%s")
	if !strings.Contains(ran.out, "more\nmore\none") {
		t.Errorf("got %s", ran.out)
	}
	b.has(`"fs.read:~/.gitconfig", // read by git`, `"fs.write:`, `"process.spawn:/usr/bin/git", // run by sh`)
}

func TestLearnPython(t *testing.T) {
	b := newLearnBench(t, "python3")
	b.write(".venv/pyvenv.cfg", "home = /usr/bin\n")
	b.write("words/__init__.py", "def count(text): return len(text.split())\n")
	b.write("report.py", `import glob, multiprocessing, os, words
paths = sorted(glob.glob(os.path.expanduser("~/notes/*.txt")))
with multiprocessing.get_context("fork").Pool(1) as pool:
    n = sum(pool.map(words.count, [open(p).read() for p in paths]))
os.makedirs("out", exist_ok=True)
open("out/report.txt", "w").write(str(n))
print(n)
`)
	_, ran := b.learnt("python3", "report.py")
	if ran.out != "3\n" {
		t.Errorf("got %q", ran.out)
	}
	b.has(`"fs.read:~/notes", // read by python3`, `"fs.write:.", // changed by python3`, `"process.spawn:/usr/bin/python3`)
}

func TestLearnNode(t *testing.T) {
	b := newLearnBench(t, "node")
	b.write("node_modules/dep/package.json", `{"name":"dep","version":"1.0.0","main":"lib/i.js"}`)
	b.write("node_modules/dep/lib/i.js", "module.exports = text => text.split(/\\s+/).filter(Boolean).length\n")
	b.write("index.js", `const fs = require("fs"), os = require("os"), path = require("path"), count = require("dep")
const dir = path.join(os.homedir(), "notes")
const n = fs.readdirSync(dir).map(f => count(fs.readFileSync(path.join(dir, f), "utf8"))).reduce((a, b) => a + b)
fs.mkdirSync("out", { recursive: true })
fs.writeFileSync("out/report.txt", String(n))
console.log(n, require("child_process").execFileSync("cat", ["out/report.txt"], { encoding: "utf8" }))
`)
	_, ran := b.learnt("node", "index.js")
	if ran.out != "3 3\n" {
		t.Errorf("got %q", ran.out)
	}
	b.has(`"fs.read:~/notes", // read by node`, `"fs.write:.", // changed by node`, `"process.spawn:/usr/bin/cat", // run by node`)
}

func TestLearnNpm(t *testing.T) {
	b := newLearnBench(t, "npm")
	for _, dir := range []string{b.home + "/.npm", b.home + "/dep"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	b.write("../../dep/package.json", `{"name":"dep","version":"1.0.0","main":"i.js"}`)
	b.write("../../dep/i.js", "module.exports = 42\n")
	b.write("package.json", `{"name":"app","version":"1.0.0","dependencies":{"dep":"file:../../dep/dep-1.0.0.tgz"}}`)
	b.outside("npm", "pack", "-s", "--pack-destination", b.home+"/dep", b.home+"/dep")
	b.learnt("npm", "install", "--offline", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
	b.has(`"fs.read:~/dep/dep-1.0.0.tgz", // read by npm`, `"fs.write:.", // changed by npm`, `"fs.write:~/.npm", // changed by npm`)
	if _, err := os.Stat(filepath.Join(b.dir, "node_modules/dep/i.js")); err != nil {
		t.Error(err)
	}
}

func TestLearnMake(t *testing.T) {
	b := newLearnBench(t, "make", "cc")
	b.write("Makefile", "prog: main.o util.o\n\tcc -o $@ $^\n%.o: %.c\n\tcc -c -o $@ $<\n")
	b.write("main.c", "int f(void);\nint main(void) { return f(); }\n")
	b.write("util.c", "int f(void) { return 0; }\n")
	b.write("made.sh", "#!/bin/sh\ntest -s prog && echo made\n")
	if err := os.Chmod(filepath.Join(b.dir, "made.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, ran := b.learnt("sh", "-c", "rm -f *.o prog; make; ./made.sh")
	if !strings.HasSuffix(ran.out, "made\n") {
		t.Errorf("got %q", ran.out)
	}
	b.has(`"process.spawn:/usr/bin/cc", // run by make`, `"process.spawn:./made.sh", // run by sh`)
}

func TestLearnGo(t *testing.T) {
	const goTool = "/usr/local/go/bin/go"
	if _, err := os.Stat(goTool); err != nil {
		t.Skipf("requires: %s (%v)", goTool, err)
	}
	b := newLearnBench(t)
	b.write("go.mod", "module example.com/x\n\ngo 1.26\n")
	b.write("main.go", "package main\n\nfunc main() { println(2) }\n")
	if err := os.MkdirAll(filepath.Join(b.home, ".cache/go-build"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.write("build.sh", "#!/bin/sh\nexport GOTELEMETRY=off GOTOOLCHAIN=local GOFLAGS=-mod=mod CGO_ENABLED=0\nexec "+goTool+" build -o x .\n")
	if err := os.Chmod(filepath.Join(b.dir, "build.sh"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.learnt("./build.sh")
	b.has(`"fs.write:~/.cache/go-build", // changed by go`, `"entry": ["./build.sh"]`)
}

// What is refused is listed in words, stays closed, and `ambit why` knows it.
func TestLearnRefuses(t *testing.T) {
	b := newLearnBench(t)
	b.write(".env", "TOKEN=1\n")
	b.write("a.txt", "a\n")
	b.write("../../bin/tool", "#!/bin/sh\necho ran\n")
	if err := os.Chmod(filepath.Join(b.home, "bin/tool"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := b.run("learn", "--", "sh", "-c", `cat ~/.ssh/id_ed25519 .env a.txt ~/notes/a.txt; ls ~/.ssh; ~/bin/tool; echo x > ~/.bashrc; echo x > ~/notes/a.txt; cp a.txt made; exit 3`)
	r.want(t, 3, "a\none two\n", "refused while learning", b.home+"/.ssh/id_ed25519: SSH keys [d-", "outside the project", "neither to the system nor to the project", "ended with exit status 3", "lies "+b.dir+"/.env", "wrote ambit.json")
	for _, secret := range []string{"a key", "TOKEN", "ran"} {
		if strings.Contains(r.out, secret) {
			t.Errorf("%q was read: %s", secret, r.out)
		}
	}
	_, text, _ := strings.Cut(b.manifest(), `"capabilities"`)
	for _, closed := range []string{".ssh", ".env", ".bashrc", "bin/tool", `"fs.write:~`, `"fs.write:."`} {
		if strings.Contains(text, closed) {
			t.Errorf("%s is asked for:\n%s", closed, text)
		}
	}
	b.has(`"fs.read:~/notes/a.txt", // read by cat`, `"fs.write:./made", // changed by cp`)
	if trail := b.run("audit", "ls", "--kind", "decision").out; !strings.Contains(trail, "allow process.spawn:/usr/bin/cp") {
		t.Errorf("what was started is not in the log:\n%s", trail)
	}
	id := r.err[strings.Index(r.err, "id_ed25519: SSH keys [")+len("id_ed25519: SSH keys ["):]
	b.run("why", id[:strings.Index(id, "]")]).want(t, 0, "denied to read "+b.home+"/.ssh/id_ed25519", "SSH keys")
	for _, about := range []struct{ kind, text, want string }{
		{"grant.add", "notes/a.txt", "alone, to read " + b.home + "/notes/a.txt"},
		{"decision", "ask fs.read:" + b.home + "/notes/a.txt", "allow (allowed: ambit learn: an ordinary file) [d-"},
		{"decision", "ask fs.read:" + b.home + "/.ssh/id_ed25519", "deny (SSH keys) [d-"},
	} {
		for line := range strings.Lines(b.run("audit", "ls", "--kind", about.kind).out) {
			if strings.Contains(line, about.text) {
				b.run("why", strings.Fields(line)[4]).want(t, 0, about.want)
			}
		}
	}
	if got, err := os.ReadFile(filepath.Join(b.home, "notes/a.txt")); err != nil || string(got) != "one two\n" {
		t.Errorf("%v: %q", err, got)
	}
	// What the learned pack must not see of its own folder can be denied to it.
	b.run("grants", "add", "--pack", ".", "--deny", "fs.read:./.env").want(t, 0)
	if r := b.run("run", "--pack", ".", "--allow", "process.spawn:/usr/bin/cat"); strings.Contains(r.out, "TOKEN") {
		t.Errorf("the pack read it: %s", r.out)
	}
}

func TestLearnOutput(t *testing.T) {
	b := newLearnBench(t)
	b.write("a.txt", "a\n")
	b.run("learn", "-o", "-", "--", "cat", "../../notes/a.txt").want(t, 0, `"fs.read:~/notes/a.txt", // read by cat`, "one two\n")
	if _, err := os.Stat(filepath.Join(b.dir, "ambit.json")); err == nil {
		t.Error("it was written though it was to be printed")
	}
	b.run("learn", "--", "cat", "a.txt").want(t, 0, "wrote ambit.json, which asks for nothing: ambit run --pack")
	first := b.manifest()
	b.run("learn", "--", "cat", "../../notes/a.txt").want(t, 125, "ambit.json exists; --force replaces it")
	if b.manifest() != first {
		t.Error("it was replaced")
	}
	b.write("ambit.json", strings.Replace(first, `"local.app-`, `"org.example.app-`, 1))
	b.run("learn", "--force", "--", "cat", "../../notes/a.txt").want(t, 0, "wrote ambit.json")
	b.has(`"id": "org.example.app-`, `"fs.read:~/notes/a.txt"`)

	// Another folder: its own is not asked for, this one is.
	if err := os.MkdirAll(filepath.Join(b.home, "packs/other"), 0o755); err != nil {
		t.Fatal(err)
	}
	b.run("learn", "-o", "../../packs/other/ambit.json", "--", "cat", "a.txt").want(t, 0, "a pack is started in its own folder")
	text, err := os.ReadFile(filepath.Join(b.home, "packs/other/ambit.json"))
	if err != nil || !strings.Contains(string(text), `"fs.read:~/src/app", // read by cat`) {
		t.Errorf("%v\n%s", err, text)
	}

	b.run("learn", "-o", b.home+"/ambit.json", "--", "true").want(t, 125, "a pack sees its own folder")
	b.run("learn", "--force", "--", "../../bin/tool").want(t, 125, "cannot be what a pack in")
	b.run("learn", "--force", "--net", "--", "true").want(t, 125, "no network")
	b.run("learn").want(t, 125, "nothing to run")
	b.run("learn", "--force", "--", "no-such-command").want(t, 127, "no such command")
	b.run("learn", "--force", "--allow", "fs.read:~/.ssh/id_ed25519", "--deny", "fs.read:~/notes", "--", "cat", b.home+"/.ssh/id_ed25519", b.home+"/notes/a.txt").
		want(t, 1, "a key", "Permission denied")
	b.has(`"fs.read:~/.ssh/id_ed25519", // read by --allow`)
	b.run("learn", "--force", "-v", b.home+"/notes:/data:ro", "--", "cat", "/data/a.txt").want(t, 0, "one two\n")
	b.has(`"fs.read:/data", // read by --volume`)
}

func TestLearnJSON(t *testing.T) {
	b := newLearnBench(t)
	r := b.run("--json", "learn", "--", "sh", "-c", "cat ~/notes/a.txt ~/.ssh/id_ed25519; exit 1")
	r.want(t, 1)
	lines := strings.Split(strings.TrimSpace(r.err), "\n")
	var got struct {
		File, ID     string
		Capabilities []struct {
			Capability string
			By         []struct {
				Program string
				Count   int
			}
		}
		Refused []struct{ Capability, Why, ID string }
	}
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &got); err != nil {
		t.Fatalf("%v in %s", err, r.err)
	}
	if got.File != "ambit.json" || len(got.Capabilities) == 0 || len(got.Refused) != 1 || !strings.Contains(got.Refused[0].Why, "SSH keys") || got.Refused[0].ID == "" {
		t.Errorf("got %+v", got)
	}
}

// What is reached through links is asked for by them, and found by the pack.
func TestLearnLinks(t *testing.T) {
	b := newLearnBench(t)
	b.write("../../dotfiles/toolrc", "set\n")
	for link, to := range map[string]string{b.home + "/.toolrc": "dotfiles/toolrc", b.home + "/current": b.home + "/notes"} {
		if err := os.Symlink(to, link); err != nil {
			t.Fatal(err)
		}
	}
	_, ran := b.learnt("sh", "-c", "cat ~/.toolrc ~/current/a.txt")
	if ran.out != "set\none two\n" {
		t.Errorf("got %q", ran.out)
	}
	b.has(`"fs.read:~/.toolrc", // read by cat`, `"fs.read:~/current/a.txt"`)
}

// The weaker way to hear of first touches learns the same.
func TestLearnByNotification(t *testing.T) {
	b := newLearnBench(t)
	if err := os.Symlink("notes", filepath.Join(b.home, "current")); err != nil {
		t.Fatal(err)
	}
	b.write(".env", "TOKEN=1\n")
	b.write("sub/x", "x\n")
	_, ran := b.learntWith([]string{"--ask-by", "notification"}, "sh", "-c", "cat ~/current/a.txt; echo y > sub/y; mkdir -p sub/z")
	if ran.out != "one two\n" {
		t.Errorf("got %q", ran.out)
	}
	b.has(`"fs.read:~/current/a.txt", // read by cat`, `"fs.write:./sub", // changed by sh`, `"process.spawn:/usr/bin/cat", // run by sh`)
	b.run("learn", "--force", "--ask-by", "guess", "--", "true").want(t, 125, "want trap or notification")
}

// What was granted before to commands without a pack is used in sight.
func TestLearnIgnoresStandingGrants(t *testing.T) {
	b := newLearnBench(t)
	b.run("grants", "add", "fs.read:~/notes").want(t, 0)
	b.run("run", "--", "true").want(t, 0) // leaves a copy of the grants for the next one
	b.run("learn", "--", "cat", "../../notes/a.txt").want(t, 0)
	b.has(`"fs.read:~/notes/a.txt", // read by cat`)
}
