package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestN08SocketsByPath(t *testing.T) {
	no := refused(unix.ENOENT, unix.ECONNREFUSED, unix.EACCES)
	attack{
		ID: "N8, N9", Title: "connect to sockets of the host by all kinds of paths",
		Reference: "ssh-agent, gpg-agent, D-Bus, X11; paths longer than sun_path by /proc/self/fd",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			f.listen(t, "unix", f.Outside+"/agent")
			if err := os.Symlink(f.Outside+"/agent", f.work("link")); err != nil {
				t.Fatal(err)
			}
			f.Values["addr"] = f.Outside + "/agent"
		},
		Harm: reachedServer,
		Tries: []try{
			{Name: "absolute", Do: func(f *field) error { return f.dial("unix", f.Outside+"/agent") }, Want: no},
			{Name: "link", Do: func(f *field) error { return f.dial("unix", f.work("link")) }, Want: no},
			{Name: "relative after chdir", Do: func(f *field) error {
				if err := unix.Chdir(f.Dir); err != nil {
					return err
				}
				return f.dial("unix", "outside/agent")
			}, Want: no},
			{Name: "relative with ..", Do: func(f *field) error { return f.dial("unix", "../outside/agent") }, Want: no},
			{Name: "by /proc/self/fd", Do: func(f *field) error {
				fd, err := unix.Open(f.Dir, unix.O_PATH, 0)
				if err != nil {
					return err
				}
				return f.dial("unix", "/proc/self/fd/"+itoa(fd)+"/outside/agent")
			}, Want: no},
			{Name: "by /proc/self/root", Do: func(f *field) error {
				p := "/proc/self/root" + f.Outside + "/agent"
				if len(p) > 107 {
					p = "/proc/self/cwd/../outside/agent"
				}
				return f.dial("unix", p)
			}, Want: no},
		},
	}.run(t)
}

// N8: those of the host that are there now, by their usual names.
func TestN08UsualSockets(t *testing.T) {
	attack{
		ID: "N8", Title: "find daemons of the host by their usual sockets",
		Reference: "docker, containerd, systemd, D-Bus, X11, Wayland, nscd, snapd, cups, avahi, PostgreSQL",
		Tiers:     process,
		Tries: []try{{Name: "any", NoControl: "the host may have none", Want: refused(unix.ENOENT), Do: func(f *field) error {
			usual := []string{"/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/podman/podman.sock", "/run/systemd/private",
				"/run/systemd/notify", "/run/systemd/journal/socket", "/run/dbus/system_bus_socket", "/run/user/" + itoa(os.Getuid()) + "/bus",
				"/run/user/" + itoa(os.Getuid()) + "/wayland-0", "/tmp/.X11-unix/X0", "/run/nscd/socket", "/var/run/nscd/socket", "/run/snapd.socket",
				"/run/cups/cups.sock", "/run/avahi-daemon/socket", "/var/run/postgresql/.s.PGSQL.5432", "/dev/log", "/run/udev/control", "/run/user", "/run/lock"}
			return f.each(usual, exists)
		}}},
	}.run(t)
}
