package escape_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func TestP44ContainerSockets(t *testing.T) {
	dial := func(name string) func(f *field) error {
		return func(f *field) error { return f.dial("unix", f.Dir+"/"+name) }
	}
	no := refused(unix.ENOENT, unix.EACCES, unix.ECONNREFUSED, unix.EPERM, unix.EXDEV)
	attack{
		ID: "P44", Title: "connect to a daemon's socket that lies in a granted tree",
		Reference: "bind-mounted docker.sock; bwrap, firejail, landrun, fence and greywall let it pass",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			f.listen(t, "unix", f.work("docker.sock"))
			f.listen(t, "unix", f.read("containerd.sock"))
			f.listen(t, "unix", f.Outside+"/podman.sock")
			f.listen(t, "unix", f.work("two\nlines"))
		},
		Harm: reachedServer,
		Tries: []try{
			{Name: "in a writable grant", Do: dial("work/docker.sock"), Want: no},
			{Name: "in a read-only grant", Do: dial("read/containerd.sock"), Want: no},
			{Name: "of two lines", Do: dial("work/two\nlines"), Want: no},
			{Name: "hidden", Do: dial("outside/podman.sock"), Want: no},
			{Name: "by a link made inside", Do: func(f *field) error {
				if err := unix.Symlink(f.work("docker.sock"), f.work("l")); err != nil {
					return err
				}
				return f.dial("unix", f.work("l"))
			}, Want: no},
			{Name: "by a second name", Do: func(f *field) error {
				if err := unix.Link(f.work("docker.sock"), f.work("l")); err != nil {
					return err
				}
				return f.dial("unix", f.work("l"))
			}, Want: no},
			{Name: "relative", Do: func(f *field) error { return f.dial("unix", "docker.sock") }, Want: no},
		},
	}.run(t)
}

// A socket that is granted by its own name can be used, and those that the
// program makes itself too.
func TestP44GrantedSocket(t *testing.T) {
	attack{
		ID: "P44", Title: "connect to a socket that is granted by name",
		Reference: "as above",
		Tiers:     process,
		Setup:     func(t *testing.T, f *field) { f.listen(t, "unix", f.work("agent.sock")) },
		Flags:     func(f *field) []string { return []string{"--allow", "fs.write:" + f.work("agent.sock")} },
		Tries: []try{
			{Name: "granted", Do: func(f *field) error { return f.dial("unix", f.work("agent.sock")) }, Want: allowed("it is granted by name")},
			{Name: "own", Slow: "it waits for itself", Do: func(*field) error { return ownSocket("/tmp/own.sock") }, NoControl: "it would stay", Want: allowed("programs talk to themselves")},
			{Name: "own, in a grant", Slow: "it waits for itself", Do: func(f *field) error { return ownSocket(f.work("own.sock")) }, Want: allowed("programs talk to themselves")},
		},
	}.run(t)
}

// TestP44UnlistedSocket: a socket that the host's list does not name as it lies
// there, as one that is bound after the start. What closes it is the kernel.
func TestP44UnlistedSocket(t *testing.T) {
	const closesSockets = 9 // Landlock's version
	abi, err := raw(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	a := attack{
		ID: "P44", Title: "connect to a daemon's socket that no list has",
		Reference: "sockets of containers in shared folders; a daemon that is started later",
		Tiers:     process,
		Setup: func(t *testing.T, f *field) {
			dir, err := os.Open(f.Work)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { dir.Close() })
			here := "/proc/self/fd/" + itoa(int(dir.Fd())) + "/"
			f.listen(t, "unix", here+"stream")
			f.packets(t, "unixgram", here+"datagram")
		},
		Harm: reachedServer,
	}
	want := refused(unix.EACCES)
	if err != nil || abi < closesSockets {
		a.Harm, want = nil, allowed("Landlock below version 9 does not look at sockets; the threat model says so")
	}
	a.Tries = []try{
		{Name: "stream", Want: want, Do: func(f *field) error { return f.dial("unix", f.work("stream")) }},
		{Name: "datagram", Want: want, Do: func(f *field) error {
			return connect(unix.AF_UNIX, unix.SOCK_DGRAM, 0, &unix.SockaddrUnix{Name: f.work("datagram")})
		}},
	}
	a.run(t)
}
