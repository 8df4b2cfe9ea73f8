package enforcetest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// attempts are scripts that exit with 0 if they got what they wanted. Those
// that say so succeed without a sandbox.
var attempts = []struct {
	name, script string
	control      bool
	own          bool // with a kernel of its own it is nothing of the host's
}{
	{"read what is hidden", `cat "$HIDDEN/file"`, true, false},
	{"see that it exists", `test -e "$HIDDEN"`, true, false},
	{"write what is hidden", `echo changed > "$HIDDEN/file"`, true, false},
	{"write what may be read", `echo changed > "$READ/file"`, true, false},
	{"remove it", `rm -f "$READ/file" && test ! -e "$READ/file"`, true, false},
	{"change its mode", `chmod 666 "$READ/file"`, true, false},
	{"make a file beside it", `: > "$READ/new"`, true, false},
	{"move it", `mv "$READ/file" "$WORK/moved"`, true, false},
	{"link it", `ln "$READ/file" "$WORK/linked"`, true, false},
	{"a link to the outside", `ln -s "$HIDDEN/file" "$WORK/link" && cat "$WORK/link"`, true, false},
	{"climb", `cat ../hidden/file`, true, false},
	{"climb by /proc", `cat /proc/self/cwd/../hidden/file`, true, false},
	{"a setuid program", `cp /bin/true "$WORK/t" && chmod u+s "$WORK/t" && test -u "$WORK/t"`, true, false},
	{"a new user namespace", `unshare -Ur true`, true, false},
	{"a mount in one", `unshare -Urm mount -t tmpfs none /tmp`, true, false},
	{"a mount", `mount -t tmpfs none "$WORK"`, false, false},
	{"take a mount away", `umount -l /proc || umount -l /tmp`, false, false},
	{"chroot", `chroot / true`, false, false},
	{"the host's process by /proc", `test -d /proc/$VICTIM`, true, false},
	{"its environment", `cat /proc/$VICTIM/environ`, true, false},
	{"a signal to it", `kill -0 $VICTIM`, true, false},
	{"all others", `kill -KILL -1; sleep 0.2; kill -0 $VICTIM`, false, false},
	{"the host's loopback", `python3 -c 'import os, socket; socket.create_connection(("127.0.0.1", int(os.environ["PORT"])), 3)'`, true, false},
	{"the host's unix socket", `python3 -c 'import os, socket; socket.socket(socket.AF_UNIX).connect(os.environ["HIDDEN"] + "/s")'`, true, false},
	{"its abstract socket", `python3 -c 'import os, socket; socket.socket(socket.AF_UNIX).connect("\0" + os.environ["ABSTRACT"])'`, true, false},
	{"a datagram outside", `python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.1", 9))'`, false, false},
	{"a raw socket", `python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)'`, false, false},
	{"a kernel crypto socket", `python3 -c 'import socket; socket.socket(38, socket.SOCK_SEQPACKET)'`, false, false},
	{"devices of the host", `ls /dev/kmsg /dev/mem /dev/fuse /dev/sda /dev/vda /dev/loop0 2>/dev/null | grep .`, false, true},
	{"a device node", `mknod "$WORK/n" c 1 3`, false, false},
	{"kernel settings", `echo x > /proc/sys/kernel/core_pattern || echo 1 > /proc/sys/net/ipv4/ip_forward`, false, false},
	{"sysfs", `test -e /sys/kernel`, true, false},
	{"control groups", `test -e /sys/fs/cgroup`, true, false},
	{"other terminals", `ls /dev/pts | grep '[0-9]'`, false, false},
	{"the kernel's log", `dmesg`, false, true},
	{"shared memory of the host", `test -e /dev/shm/$SHM`, true, false},
	{"the environment of the launcher", `grep -aq ENFORCETEST_SECRET /proc/1/environ /proc/self/environ`, false, false},
	{"a descriptor of the launcher", `ls /proc/self/fd | grep -v '^[0123]$'`, false, false}, // 3 is ls's own
	{"the keyring", `python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall(250, 0, -3, 1) < 0)'`, true, true},
	{"trace", `python3 -c 'import ctypes, os, sys; sys.exit(ctypes.CDLL(None).ptrace(0x4206, int(os.environ["VICTIM"]), 0, 0) < 0)'`, true, false},
	{"io_uring", `python3 -c 'import ctypes, sys; sys.exit(ctypes.CDLL(None).syscall(425, 1, ctypes.create_string_buffer(120)) < 0)'`, true, false},
}

