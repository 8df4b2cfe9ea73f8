package checks

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// otherRoot is the root of a system that is not like Debian.
const otherRoot = "/srv/other"

// enterOther goes there by pivot_root(2): the kernel lets nobody who is merely
// chrooted make user namespaces.
const enterOther = `set -e
mount --make-rprivate /; mount --bind ` + otherRoot + ` ` + otherRoot + `; cd ` + otherRoot + `
for d in proc sys dev; do mount --rbind /$d $d; done
pivot_root . old; cd /; umount -l /old
exec /become "$@"`

// become is the life of a copy of this program there: it takes on a user, in the
// arguments, and executes what follows.
func become() error {
	uid, err := strconv.Atoi(os.Args[1])
	if err != nil {
		return err
	}
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setresgid(uid, uid, uid), syscall.Setresuid(uid, uid, uid)); err != nil {
		return err
	}
	home := "/root"
	if uid != 0 {
		home = "/home/ana"
	}
	if err := os.Chdir(home); err != nil {
		return err
	}
	return syscall.Exec(os.Args[2], os.Args[2:], []string{"PATH=/usr/bin:/bin", "HOME=" + home, "AMBIT_STATE_DIR=" + home + "/state"})
}

// TestOtherSystem: the base view is not Debian's alone. Where the C library is
// musl, the tools are one program and /etc has next to nothing, programs run
// confined, by root and by a user, to whom the doctor says that the tier holds.
func TestOtherSystem(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("requires: root, to enter another root; it tries both users there")
	}
	if _, err := os.Stat(otherRoot); err != nil {
		t.Skip("requires: ", otherRoot)
	}
	programs, err := filepath.Glob(os.Getenv("AMBIT_BIN") + "*")
	if err != nil || len(programs) < 2 {
		t.Fatalf("programs of ambit: %q, %v", programs, err)
	}
	copies := map[string]string{"/proc/self/exe": "become"}
	for _, p := range programs {
		copies[p] = filepath.Join("usr/bin", filepath.Base(p))
	}
	for from, to := range copies {
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(filepath.Join(otherRoot, to), text, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, uid := range []string{"0", "1000"} {
		t.Run("as "+uid, func(t *testing.T) {
			home := map[string]string{"0": "/root", "1000": "/home/ana"}[uid]
			for name, text := range map[string]string{"hidden": "this is hidden\n", "granted": "this is granted\n"} {
				if err := os.WriteFile(filepath.Join(otherRoot, home, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if uid != "0" { // who has less
				elsewhere(t, uid, "doctor").want(t, 0, "The process tier holds on this machine.")
			}
			s := elsewhere(t, uid, "run", "--ask", "none", "--allow", "fs.read:~/granted", "--", "sh", "-c", "musl; cat ~/granted /etc/pki/tls/certs/ca-bundle.crt; cat ~/hidden /etc/pki/tls/private/key")
			s.want(t, 1, "musl on NAME=\"Not Debian\"", "this is granted", "a certificate", "hidden': No such file or directory", "key': No such file or directory")
			if strings.Contains(s.out, "this is hidden") || strings.Contains(s.out, "a key") {
				t.Error("it read what is hidden")
			}
		})
	}
}

// elsewhere runs ambit in the other root.
func elsewhere(t *testing.T, uid string, args ...string) said {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "unshare", append([]string{"--mount", "sh", "-c", enterOther, "sh", uid, "/usr/bin/ambit"}, args...)...)
	var out, complaints strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaints
	return ran(t, cmd, &out, &complaints)
}
