package guest

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
	"time"

	"ambit.dev/ambit/test/guest/job"
)

var (
	whole   = flag.Bool("whole", false, "run everything, not the part that make test runs")
	only    = flag.String("only", "", "regular expression for the suites to run: user/internal/enforce/trap")
	tests   = flag.String("tests", "", "regular expression for the tests to run in those suites, also of what they leave out")
	keep    = flag.String("keep", "", "folder that keeps what the machine is made of, its console, and what is heard of it while it runs")
	kernels = flag.String("kernels", "../../.tools/kernels", "folder of unpacked kernel packages")
)

// needGuest skips where no guest can be made.
func needGuest(t *testing.T, kernelName, qemu string) kernel {
	t.Helper()
	if err := available(qemu); err != nil {
		t.Skip("requires: ", err)
	}
	dir, err := filepath.Abs(filepath.Join(*kernels, kernelName))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("requires: the kernel %s: scripts/guest.sh fetches it", kernelName)
	}
	k, err := findKernel(dir)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// boot runs the suites in one guest, one after another, and tells of each test
// there as of a test here.
func boot(t *testing.T, k kernel, b start) {
	t.Helper()
	suites := b.suites
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	m := prepare(t, k, root, b)
	t.Logf("prepared in %s", time.Since(began).Round(time.Millisecond))
	transcripts := make([]transcript, len(suites))
	ctx, cancel := context.WithTimeout(t.Context(), b.deadline)
	defer cancel()
	began = time.Now()
	heard, err := os.Create(filepath.Join(filepath.Dir(m.disk), "heard"))
	if err != nil {
		t.Fatal(err)
	}
	defer heard.Close()
	err = m.run(ctx, func(e job.Event) {
		if _, err := heard.Write(e.Out); err != nil {
			t.Error(err)
		}
		if e.Job < 0 {
			t.Logf("the guest says: %s", e.Out)
			return
		}
		transcripts[e.Job].add(e)
		if e.Ended {
			t.Logf("%6.1fs %s: %s", time.Since(began).Seconds(), suites[e.Job].name(), e.Took.Round(time.Millisecond))
		}
	})
	t.Logf("the guest ended after %s", time.Since(began).Round(time.Millisecond))
	if err != nil {
		t.Error(err)
	}
	for i, s := range suites {
		t.Run(s.name(), func(t *testing.T) { transcripts[i].report(t, s) })
	}
}

// prepare lays out the machine.
func prepare(t *testing.T, k kernel, root string, b start) machine {
	t.Helper()
	suites := b.suites
	if b.model.packages != "" {
		b.model.packages = filepath.Join(*kernels, b.model.packages)
	}
	dir := *keep
	if dir == "" {
		dir = t.TempDir()
	}
	r, err := newRootfs(filepath.Join(dir, "root"), b.model)
	if err == nil {
		err = r.withModules(k, "fuse", "tun", "veth", "overlay", "vsock")
	}
	if err == nil && b.model.packages == "" {
		err = r.other()
	}
	if policy := filepath.Join(*kernels, "apparmor.compiled"); err == nil && b.kernel == "newest" {
		err = copyFile(filepath.Join(r.dir, "srv/apparmor.compiled"), policy)
	}
	if err == nil {
		err = r.build(root, b.model.arch, suites)
	}
	m := machine{kernel: k, model: b.model, disk: filepath.Join(dir, "disk"), initrd: filepath.Join(dir, "initrd"), console: filepath.Join(dir, "console")}
	if err == nil {
		err = r.image(m.disk)
	}
	if err != nil {
		t.Fatal(err)
	}
	jobs := make([]job.Job, 0, len(suites))
	for _, s := range suites {
		jobs = append(jobs, s.job())
	}
	inside := filepath.Join(dir, "inside")
	if err := compile("inside", b.model.arch, "build", "-o", inside, "."); err != nil {
		t.Fatal(err)
	}
	initrd, err := k.initramfs(inside, jobs)
	if err == nil {
		err = os.WriteFile(m.initrd, initrd, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// report fails for what failed in the guest.
func (tr *transcript) report(t *testing.T, s suite) {
	t.Helper()
	if !tr.ended {
		t.Errorf("it did not end; it said:\n%s", tr.out.Bytes())
		return
	}
	results, err := tr.results()
	if err != nil {
		t.Fatal(err)
	}
	failed, skipped := false, 0
	for _, r := range results {
		switch r.action {
		case "pass":
		case "skip":
			skipped++
			t.Logf("skipped: %s\n%s", r.name, r.output)
		default:
			failed = true
			t.Errorf("%s in the guest:\n%s", r.name, r.output)
		}
	}
	t.Logf("%d tests in %s, %d of them skipped", len(results), tr.took.Round(time.Millisecond), skipped)
	if skipped > s.skips {
		t.Errorf("%d tests were skipped, %d may be", skipped, s.skips)
	}
	if tr.err != "" && !failed || len(results) == 0 {
		t.Errorf("%s; it said:\n%s", tr.err, tr.out.Bytes())
	}
}

// TestGuest boots kernels of Debian and runs there what has to hold on each: in
// make test a part of it, once, on the stock kernel.
func TestGuest(t *testing.T) {
	for _, b := range boots(*whole) {
		t.Run(b.name, func(t *testing.T) {
			wanted := regexp.MustCompile(*only)
			b.suites = slices.DeleteFunc(b.suites, func(s suite) bool { return !wanted.MatchString(s.name()) })
			if *tests != "" {
				for i := range b.suites {
					b.suites[i].run, b.suites[i].skip = *tests, ""
				}
			}
			boot(t, needGuest(t, b.kernel, b.model.qemu), b)
		})
	}
}
