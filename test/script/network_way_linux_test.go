package script_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// TestWayOfPackets: packets go by a tun device where /dev/net/tun opens for this
// user and by a veth pair where it does not, and what can be reached is the same.
// The report and the doctor say which it is.
func TestWayOfPackets(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("requires: root")
	}
	for _, tc := range []struct {
		name     string
		mode     uint32
		uid      uint32
		way, say string
	}{
		{"open for all, a user", 0o666, 65534, "by a tun device", "a granted network goes by a tun device"},
		{"for root, a user", 0o600, 65534, "by a veth pair and a packet socket", "a granted network goes by a veth pair and a packet socket instead"},
		{"for root, root", 0o600, 0, "by a tun device", "a granted network goes by a tun device"},
		{"for nobody, root", 0, 0, "by a veth pair and a packet socket", "there is no /dev/net/tun"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			port, came := server(t)
			node := filepath.Join(b.dir, "tun")
			script := "mount -t tmpfs none /dev/net" // there is none at all
			if tc.mode != 0 {
				if err := unix.Mknod(node, unix.S_IFCHR|tc.mode, int(unix.Mkdev(10, 200))); err != nil {
					t.Skipf("requires: device nodes (%v)", err)
				}
				if err := unix.Chmod(node, tc.mode); err != nil {
					t.Fatal(err)
				}
				script = "mount --bind " + node + " /dev/net/tun"
			}
			if err := os.Chown(b.home, int(tc.uid), int(tc.uid)); err != nil {
				t.Fatal(err)
			}
			for dir := b.home; dir != "/tmp" && dir != "/"; dir = filepath.Dir(dir) {
				if err := os.Chmod(dir, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			b.env = append(b.env, "AMBIT_STATE_DIR="+filepath.Join(b.home, "state"))
			inside := func(args ...string) ran {
				t.Helper()
				as := []string{"-m", "--propagation", "private", "sh", "-c", script + ` && exec setpriv --reuid "$0" --regid "$0" --clear-groups "$@"`,
					strconv.Itoa(int(tc.uid)), binary}
				cmd := exec.Command("unshare", append(as, args...)...)
				cmd.Dir, cmd.Env = "/", b.env
				cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
				return b.finish(cmd)
			}
			r := inside("--json", "run", "--allow", "net.connect:host.ambit.internal:"+port, "--", "curl", "-sS", "http://host.ambit.internal:"+port)
			if r.status != 0 || r.out != "hello from the host\n" || !strings.Contains(r.err, tc.way+`"`) {
				t.Errorf("status %d, %q, %q; want it %s", r.status, r.out, r.err, tc.way)
			}
			if r := inside("run", "--allow", "net.connect:192.0.2.1", "--", "curl", "-sS", "-m", "60", "http://host.ambit.internal:"+port); r.status == 0 || came.Load() != 1 {
				t.Errorf("without a grant: %q, %d came", r.out, came.Load())
			}
			if r := inside("doctor"); !strings.Contains(r.out, tc.say) {
				t.Errorf("the doctor says %q, want %q", r.out, tc.say)
			}
		})
	}
}