// filtered are attempts that only the system call filter ends: a bit that gives
// nothing, and a kernel's own way to do what it may.
var filtered = []string{"a setuid program", "io_uring"}

// denied tries what must not be.
func (s suite) denied(t *testing.T, names ...string) {
	t.Setenv("ENFORCETEST_SECRET", "x")
	for _, a := range attempts {
		if a.own && s.differs.OwnKernel || s.differs.NoFilter && slices.Contains(filtered, a.name) {
			continue
		}
		if len(names) > 0 && !slices.Contains(names, a.name) {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			if a.control {
				c := newEnemy(t)
				if out, err := c.outside(a.script).CombinedOutput(); err != nil {
					t.Errorf("without a sandbox it does not succeed either: %v %s", err, out)
				}
			}
			e := newEnemy(t)
			before := e.look(t)
			in := e.input(t, "/bin/sh", "-c", a.script)
			in.Program.Env = append(in.Program.Env, e.env...)
			begin := time.Now()
			r := s.run(t, in, nil)
			if r.Exit == 0 {
				t.Errorf("it succeeded: %s%s", r.out, r.err)
			}
			if took := time.Since(begin); took > 2*patience {
				t.Errorf("it took %v", took)
			}
			if after := e.look(t); after != before {
				t.Errorf("the host was changed: %s, then %s", before, after)
			}
			e.gone(t)
		})
	}
}

// enemy is a place with what else of the host can be attacked.
type enemy struct {
	place
	env    []string
	victim *exec.Cmd
}

func newEnemy(t *testing.T) enemy {
	t.Helper()
	e := enemy{place: newPlace(t), victim: exec.Command("sleep", "3600")}
	if err := e.victim.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = e.victim.Process.Kill() // an attempt without a sandbox may have ended it
		_ = e.victim.Wait()
	})
	tcp := listen(t, "tcp", "127.0.0.1:0")
	listen(t, "unix", e.hidden+"/s")
	abstract := "enforcetest-" + filepath.Base(filepath.Dir(e.dir)) + strconv.Itoa(e.victim.Process.Pid)
	listen(t, "unix", "@"+abstract)
	shm := "enforcetest-" + strconv.Itoa(e.victim.Process.Pid)
	if err := os.WriteFile("/dev/shm/"+shm, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove("/dev/shm/" + shm) }) // a temporary file
	_, port, err := net.SplitHostPort(tcp.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	e.env = []string{"VICTIM=" + strconv.Itoa(e.victim.Process.Pid), "PORT=" + port, "ABSTRACT=" + abstract, "SHM=" + shm}
	return e
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // nothing was written
	return l
}

// outside runs a script without a sandbox.
func (e enemy) outside(script string) *exec.Cmd {
	cmd := exec.Command("/bin/sh", "-c", script)
	cmd.Dir = e.work
	cmd.Env = append(append(os.Environ(), e.env...), "WORK="+e.work, "READ="+e.read, "HIDDEN="+e.hidden)
	return cmd
}

// look says how the host is, as far as the attempts would change it.
func (e enemy) look(t *testing.T) string {
	t.Helper()
	var state strings.Builder
	for _, p := range []string{e.hidden, e.hidden + "/file", e.read, e.read + "/file"} {
		fi, err := os.Lstat(p)
		if err != nil {
			return err.Error()
		}
		state.WriteString(fi.Mode().String() + fi.ModTime().String())
	}
	for _, p := range []string{e.hidden, e.read} {
		text, err := os.ReadFile(p + "/file")
		if err != nil {
			return err.Error()
		}
		state.Write(text)
	}
	if err := e.victim.Process.Signal(os.Signal(noSignal)); err != nil {
		return "the victim is dead"
	}
	return state.String()
}
