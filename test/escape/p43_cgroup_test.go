package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestP43Cgroup(t *testing.T) {
	attack{
		ID: "P43", Title: "run a program on the host by a control group's release_agent",
		Reference: "CVE-2022-0492; Felix Wilhelm's one-liner, 2019",
		Tiers:     process,
		Tries: []try{
			{Name: "the one-liner", NoControl: "it would mount on the host", Sh: "mkdir -p /tmp/c && mount -t cgroup -o rdma cgroup /tmp/c && echo 1 > /tmp/c/notify_on_release", Want: refused()},
			{Name: "in namespaces of its own", NoControl: "it would mount on the host", Sh: "unshare -UrmC sh -c 'mkdir -p /tmp/c && mount -t cgroup -o rdma cgroup /tmp/c'", Want: refused()},
			{Name: "release_agent", NoControl: "its place depends on the host", Do: func(f *field) error {
				return f.each([]string{"/sys/fs/cgroup/release_agent", "/sys/fs/cgroup/memory/release_agent", "/sys/fs/cgroup/devices/devices.allow", "/sys/fs/cgroup/cgroup.subtree_control"}, exists)
			}, Want: refused(unix.ENOENT)},
		},
	}.run(t)
}
