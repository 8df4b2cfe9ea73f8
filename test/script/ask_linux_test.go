package script_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// newAskingBench is a bench whose home and work lie where a view has nothing of
// its own.
func newAskingBench(t *testing.T) *bench {
	t.Helper()
	dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("requires: /dev/fuse that this user can open (%v)", err)
	}
	dev.Close()
	return newHiddenBench(t)
}

// newHiddenBench is one whose home and work lie where a view has nothing of its
// own.
func newHiddenBench(t *testing.T) *bench {
	t.Helper()
	home, err := os.UserHomeDir()
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.MkdirTemp(home, "ambit-ask-") //nolint:usetesting // the view has a /tmp of its own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeLater(t, root) })
	b := &bench{t: t, dir: filepath.Join(root, "home"), home: filepath.Join(root, "home")}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b.env = environment(b.home, filepath.Join(root, "state"))
	return b
}

// asking is a program that runs and asks.
type asking struct {
	*exec.Cmd
	out, err strings.Builder
}

func (b *bench) ask(flags []string, argv ...string) *asking {
	b.t.Helper()
	a := &asking{Cmd: b.command(append(append([]string{"run", "--ask", "queue"}, flags...), append([]string{"--"}, argv...)...)...)}
	a.Stdout, a.Stderr = &a.out, &a.err
	if err := a.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(a.end)
	return a
}

// end ends it, if it has not ended.
func (a *asking) end() {
	_ = a.Process.Kill()
	_ = a.Wait()
}

// waiting is what `ambit approvals --json` lists.
type waiting struct {
	State    string
	Question struct {
		ID, Capability, Program, Sensitive string
		Argv                               []string
		Offers                             []struct {
			Capability, Scope string
			Broad             bool
		}
	}
}

// question waits until one is put, and returns the oldest.
func (b *bench) question(a *asking) waiting {
	b.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		r := b.run("approvals", "--json")
		r.want(b.t, 0)
		var all []waiting
		if err := json.Unmarshal([]byte(r.out), &all); err != nil {
			b.t.Fatalf("%v: %s", err, r.out)
		}
		if len(all) > 0 {
			return all[0]
		}
	}
	b.t.Fatalf("no question; the program says %q %q", a.out.String(), a.err.String())
	return waiting{}
}

