package microvm_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/landlock"
	"ambit.dev/ambit/internal/enforce/microvm"
	"ambit.dev/ambit/internal/enforce/microvm/build"
	"ambit.dev/ambit/internal/enforce/microvm/image"
	"ambit.dev/ambit/internal/enforce/microvm/machine"
	"ambit.dev/ambit/internal/enforce/microvm/qemu"
	"ambit.dev/ambit/internal/enforce/process"
)

func facts() enforce.Facts {
	f := enforce.Facts{UID: os.Getuid(), GID: os.Getgid(), UserNamespace: true}
	f.LandlockABI, _ = landlock.ABI() // 0 where there is none
	return f
}

// made is the tier that all tests use: one image, one cold boot, clones for
// everything else.
var made = sync.OnceValues(func() (microvm.Tier, error) {
	programs, err := programs()
	if err != nil {
		return microvm.Tier{}, err
	}
	kernel, err := filepath.Abs(cmp.Or(os.Getenv("AMBIT_TEST_KERNEL"), "../../../.tools/kernels/stock"))
	if err != nil {
		return microvm.Tier{}, err
	}
	if _, err := os.Stat(kernel); err != nil {
		return microvm.Tier{}, fmt.Errorf("a kernel in .tools/kernels/stock: scripts/guest.sh prepare fetches it")
	}
	program, err := qemu.Find()
	if err != nil {
		return microvm.Tier{}, err
	}
	img, err := build.Image(ctx, build.Config{Order: image.Order{Store: filepath.Join(scratch, "images"), Guest: filepath.Join(programs, "ambit-guest"),
		Kernel: kernel, Parts: []string{"python3"}}, Progress: func(string, int, int) {}})
	if err != nil {
		return microvm.Tier{}, errors.Join(errBuild, err)
	}
	return with(img, program, programs), nil
})

func with(img image.Image, program, programs string) microvm.Tier {
	jail := qemu.Confined{Tier: process.Tier{}, Facts: facts(), Guard: filepath.Join(programs, "ambit-guard")}
	return microvm.Tier{Image: img, Driver: qemu.Driver{Program: program, Jail: jail, With: machine.TCG, TSC: qemu.DefaultTSC}}
}

var errBuild = errors.New("the image could not be built")

func tier(t testing.TB) microvm.Tier {
	t.Helper()
	got, err := made()
	if errors.Is(err, errBuild) {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip("requires:", err)
	}
	return got
}

// programs are the folder of ambit-guest and ambit-guard.
func programs() (string, error) {
	if bin := os.Getenv("AMBIT_BIN"); bin != "" {
		return filepath.Dir(bin), nil
	}
	dir := filepath.Join(scratch, "bin")
	cmd := exec.Command("go", "build", "-o", dir+"/", "ambit.dev/ambit/cmd/ambit-guest", "ambit.dev/ambit/cmd/ambit-guard")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %w: %s", errBuild, err, out)
	}
	return dir, nil
}

// input is an ad hoc run of a script.
func input(t testing.TB, script string) enforce.Input {
	t.Helper()
	in := enforce.Input{Session: "s-" + strings.ToLower(filepath.Base(t.Name())), Objects: map[string][]enforce.Object{}, AdHoc: true, Home: enforce.HomeEphemeral, HomePath: "/home/u",
		Program: enforce.Program{Path: "/bin/sh", Argv: []string{"sh", "-c", script}, Dir: "/tmp", Env: []string{"PATH=/usr/bin:/bin", "HOME=/home/u"}}}
	for _, p := range []string{"/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/alternatives"} {
		fi, err := os.Lstat(p)
		switch {
		case err != nil:
		case fi.Mode()&os.ModeSymlink != 0:
			target, err := os.Readlink(p)
			if err != nil {
				t.Fatal(err)
			}
			in.Base.Links = append(in.Base.Links, enforce.Link{Path: p, Target: target})
		default:
			in.Base.Dirs = append(in.Base.Dirs, object(t, p))
		}
	}
	in.Base.Files = []enforce.File{{Path: "/etc/passwd", Content: []byte(fmt.Sprintf("root:x:0:0::/root:/bin/sh\nu:x:%d:%d::/home/u:/bin/sh\n", os.Getuid(), os.Getgid()))}}
	return in
}

func object(t testing.TB, path string) enforce.Object {
	t.Helper()
	fi, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		t.Fatal("no identity")
	}
	return enforce.Object{Path: path, Dir: fi.IsDir(), Dev: st.Dev, Ino: st.Ino}
}

// folder makes a granted folder with one file.
func folder(t testing.TB, in *enforce.Input, write bool) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("was\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	in.Volumes = append(in.Volumes, enforce.Volume{Source: object(t, dir), Target: dir, Write: write})
	return dir
}

func plan(t testing.TB, in enforce.Input) enforce.Plan {
	t.Helper()
	in.Tier = enforce.TierEmulated
	p, err := enforce.Compile(in, facts())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// running is a program that was let go.
type running struct {
	enforce.Session
	out, err bytes.Buffer
	read     sync.WaitGroup
}

func start(t testing.TB, tr microvm.Tier, p enforce.Plan, stdin string) *running {
	t.Helper()
	r := &running{}
	pipe := func(into *bytes.Buffer) *os.File {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.read.Go(func() {
			_, _ = io.Copy(into, read)
			_ = read.Close()
		})
		return write
	}
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	out, errs := pipe(&r.out), pipe(&r.err)
	go func() {
		_, _ = io.WriteString(feed, stdin)
		_ = feed.Close()
	}()
	s, err := tr.Start(t.Context(), p, enforce.Stdio{In: in, Out: out, Err: errs})
	_, _, _ = in.Close(), out.Close(), errs.Close()
	if err != nil {
		t.Fatal(err)
	}
	r.Session = s
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *running) wait(t testing.TB) enforce.Result {
	t.Helper()
	stop := time.AfterFunc(10*time.Minute, func() { _ = r.Kill() })
	defer stop.Stop()
	res, err := r.Wait()
	if err != nil {
		t.Error(err)
	}
	for range r.Denials() {
		t.Error("a denial")
	}
	r.read.Wait()
	return res
}

func run(t testing.TB, tr microvm.Tier, in enforce.Input, stdin string) (enforce.Result, string, string) {
	t.Helper()
	r := start(t, tr, plan(t, in), stdin)
	res := r.wait(t)
	return res, r.out.String(), r.err.String()
}
