// Package deb_test makes the package that `make deb` makes, looks at what is in it, and
// uses what it installs.
package deb_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/server/servertest"
)

// programs are the folder with what is packed; made is the package of it, and root what
// that has installed. All are made once.
var programs, made, root string

func TestMain(m *testing.M) { os.Exit(testMain(m)) }

func testMain(m *testing.M) int {
	if _, err := exec.LookPath("dpkg-deb"); err != nil {
		return m.Run() // and each test says so
	}
	ambit, done, err := servertest.Binary()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer done()
	dir, err := os.MkdirTemp("", "d") // short: a socket's name has at most 107 bytes
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	programs, made, root = filepath.Dir(ambit), filepath.Join(dir, "a.deb"), filepath.Join(dir, "r")
	for _, step := range []func() ([]byte, error){
		func() ([]byte, error) { return pack(programs, made).CombinedOutput() },
		func() ([]byte, error) { return exec.Command("dpkg-deb", "-x", made, root).CombinedOutput() },
	} {
		if out, err := step(); err != nil {
			fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}

// pack makes a package of a fixed version and time.
func pack(bin, out string, env ...string) *exec.Cmd {
	cmd := exec.Command("../../scripts/deb.sh", bin, out, "none")
	cmd.Env = append(append(os.Environ(), "SOURCE_DATE_EPOCH=1767225600", "AMBIT_VERSION=v1.2.0"), env...)
	return cmd
}

func needDpkg(t *testing.T) {
	t.Helper()
	if made == "" {
		t.Skip("requires: dpkg-deb")
	}
}

func output(t *testing.T, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

// The same programs make the same package, whoever makes it, wherever, and with any mask.
func TestReproducible(t *testing.T) {
	needDpkg(t)
	again := filepath.Join(t.TempDir(), "b.deb")
	cmd := pack(programs, again, "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8", "TMPDIR="+t.TempDir())
	cmd.Args = append([]string{"bash", "-c", `umask 077; exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
	cmd.Path, _ = exec.LookPath("bash") // the next line says if it is not there
	output(t, cmd)
	var sums [2][sha256.Size]byte
	for i, name := range []string{made, again} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		sums[i] = sha256.Sum256(text)
	}
	if sums[0] != sums[1] {
		t.Errorf("two packages of the same differ: %x and %x", sums[0], sums[1])
	}
}

// Everything is root's, nothing but root writes it, nothing is setuid, and the programs
// are all there.
func TestContents(t *testing.T) {
	needDpkg(t)
	list := output(t, exec.Command("dpkg-deb", "-c", made))
	for line := range strings.Lines(list) {
		f := strings.Fields(line)
		link := f[0][0] == 'l'
		if f[1] != "root/root" || !link && (f[0][5] == 'w' || f[0][8] == 'w') || strings.ContainsAny(f[0], "sStT") {
			t.Errorf("whose, or for whom: %s", line)
		}
	}
	all, err := filepath.Glob(filepath.Join(programs, "ambit*"))
	if err != nil || len(all) < 10 {
		t.Fatalf("programs: %q, %v", all, err)
	}
	for _, p := range all {
		if want := " ./usr/libexec/ambit/" + filepath.Base(p) + "\n"; !strings.Contains(list, want) {
			t.Errorf("not there:%s", want)
		}
	}
	for _, want := range []string{"./usr/bin/ambit -> ../libexec/ambit/ambit", "./etc/apparmor.d/ambit", "./usr/lib/systemd/user/ambit.service",
		"./usr/lib/systemd/system/ambit@.service", "./usr/share/man/man1/ambit-run.1.gz", "./usr/share/bash-completion/completions/ambit",
		"./usr/share/zsh/vendor-completions/_ambit", "./usr/share/fish/vendor_completions.d/ambit.fish", "./usr/share/doc/ambit/copyright"} {
		if !strings.Contains(list, " "+want+"\n") {
			t.Errorf("not there: %s", want)
		}
	}
	if got := output(t, exec.Command("dpkg-deb", "-f", made, "Package", "Version")); got != "Package: ambit\nVersion: 1.2.0\n" {
		t.Errorf("control: %q", got)
	}
	licences, err := os.ReadFile(filepath.Join(root, "usr/share/doc/ambit/copyright"))
	if err != nil || !bytes.Contains(licences, []byte("---- Go: LICENSE")) || !bytes.Contains(licences, []byte("---- github.com/spf13/cobra ")) {
		t.Errorf("licences of what is linked in: %d bytes, %v", len(licences), err)
	}
}

// dpkg orders the versions as they came about.
func TestVersions(t *testing.T) {
	needDpkg(t)
	before := "0~"
	for _, c := range []struct{ git, want string }{
		{"0e2a8c3", "0~git20260101.0e2a8c3"},
		{"v0.9.0", "0.9.0"},
		{"v1.0.0-rc.1", "1.0.0~rc.1"},
		{"v1.0.0-rc.1-12-g0e2a8c3", "1.0.0~rc.1+12.g0e2a8c3"},
		{"v1.0.0", "1.0.0"},
		{"v1.0.0-dirty", "1.0.0+dirty"},
		{"v1.0.1-3-g0e2a8c3-dirty", "1.0.1+3.g0e2a8c3+dirty"},
	} {
		cmd := exec.Command("../../scripts/deb.sh", "--version")
		cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1767225600", "AMBIT_VERSION="+c.git)
		got := strings.TrimSpace(output(t, cmd))
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.git, got, c.want)
		}
		if err := exec.Command("dpkg", "--compare-versions", before, "lt", got).Run(); err != nil {
			t.Errorf("%s does not come after %s: %v", got, before, err)
		}
		before = got
	}
}
