package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestF36KernelSettings(t *testing.T) {
	write := func(path string) func(f *field) error {
		// Opened only: the control must not change the host.
		return func(*field) error { return closing(unix.Open(path, unix.O_WRONLY, 0)) }
	}
	no := refused(unix.EROFS, unix.EACCES, unix.ENOENT)
	attack{
		ID: "F36", Title: "write to kernel settings that name a program to run, or control a device",
		Reference: "CVE-2022-0492 (release_agent), core_pattern and modprobe exploits",
		Tiers:     process,
		Tries: []try{
			{Name: "core_pattern", Root: true, Do: write("/proc/sys/kernel/core_pattern"), Want: no},
			{Name: "modprobe", NoControl: "not in every kernel", Do: write("/proc/sys/kernel/modprobe"), Want: no},
			{Name: "uevent_helper", NoControl: "not in every kernel", Do: write("/sys/kernel/uevent_helper"), Want: no},
			{Name: "sysrq", NoControl: "not in every kernel", Do: write("/proc/sysrq-trigger"), Want: no},
			{Name: "cgroup", Root: true, Do: func(f *field) error {
				return f.each([]string{"/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/unified/cgroup.procs", "/sys/fs/cgroup/memory/cgroup.procs"},
					func(p string) error { return closing(unix.Open(p, unix.O_WRONLY, 0)) })
			}, Want: no},
			{Name: "an own setting", Do: write("/proc/self/oom_score_adj"), Want: no},
			{Name: "the shared domain name", Root: true, Do: write("/proc/sys/kernel/hostname"), Want: no},
			{Name: "network", Root: true, Do: write("/proc/sys/net/ipv4/ip_forward"), Want: no},
			{Name: "binfmt_misc", NoControl: "not always mounted", Do: write("/proc/sys/fs/binfmt_misc/register"), Want: no},
		},
	}.run(t)
}