// TestAsk: a program waits in its calls while a person answers from elsewhere.
func TestAsk(t *testing.T) {
	b := newAskingBench(t)
	b.write("proj/a.txt", "one\n")
	b.write("proj/b.txt", "two\n")
	key := filepath.Join(b.home, ".ssh", "id_rsa")
	if err := os.MkdirAll(filepath.Dir(key), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(key, []byte("key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a := b.ask(nil, "sh", "-c", "cat proj/a.txt; cat proj/a.txt; cat proj/b.txt; mkdir proj/new && ls proj; cat ~/.ssh/id_rsa; cat absent")

	q := b.question(a)
	if q.Question.Capability != "fs.read:"+filepath.Join(b.dir, "proj/a.txt") || q.Question.Program != "cat" || len(q.Question.Offers) != 2 {
		t.Errorf("got %+v", q)
	}
	b.run("approvals").want(t, 0, q.Question.ID+"  cat (process ", "wants to read ", "command       cat proj/a.txt", "--scope dir ", "only this file")
	b.run("why", q.Question.ID).want(t, 0, "asked to read")
	b.run("approve", q.Question.ID[:6]).want(t, 0, "Allowed: cat may read "+filepath.Join(b.dir, "proj/a.txt")+", until the program ends.")
	b.run("approve", "--scope", "declared", "--for", "always", q.Question.ID).want(t, 125)

	q = b.question(a) // the second cat of a.txt asks nothing
	if q.Question.Capability != "fs.read:"+filepath.Join(b.dir, "proj/b.txt") {
		t.Errorf("got %+v", q)
	}
	b.run("approve", "--scope", "declared", q.Question.ID).want(t, 125, "offers file", "dir")
	b.run("approve", "--scope", "fs.read:"+b.home, q.Question.ID).want(t, 125, "offers file")
	b.run("approve", "--scope", "dir", "--for", "session", q.Question.ID).want(t, 0, "proj and what is beneath it, until the program ends.")

	q = b.question(a)
	if q.Question.Capability != "fs.write:"+b.dir+"/proj" {
		t.Errorf("got %+v", q)
	}
	b.run("approve", "--for", "2h", q.Question.ID).want(t, 0, "without a pack may read and change ")

	q = b.question(a)
	if q.Question.Sensitive != "SSH keys" || len(q.Question.Offers) != 1 || !q.Question.Offers[0].Broad {
		t.Errorf("got %+v", q)
	}
	b.run("approve", q.Question.ID).want(t, 125, "reaches SSH keys", "--broad")
	b.run("deny", "--for", "always", q.Question.ID).want(t, 0, "Refused: every command that is run without a pack may not read ")
	if err := a.Wait(); err == nil || a.out.String() != "one\none\ntwo\na.txt\nb.txt\nnew\n" {
		t.Errorf("%v, output %q", err, a.out.String())
	}
	if !strings.Contains(a.err.String(), "ambit: denied fs.read:"+key+" (refused: ambit deny) [d-") {
		t.Errorf("errors %q", a.err.String())
	}
	if _, err := os.Stat(filepath.Join(b.dir, "proj/new")); err != nil {
		t.Error(err)
	}
	// What was given until the end of the program is over.
	b.run("grants", "ls").want(t, 0, "fs.write:"+b.dir+"/proj", "deny")
	if out := b.run("grants", "ls").out; strings.Contains(out, "a.txt") || strings.Contains(out, "session") {
		t.Errorf("still there: %s", out)
	}
	b.run("audit", "ls").want(t, 0, "fs.read 2 allowed 3 asked 1 denied", "answer to "+q.Question.ID)
	b.run("audit", "verify").want(t, 0, "intact")
}

// TestAskNobody: without an answer it is a denial, that says so and can be
// approved for the next time.
func TestAskNobody(t *testing.T) {
	b := newAskingBench(t)
	path := b.write("proj/a.txt", "one\n")
	r := b.run("run", "--ask", "queue", "--ask-timeout", "300ms", "--", "sh", "-c", "cat proj/a.txt || cat proj/a.txt")
	r.want(t, 1, "nobody answered within 300ms")
	if strings.Count(r.err, "nobody answered") != 1 {
		t.Errorf("asked twice: %q", r.err)
	}
	id := r.err[strings.Index(r.err, "ambit approve ")+len("ambit approve "):]
	id = strings.TrimSpace(strings.SplitN(id, "\n", 2)[0])
	b.run("why", id).want(t, 0, "nobody answered within 300ms")
	b.run("approve", "--scope", "dir", "--for", "session", id).want(t, 125, "does not run any more")
	b.run("approve", id).want(t, 0, id+" was denied. Granting: every command", "may read "+path+", once")
	b.run("run", "--ask", "queue", "--ask-timeout", "0", "--", "cat", path).want(t, 0, "one")
	// Once is once.
	b.run("run", "--ask", "queue", "--ask-timeout", "0", "--", "cat", path).want(t, 1, "the time to answer is 0")
	// What policy forbids cannot be approved.
	state := filepath.Join(filepath.Dir(b.home), "state", "ambit.db")
	r = b.run("run", "--ask", "queue", "--", "cat", state)
	r.want(t, 1, "policy forbids")
	b.run("approve", r.err[strings.Index(r.err, "[d-")+1:strings.Index(r.err, "]")]).want(t, 125, "cannot be granted", "policy forbids")
	b.run("approve", "d-aaaaaaaaaa").want(t, 125, "no question d-aaaaaaaaaa waits")
	b.run("deny", id).want(t, 125, "no question")
}

// TestAskRunning: a grant that comes while the program runs is there at its next
// touch, also of what was denied before.
func TestAskRunning(t *testing.T) {
	b := newAskingBench(t)
	b.write("a.txt", "one\n")
	a := b.ask([]string{"--ask-timeout", "0"}, "sh", "-c", "until cat a.txt 2>/dev/null; do sleep 0.05; done")
	time.Sleep(300 * time.Millisecond)
	b.run("grants", "add", "fs.read:"+filepath.Join(b.dir, "a.txt")).want(t, 0)
	if err := a.Wait(); err != nil || a.out.String() != "one\n" {
		t.Errorf("%v, output %q, errors %q", err, a.out.String(), a.err.String())
	}
}

// TestAskWithdrawn: whoever asked is killed; the question takes no answer.
func TestAskWithdrawn(t *testing.T) {
	b := newAskingBench(t)
	b.write("a.txt", "one\n")
	a := b.ask(nil, "cat", "a.txt")
	q := b.question(a)
	if err := a.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = a.Wait()
	b.run("approvals").want(t, 0, "(withdrawn: its session is gone)")
	b.run("approve", q.Question.ID).want(t, 125, "is withdrawn")
}

// TestAskKilled: what a session that was killed could not take back is not shown
// as if it stood.
func TestAskKilled(t *testing.T) {
	b := newAskingBench(t)
	b.write("a.txt", "one\n")
	a := b.ask(nil, "sh", "-c", "cat a.txt; sleep 60")
	q := b.question(a)
	b.run("approve", q.Question.ID).want(t, 0)
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		// Listed once it has run for a moment, by the one who can be asked then.
		if out := b.run("grants", "ls").out; strings.Contains(out, "session s-") && time.Since(begin) > time.Second {
			break
		}
		if time.Since(begin) > patience {
			t.Fatal("the grant of the session is not listed")
		}
	}
	if err := a.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = a.Wait()
	if out := b.run("grants", "ls").out; strings.Contains(out, "a.txt") {
		t.Errorf("still there: %s", out)
	}
	b.run("grants", "ls", "--all").want(t, 0, "a.txt")
}

// TestAskSpoof: a program that names things to deceive whoever is asked.
func TestAskSpoof(t *testing.T) {
	b := newAskingBench(t)
	name := "proj/a\x1b[2K\r\u202e" + strings.Repeat("x", 100) + "\nd-aaaaaaaaaa  cat wants to read nothing"
	b.write(name, "one\n")
	a := b.ask(nil, "sh", "-c", `cat "$1"`, "\x1b]0;ambit\a", filepath.Join(b.dir, name))
	q := b.question(a)
	for _, r := range []ran{b.run("approvals"), b.run("--json", "approvals"), b.run("deny", q.Question.ID)} {
		text := r.out + r.err
		if strings.ContainsAny(text, "\x1b\r\a\u202e") || strings.Contains(text, "\nd-aaaaaaaaaa") {
			t.Errorf("reaches the terminal: %q", text)
		}
		if !strings.Contains(text, "nothing") {
			t.Errorf("the end of the path is not there: %q", text)
		}
	}
	_ = a.Wait()
	if strings.ContainsAny(strings.SplitN(a.err.String(), "ambit: denied", 2)[1], "\x1b\r\a\u202e") {
		t.Errorf("reaches the terminal: %q", a.err.String())
	}
}

// TestAskWatch: a person sees each question as it is put, and its end.
func TestAskWatch(t *testing.T) {
	b := newAskingBench(t)
	b.write("a.txt", "one\n")
	a := b.ask(nil, "cat", "a.txt")
	q := b.question(a)
	watch := b.begin("approvals", "--watch")
	watch.until("wants to read")
	b.run("approve", q.Question.ID).want(t, 0)
	watch.until(q.Question.ID + " is over.")
	if err := watch.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := watch.Wait(); err != nil || strings.Count(watch.said(), "wants to read") != 1 {
		t.Errorf("%v: %s", err, watch.said())
	}
	_ = a.Wait()
}

// TestAskPack: what a manifest declares is asked about, the rest is not.
func TestAskPack(t *testing.T) {
	b := newAskingBench(t)
	b.write("in/deep/a.txt", "one\n")
	b.write("other/b.txt", "two\n")
	b.write("pack/ambit.json", `{"id": "org.example.asks", "name": "asks", "version": "1", "kind": "cli-tool", "entry": ["sh", "./run.sh"],
		"capabilities": ["process.spawn", {"capability": "fs.read:`+b.dir+`/in", "reason": "to sum it up"}]}`)
	b.write("pack/run.sh", "cat "+b.dir+"/in/deep/a.txt; cat "+b.dir+"/other/b.txt\n")
	b.run("grants", "add", "--pack", "pack", "process.spawn").want(t, 0)
	a := &asking{Cmd: b.command("run", "--ask", "queue", "--pack", "pack")}
	a.Stdout, a.Stderr = &a.out, &a.err
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.end)
	q := b.question(a)
	r := b.run("approvals")
	r.want(t, 0, "of the pack org.example.asks wants to read", "--scope declared", `says          "to sum it up"`)
	b.run("approve", "--scope", "declared", "--for", "always", q.Question.ID).want(t, 0, "the pack org.example.asks may read "+b.dir+"/in")
	if err := a.Wait(); err == nil || a.out.String() != "one\n" {
		t.Errorf("%v, output %q, errors %q", err, a.out.String(), a.err.String())
	}
	if !strings.Contains(a.err.String(), "its capabilities") || strings.Contains(a.err.String(), "ambit approve") {
		t.Errorf("errors %q: want the line that the manifest lacks", a.err.String())
	}
	// The answer is remembered for the pack: it runs without a question.
	b.run("run", "--ask", "queue", "--ask-timeout", "0", "--pack", "pack").want(t, 1, "one")
}

// TestAskPackChanged: a pack that changed keeps what it was given, and is asked
// only for what its new version wants beyond that.
func TestAskPackChanged(t *testing.T) {
	b := newAskingBench(t)
	first, second := b.write("in/a.txt", "one\n"), b.write("more/b.txt", "two\n")
	version := func(number, script string, wants ...string) {
		b.write("pack/run.sh", script)
		text, err := json.Marshal(append(wants, "process.spawn"))
		if err != nil {
			t.Fatal(err)
		}
		b.write("pack/ambit.json", `{"id": "org.example.changes", "name": "changes", "version": "`+number+`", "kind": "cli-tool",
			"entry": ["sh", "./run.sh"], "capabilities": `+string(text)+`}`)
	}
	run := func(answers ...string) string {
		t.Helper()
		a := &asking{Cmd: b.command("run", "--ask", "queue", "--pack", "pack")}
		a.Stdout, a.Stderr = &a.out, &a.err
		if err := a.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = a.Process.Kill() })
		for _, want := range answers {
			q := b.question(a)
			if q.Question.Capability != "fs.read:"+want {
				t.Errorf("asked for %s, want %s", q.Question.Capability, want)
			}
			b.run("approve", "--scope", "dir", "--for", "always", q.Question.ID).want(t, 0)
		}
		if err := a.Wait(); err != nil {
			t.Errorf("%v: %s", err, a.err.String())
		}
		return a.out.String()
	}
	version("1", "cat "+first+"\n", "fs.read:"+b.dir+"/in")
	b.run("grants", "add", "--pack", "pack", "process.spawn").want(t, 0)
	if out := run(first); out != "one\n" {
		t.Errorf("version 1 says %q", out)
	}
	digest := func() string {
		var r struct{ Digest string }
		if err := json.Unmarshal([]byte(b.run("--json", "pack", "check", "pack").out), &r); err != nil || r.Digest == "" {
			t.Fatalf("%+v, %v", r, err)
		}
		return r.Digest
	}
	before := digest()
	version("2", "cat "+first+" "+second+"\n", "fs.read:"+b.dir+"/in", "fs.read:"+b.dir+"/more")
	if digest() == before {
		t.Fatal("the pack has the digest that it had")
	}
	if out := run(second); out != "one\ntwo\n" {
		t.Errorf("version 2 says %q", out)
	}
	// What it wants no more it has no more, although it was granted: undeclared.
	version("3", "cat "+second+"; cat "+first+" || true\n", "fs.read:"+b.dir+"/more")
	if out := run(); out != "two\n" {
		t.Errorf("version 3 says %q", out)
	}
}

