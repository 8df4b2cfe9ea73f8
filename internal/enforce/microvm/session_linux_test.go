package microvm_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/microvm"
	"ambit.dev/ambit/internal/enforce/microvm/machine"
	"ambit.dev/ambit/internal/enforce/microvm/qemu"
)

// TestGrants: what may be read is a copy, what may be written comes back.
func TestGrants(t *testing.T) {
	tr := tier(t)
	in := input(t, "")
	read, work := folder(t, &in, false), folder(t, &in, true)
	for _, d := range []string{"sub/deep", "gone"} {
		if err := os.MkdirAll(filepath.Join(work, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, work, "sub/deep/same", "same\n")
	write(t, work, "gone/file", "x")
	write(t, read, "secret", "x")
	if err := os.Symlink("file", filepath.Join(work, "link")); err != nil {
		t.Fatal(err)
	}
	in.Program.Argv = []string{"sh", "-c", `cd ` + work + `
		cat file ` + read + `/file sub/deep/same link
		(echo x > ` + read + `/file) 2>/dev/null || echo closed
		(rm -f ` + read + `/file) 2>/dev/null || echo closed
		echo now > file; mkdir -p new/er; echo n > new/er/f; chmod 700 new/er/f; rm -r gone; ln -sf sub link; mv sub/deep sub/moved; mkfifo pipe; ln -s /etc/passwd out`}
	res, out, errs := run(t, tr, in, "")
	if res.Exit != 0 || out != "was\nwas\nsame\nwas\nclosed\nclosed\n" {
		t.Errorf("got %+v %q %q", res, out, errs)
	}
	for name, want := range map[string]string{work + "/file": "now\n", work + "/new/er/f": "n\n", work + "/sub/moved/same": "same\n", read + "/file": "was\n"} {
		if got, err := os.ReadFile(name); err != nil || string(got) != want {
			t.Errorf("%s: %q %v, want %q", name, got, err, want)
		}
	}
	if fi, err := os.Stat(work + "/new/er/f"); err != nil || fi.Mode().Perm() != 0o700 {
		t.Errorf("%v %v", fi, err)
	}
	for _, name := range []string{"gone", "sub/deep", "pipe"} {
		if _, err := os.Lstat(filepath.Join(work, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, want := range map[string]string{"link": "sub", "out": "/etc/passwd"} {
		if got, err := os.Readlink(filepath.Join(work, name)); err != nil || got != want {
			t.Errorf("%s leads to %q, %v", name, got, err)
		}
	}
}

func write(t testing.TB, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestMeanwhile: changes are brought back while the program runs, and what was
// changed on the host too stays as it is there, and is said.
func TestMeanwhile(t *testing.T) {
	tr := tier(t)
	in := input(t, "")
	work := folder(t, &in, true)
	write(t, work, "both", "was\n")
	in.Program.Argv = []string{"sh", "-c", "cd " + work + "; echo one > file; cat; echo mine > both"}
	p := plan(t, in)
	stdin, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	s, err := tr.Start(t.Context(), p, enforce.Stdio{In: stdin, Out: null, Err: null})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the change comes back", func() bool {
		text, err := os.ReadFile(filepath.Join(work, "file"))
		return err == nil && string(text) == "one\n"
	})
	write(t, work, "both", "the host's, and longer\n")
	_ = feed.Close()
	res, err := s.Wait()
	if res.Exit != 0 || err == nil || !strings.Contains(err.Error(), `"both"`) {
		t.Errorf("got %+v %v", res, err)
	}
	if text, err := os.ReadFile(filepath.Join(work, "both")); err != nil || string(text) != "the host's, and longer\n" {
		t.Errorf("got %q %v", text, err)
	}
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for range 6000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("it does not come about that %s", what)
}

// TestClones: two machines of one template are not the same one.
func TestClones(t *testing.T) {
	tr := tier(t)
	seen := map[string]int{}
	for i := range 2 {
		in := input(t, `head -c 16 /dev/urandom | od -An -tx1; cat /proc/sys/kernel/random/boot_id /etc/machine-id; hostname; python3 -c 'import os; print(os.getrandom(16).hex())'; date +%s`)
		in.Session += strconv.Itoa(i)
		res, out, errs := run(t, tr, in, "")
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if res.Exit != 0 || len(lines) != 6 {
			t.Fatalf("got %+v %q %q", res, out, errs)
		}
		for _, l := range lines[:5] {
			seen[l]++
		}
		sec, err := strconv.ParseInt(lines[5], 10, 64)
		if d := time.Since(time.Unix(sec, 0)); err != nil || d < -time.Minute || d > 5*time.Minute {
			t.Errorf("its clock says %q", lines[5])
		}
	}
	for what, n := range seen {
		if n > 1 {
			t.Errorf("%d machines have %q", n, what)
		}
	}
}

// TestEnds: how a program and a machine may end.
func TestEnds(t *testing.T) {
	tr := tier(t)
	for _, c := range []struct {
		script       string
		exit, signal int
	}{{"exit 7", 7, 0}, {"kill -TERM $$", 143, 15}, {"kill -9 $$", 137, 9}} {
		if res, _, _ := run(t, tr, input(t, c.script), ""); res.Exit != c.exit || res.Signal != c.signal {
			t.Errorf("%s: %+v", c.script, res)
		}
	}
	in := input(t, "")
	in.Program.Path = "/nonexistent"
	if res, _, _ := run(t, tr, in, ""); !errors.Is(res.CannotExec, os.ErrNotExist) {
		t.Errorf("got %+v", res)
	}
	in = input(t, "sleep 600")
	in.Limits.Wall = time.Second
	if res, _, _ := run(t, tr, in, ""); res.Limit != "wall" || res.Exit != 143 && res.Exit != 137 { // it is asked to end first, for some seconds
		t.Errorf("got %+v", res)
	}
	in = input(t, "python3 -c 'x = bytearray(200 << 20)'")
	in.Limits.Memory = 64 << 20
	if res, _, _ := run(t, tr, in, ""); res.Limit != "memory" {
		t.Errorf("got %+v", res)
	}
	in = input(t, "f() { f | f & }; f; sleep 600")
	in.Limits.PIDs = 20
	in.Limits.Wall = 20 * time.Second
	if res, _, _ := run(t, tr, in, ""); res.Limit == "" {
		t.Errorf("got %+v", res)
	}
}

// TestKilled: whatever is killed, the session ends, nothing is left, and it is said.
func TestKilled(t *testing.T) {
	tr := tier(t)
	for name, kill := range map[string]func(*testing.T, *running){
		"by its session": func(t *testing.T, r *running) {
			if err := r.Kill(); err != nil {
				t.Error(err)
			}
		},
		"process 1 of QEMU's jail": func(t *testing.T, r *running) { killAll(t, []int{r.PID()}) },
		"QEMU": func(t *testing.T, r *running) {
			killAll(t, children(t, r.PID()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			in := input(t, "echo began; trap '' TERM; sleep 600")
			r := start(t, tr, plan(t, in), "")
			pids := append(children(t, r.PID()), r.PID())
			if len(pids) < 2 {
				t.Fatalf("processes %v", pids)
			}
			kill(t, r)
			res, err := r.Wait()
			if res.Signal != int(syscall.SIGKILL) || (err == nil) != (name == "by its session") {
				t.Errorf("got %+v %v", res, err)
			}
			for _, pid := range pids {
				if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
					t.Errorf("process %d: %v", pid, err)
				}
			}
		})
	}
}

// TestFrozen: a machine that does not answer any more is ended by its deadline.
func TestFrozen(t *testing.T) {
	tr := tier(t)
	r := start(t, tr, plan(t, input(t, "sleep 600")), "")
	for _, pid := range children(t, r.PID()) {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	begin := time.Now()
	if err := r.Kill(); err != nil {
		t.Error(err)
	}
	if res, _ := r.Wait(); res.Signal != int(syscall.SIGKILL) {
		t.Errorf("got %+v", res)
	}
	if d := time.Since(begin); d > 2*time.Minute {
		t.Errorf("it took %v", d)
	}
}

func children(t testing.TB, pid int) (pids []int) {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		t.Fatal(err)
	}
	for f := range strings.FieldsSeq(string(text)) {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		pids = append(pids, n)
	}
	return pids
}

func killAll(t *testing.T, pids []int) {
	t.Helper()
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
}

// TestRefused: what a machine does not carry out is named, and a label is never
// another one's.
func TestRefused(t *testing.T) {
	tr := tier(t)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	good := plan(t, input(t, "true"))
	for want, change := range map[string]func(*enforce.Plan){
		"asking about what is changed": func(p *enforce.Plan) { p.Filter.HoldChanges = true },
		"nobody at its other end":      func(p *enforce.Plan) { p.Link = &enforce.LinkPlan{} },
		"what may be started":          func(p *enforce.Plan) { p.Filter.NoSpawn = true },
		"the host's socket":            func(p *enforce.Plan) { p.Landlock.Connect = []string{"/run/s"} },
		"limit of memory":              func(p *enforce.Plan) { p.Limits.Memory = 1 << 40 },
		`promises "microvm"`:           func(p *enforce.Plan) { p.Tier = enforce.TierMicroVM },
		`promises "process"`:           func(p *enforce.Plan) { p.Tier = enforce.TierProcess },
		"the device": func(p *enforce.Plan) {
			p.View = append(p.View, enforce.Entry{Op: enforce.OpBind, Path: "/dev/sda", Source: "/dev/sda", Device: true})
		},
	} {
		p := good
		change(&p)
		s, err := tr.Start(t.Context(), p, enforce.Stdio{In: null, Out: null, Err: null})
		if err == nil {
			_ = s.Kill()
			_, _ = s.Wait()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

// TestReplaced: what was granted is another object by the time it is copied.
func TestReplaced(t *testing.T) {
	tr := tier(t)
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	in := input(t, "true")
	dir := folder(t, &in, true)
	p := plan(t, in)
	if err := os.Rename(dir, dir+".was"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", dir); err != nil {
		t.Fatal(err)
	}
	if s, err := tr.Start(t.Context(), p, enforce.Stdio{In: null, Out: null, Err: null}); err == nil {
		_ = s.Kill()
		_, _ = s.Wait()
		t.Error("a link to elsewhere was copied")
	}
}

// TestTen: ten machines at once, each with little memory of its own.
func TestTen(t *testing.T) {
	tr := tier(t)
	var all []*running
	for i := range 10 {
		in := input(t, "echo up; cat")
		in.Session += strconv.Itoa(i)
		stdin, feed, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer feed.Close()
		out, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		s, err := tr.Start(t.Context(), plan(t, in), enforce.Stdio{In: stdin, Out: w, Err: w})
		if err != nil {
			t.Fatal(err)
		}
		_, _ = stdin.Close(), w.Close()
		if err := s.Release(); err != nil {
			t.Fatal(err)
		}
		r := &running{Session: s}
		all = append(all, r)
		if n, err := out.Read(make([]byte, 8)); n != 3 || err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		_ = out.Close()
		t.Logf("machine %d: first byte after %v, %d kB of its own", i, time.Since(begin).Round(time.Millisecond), private(t, r.PID()))
	}
	for _, r := range all {
		if mb := private(t, r.PID()) >> 10; mb > 64 {
			t.Errorf("a machine has %d MB of its own", mb)
		}
		if err := r.Kill(); err != nil {
			t.Error(err)
		}
	}
	for _, r := range all {
		if res, err := r.Wait(); err != nil || res.Signal != int(syscall.SIGKILL) {
			t.Errorf("%+v %v", res, err)
		}
	}
}

// private is what QEMU has written itself, in kB. What of the template waits to be
// written to the disk counts as private and dirty too, and is no machine's own.
func private(t testing.TB, jail int) (kB int) {
	t.Helper()
	for _, pid := range children(t, jail) {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
		if err != nil {
			return 0 // a user may not look; root's run does
		}
		for line := range strings.Lines(string(text)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "Anonymous:" {
				n, err := strconv.Atoi(f[1])
				if err != nil {
					t.Fatal(err)
				}
				kB += n
			}
		}
	}
	return kB
}

// TestUnproven: an accelerator that does not work is found out, within its time.
func TestUnproven(t *testing.T) {
	tr := tier(t)
	d, ok := tr.Driver.(qemu.Driver)
	if !ok {
		t.Fatal("another driver")
	}
	if _, err := os.Stat("/sys/module/kvm_pvm"); err != nil {
		t.Skip("requires: a host whose KVM runs no stock kernel")
	}
	d.With, d.Proof = machine.KVM, filepath.Join(t.TempDir(), "kvm.json")
	claims := d.Probe(t.Context())
	if len(claims) != 1 || claims[0].Holds || !strings.Contains(claims[0].Why, "PVM") {
		t.Errorf("got %+v", claims)
	}
	if name := (microvm.Tier{Driver: d}).Name(); name != enforce.TierMicroVM {
		t.Errorf("it is called %s", name)
	}
}
