package guest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"ambit.dev/ambit/test/guest/job"
)

// A suite is the tests of one package, or some of them, for one user of the
// guest.
type suite struct {
	folder string // of the package, beneath the root of the repository
	uid    int
	run    string // -test.run; "" for all
	skip   string // -test.skip: with a reason where it is written
	group  string // control group; a user's is delegated
	// forbidden is a switch of sysctl that forbids user namespaces at 0; it is
	// set to that for this suite, and put back afterwards.
	forbidden string
	// skips is how many tests may say what they require and be skipped.
	skips int
	limit time.Duration
}

func (s suite) name() string {
	who := "root"
	if s.uid != 0 {
		who = "user"
	}
	if s.forbidden != "" {
		who += "/" + s.forbidden
	}
	return who + "/" + s.folder
}

// program is the compiled test program in the guest.
func (s suite) program() string {
	return "/srv/tests/" + strings.ReplaceAll(s.folder, "/", "-") + ".test"
}

const sources = "/srv/src"

func (s suite) job() job.Job {
	home, name := "/root", "root"
	if s.uid != 0 {
		home, name = "/home/ana", "ana"
	}
	j := job.Job{
		Name: s.name(), UID: s.uid, Group: s.group, Delegate: s.group != "",
		Dir:  filepath.Join(sources, s.folder),
		Argv: []string{s.program(), "-test.v=test2json", "-test.paniconexit0", "-test.timeout=" + s.limit.String()},
		Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + home, "USER=" + name, "LOGNAME=" + name, "SHELL=/bin/bash",
			"LANG=C.UTF-8", "TERM=dumb", "AMBIT_BIN=/usr/local/bin/ambit", "AMBIT_GUEST=" + strconv.Itoa(s.uid)},
		Limit: s.limit + 10*time.Second,
	}
	if s.forbidden != "" {
		j.Setting = "/proc/sys/" + strings.ReplaceAll(s.forbidden, ".", "/")
		j.Env = append(j.Env, "AMBIT_FORBIDDEN="+s.forbidden)
	}
	if s.run != "" {
		j.Argv = append(j.Argv, "-test.run="+s.run)
	}
	if s.skip != "" {
		j.Argv = append(j.Argv, "-test.skip="+s.skip)
	}
	return j
}

// compile runs the go command for an architecture.
func compile(dir, arch string, args ...string) error {
	cmd := exec.Command("go", args...) //nolint:noctx // the test's deadline ends it
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// build puts Ambit and the test programs of the suites into the guest, all
// built as Ambit ships: without cgo.
func (r rootfs) build(root, arch string, suites []suite) error {
	bin, tests := filepath.Join(r.dir, "usr/local/bin"), filepath.Join(r.dir, "srv/tests")
	for _, d := range []string{bin, tests} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := compile(root, arch, "build", "-trimpath", "-o", bin, "./cmd/..."); err != nil {
		return err
	}
	built := map[string]bool{}
	for _, s := range suites {
		if built[s.folder] {
			continue
		}
		built[s.folder] = true
		if err := compile(filepath.Join(root, s.folder), arch, "test", "-c", "-o", filepath.Join(r.dir, s.program()), "."); err != nil {
			return err
		}
		if err := r.tree(filepath.Join(sources, s.folder), filepath.Join(root, s.folder)); err != nil {
			return err
		}
	}
	return nil
}

// withModules puts modules where the guest's own modprobe finds them.
func (r rootfs) withModules(k kernel, names ...string) error {
	files, err := k.order(names...)
	if err != nil {
		return err
	}
	lists, err := filepath.Glob(filepath.Join(k.modules, "modules.*"))
	if err != nil {
		return err
	}
	for _, l := range lists {
		files = append(files, filepath.Base(l))
	}
	for _, f := range files {
		if err := r.install(filepath.Join("/usr/lib/modules", k.release, f), filepath.Join(k.modules, f)); err != nil {
			return err
		}
	}
	return nil
}