// TestAskMany: many processes want the same, and one answer serves them all.
func TestAskMany(t *testing.T) {
	b := newAskingBench(t)
	b.write("a.txt", "one\n")
	a := b.ask([]string{"--limit", "pids=400"}, "sh", "-c", "for i in $(seq 50); do cat a.txt & done; wait")
	q := b.question(a)
	b.run("approve", q.Question.ID).want(t, 0)
	if err := a.Wait(); err != nil || strings.Count(a.out.String(), "one") != 50 {
		t.Errorf("%v, %d lines, errors %q", err, strings.Count(a.out.String(), "one"), a.err.String())
	}
	b.run("audit", "ls").want(t, 0, "1 asked")
}

// TestApproveTwice: of two who answer at once, one is told that it was too late.
func TestApproveTwice(t *testing.T) {
	b := newAskingBench(t)
	b.write("a.txt", "one\n")
	a := b.ask(nil, "cat", "a.txt")
	q := b.question(a)
	var wg sync.WaitGroup
	results := make([]ran, 4)
	for i := range results {
		wg.Go(func() { results[i] = b.run("approve", q.Question.ID) })
	}
	wg.Wait()
	good := 0
	for _, r := range results {
		if r.status == 0 {
			good++
		}
	}
	if err := a.Wait(); err != nil || good != 1 {
		t.Errorf("%v, %d were told that theirs counts: %+v", err, good, results)
	}
}

