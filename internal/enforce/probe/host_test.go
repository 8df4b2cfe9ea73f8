package probe_test

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"ambit.dev/ambit/internal/enforce/probe"
)

// sound is a host on which everything is as it should be.
func sound() (probe.Host, fstest.MapFS) {
	files := fstest.MapFS{
		"proc/sys/user/max_user_namespaces":         {Data: []byte("31000\n")},
		"proc/sys/kernel/seccomp/actions_avail":     {Data: []byte("kill_process kill_thread trap errno user_notif trace log allow\n")},
		"proc/self/mountinfo":                       {Data: []byte("22 1 0:21 / /proc rw - proc proc rw\n30 22 0:28 / /proc/sys/fs/binfmt_misc rw - autofs x rw\n")},
		"dev/fuse":                                  {Mode: 0o600},
		"sys/kernel/security/lsm":                   {Data: []byte("capability,landlock,yama\n")},
		"proc/sys/kernel/unprivileged_userns_clone": {Data: []byte("1\n")},
	}
	return probe.Host{
		FS: files, UID: 1000, Kernel: "6.12.0", LandlockABI: 6,
		Open: func(string) error { return nil }, NewUser: func() error { return nil },
	}, files
}

func TestSoundHost(t *testing.T) {
	h, _ := sound()
	for _, f := range h.Facts() {
		if f.State != probe.Holds || f.Fix != "" {
			t.Errorf("%+v", f)
		}
	}
}

// Each cause is named, with what changes it.
func TestUnsoundHosts(t *testing.T) {
	denied := func() error { return errors.New("operation not permitted") }
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for _, tc := range []struct {
		name        string
		damage      func(*probe.Host, fstest.MapFS)
		layer       string
		state       probe.State
		detail, fix string
	}{
		{"no user namespaces", func(h *probe.Host, f fstest.MapFS) {
			h.NewUser, f["proc/sys/user/max_user_namespaces"] = denied, file("0\n")
		}, "user namespaces", probe.Fails, "user.max_user_namespaces is 0", "sysctl -w user.max_user_namespaces="},
		{"Debian's switch", func(h *probe.Host, f fstest.MapFS) {
			h.NewUser, f["proc/sys/kernel/unprivileged_userns_clone"] = denied, file("0\n")
		}, "user namespaces", probe.Fails, "kernel.unprivileged_userns_clone is 0", "sysctl -w kernel.unprivileged_userns_clone=1"},
		{"Ubuntu's AppArmor", func(h *probe.Host, f fstest.MapFS) {
			h.NewUser, f["proc/sys/kernel/apparmor_restrict_unprivileged_userns"] = denied, file("1\n")
		}, "user namespaces", probe.Fails, "kernel.apparmor_restrict_unprivileged_userns is 1", "/etc/apparmor.d/ambit"},
		{"a profile of AppArmor", func(h *probe.Host, f fstest.MapFS) {
			h.NewUser, f["proc/self/attr/current"] = denied, file("ambit (enforce)\n")
		}, "user namespaces", probe.Fails, `AppArmor confines ambit by the profile "ambit"`, "/etc/apparmor.d/ambit"},
		{"no profile of AppArmor", func(h *probe.Host, f fstest.MapFS) {
			h.NewUser, f["proc/self/attr/current"], f["sys/fs/selinux/enforce"] = denied, file("unconfined\n"), file("1")
		}, "user namespaces", probe.Fails, "SELinux is enforcing", "ausearch"},
		{"SELinux", func(h *probe.Host, f fstest.MapFS) {
			h.NewUser, f["sys/fs/selinux/enforce"] = denied, file("1")
		}, "user namespaces", probe.Fails, "SELinux is enforcing", "ausearch"},
		{"Docker", func(h *probe.Host, f fstest.MapFS) {
			h.NewUser, f[".dockerenv"] = denied, file("")
		}, "user namespaces", probe.Fails, "inside a Docker container", "seccomp=unconfined"},
		{"Podman", func(h *probe.Host, f fstest.MapFS) {
			h.NewUser, f["run/.containerenv"] = denied, file("")
		}, "user namespaces", probe.Fails, "inside a Podman container", "seccomp=unconfined"},
		{"another container", func(h *probe.Host, f fstest.MapFS) {
			h.NewUser, f["proc/1/environ"] = denied, file("PATH=/bin\x00container=lxc\x00")
		}, "user namespaces", probe.Fails, "inside a container (lxc)", "seccomp=unconfined"},
		{"root does without", func(h *probe.Host, _ fstest.MapFS) {
			h.NewUser, h.UID = denied, 0
		}, "user namespaces", probe.Absent, "root does without", ""},
		{"masked /proc", func(_ *probe.Host, f fstest.MapFS) {
			f["proc/self/mountinfo"] = file("22 1 0:21 / /proc rw - proc proc rw\n31 22 0:29 / /proc/kcore rw - tmpfs tmpfs rw\n")
		}, "/proc", probe.Weaker, "a fresh one may be refused: /proc/kcore", "systempaths=unconfined"},
		{"no mountinfo", func(_ *probe.Host, f fstest.MapFS) { delete(f, "proc/self/mountinfo") }, "/proc", probe.Fails, "mountinfo", ""},
		{"older Landlock", func(h *probe.Host, _ fstest.MapFS) { h.LandlockABI = 4 },
			"Landlock", probe.Weaker, "version 4, which does not cover what version 6 does: ioctl on devices (Linux 6.10), signals and abstract sockets (Linux 6.12)", "Linux 6.12"},
		{"the oldest Landlock", func(h *probe.Host, _ fstest.MapFS) { h.LandlockABI = 1 },
			"Landlock", probe.Fails, "version 1, 2 is needed; missing: moving files between folders (Linux 5.19), truncating by path (Linux 6.2)", "Linux 6.12"},
		{"Landlock switched off", func(h *probe.Host, f fstest.MapFS) {
			h.LandlockABI, f["sys/kernel/security/lsm"] = 0, file("capability,yama,apparmor")
		}, "Landlock", probe.Fails, "was started without it", "lsm=landlock,capability,yama,apparmor"},
		{"no seccomp", func(_ *probe.Host, f fstest.MapFS) { delete(f, "proc/sys/kernel/seccomp/actions_avail") },
			"seccomp", probe.Fails, "no seccomp filters", "CONFIG_SECCOMP_FILTER"},
		{"no notification", func(_ *probe.Host, f fstest.MapFS) {
			f["proc/sys/kernel/seccomp/actions_avail"] = file("kill errno allow")
		}, "seccomp", probe.Fails, "no user notification", "5.19"},
		{"no FUSE", func(h *probe.Host, _ fstest.MapFS) { h.Open = opens("/dev/fuse", fs.ErrNotExist) },
			"FUSE", probe.Absent, "there is no /dev/fuse; ambit run asks by notification instead, if --ask-by notification", "modprobe fuse"},
		{"forbidden FUSE", func(h *probe.Host, _ fstest.MapFS) { h.Open = opens("/dev/fuse", fs.ErrPermission) },
			"FUSE", probe.Absent, "its mode is 0600); ambit run asks by notification", "chmod 0666 /dev/fuse"},
		{"forbidden KVM", func(h *probe.Host, _ fstest.MapFS) { h.Open = opens("/dev/kvm", fs.ErrPermission) },
			"KVM", probe.Absent, "/dev/kvm may not be opened", "usermod -aG kvm"},
		{"broken tunnels", func(h *probe.Host, _ fstest.MapFS) { h.Open = opens("/dev/net/tun", errors.New("no such device")) },
			"tunnels", probe.Absent, "no such device", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h, files := sound()
			tc.damage(&h, files)
			for _, f := range h.Facts() {
				switch {
				case f.Layer != tc.layer:
					if f.State != probe.Holds {
						t.Errorf("another layer: %+v", f)
					}
				case f.State != tc.state || !strings.Contains(f.Detail, tc.detail) || !strings.Contains(f.Fix, tc.fix):
					t.Errorf("got %+v", f)
				}
			}
		})
	}
}

func opens(broken string, err error) func(string) error {
	return func(device string) error {
		if device == broken {
			return err
		}
		return nil
	}
}