// TestRevokeRunning: a revocation reaches a program that runs, tells what it
// has open all the same, and ends it where that is wanted.
func TestRevokeRunning(t *testing.T) {
	b := newBench(t)
	file := filepath.Join(b.dir, "secret")
	if err := os.WriteFile(file, []byte("secret\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	b.run("grants", "add", "fs.read:"+file).want(t, 0)
	script := `exec 5<"$1"; cat "$1"; echo ready; while cat "$1" 2>/dev/null; do sleep 0.05; done; echo gone; cat <&5; sleep 1000; echo not ended`
	x := b.begin("run", "--", "sh", "-c", script, "sh", file)
	x.until("ready")
	until(t, "that it is listed", func() bool { return strings.Contains(b.run("ps").out, "running") })
	begin := time.Now()
	r := b.run("grants", "revoke", "--kill", "--all")
	r.want(t, 0)
	if took := time.Since(begin); took > patience {
		t.Errorf("the revocation took %v", took)
	}
	for _, want := range []string{"is taken away", "descriptor 5 of sh", "the session is ended"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("revoke says %q, want %q", r.out, want)
		}
	}
	x.ends("it was not ended")
	told := false
	for line := range strings.Lines(b.run("audit", "ls").out) {
		if f := strings.Fields(line); len(f) > 4 && strings.HasPrefix(f[4], "e-") {
			told = true
			b.run("why", f[4]).want(t, 0, "taken away while it ran: to read "+file, "leads nowhere "+file, "still open    descriptor 5 of sh")
		}
	}
	if !told {
		t.Error("the log does not say what was taken away")
	}
	if text := x.said(); !strings.Contains(text, "gone") || strings.Contains(text, "not ended") {
		t.Errorf("the program says %q", text)
	}
	b.run("audit", "verify").want(t, 0)
}
