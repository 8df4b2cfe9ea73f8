package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestP28KernelSurface(t *testing.T) {
	// Arguments are such that the kernel begins and does nothing.
	do := func(nr uintptr, reach []unix.Errno, args ...uintptr) func(f *field) error {
		return func(*field) error {
			r, err := raw(nr, args...)
			if err == nil && (nr == unix.SYS_BPF || nr == unix.SYS_PERF_EVENT_OPEN || nr == unix.SYS_USERFAULTFD) {
				return unix.Close(int(r))
			}
			return reached(err, reach...)
		}
	}
	e := func(errnos ...unix.Errno) []unix.Errno { return errnos }
	none := text("/nonexistent/x")
	perf := address(&unix.PerfEventAttr{Type: unix.PERF_TYPE_SOFTWARE, Size: 64, Config: unix.PERF_COUNT_SW_TASK_CLOCK, Bits: unix.PerfBitExcludeKernel | unix.PerfBitExcludeHv})
	array := address(&[18]uint32{unix.BPF_MAP_TYPE_ARRAY, 4, 4, 1})
	self := ^uintptr(0)
	no := refused(unix.EPERM)
	const optional = "not in every kernel"
	attack{
		ID: "P28", Title: "calls that belong to nobody inside",
		Reference: "docker's default seccomp profile; CVE-2021-3490 (bpf), CVE-2013-2094 (perf), userfaultfd in most races",
		Tiers:     process,
		Tries: []try{
			{Name: "bpf", Root: true, Do: do(unix.SYS_BPF, e(unix.EINVAL), unix.BPF_MAP_CREATE, array, 72), Want: no},
			{Name: "perf_event_open", Do: do(unix.SYS_PERF_EVENT_OPEN, e(unix.EACCES, unix.ENOENT), perf, 0, self, self, 0), Want: no},
			{Name: "userfaultfd", Do: do(unix.SYS_USERFAULTFD, nil, 1), Want: no}, // UFFD_USER_MODE_ONLY
			{Name: "kexec_load", NoControl: optional, Do: do(unix.SYS_KEXEC_LOAD, nil, 0, 99), Want: no},
			{Name: "kexec_file_load", NoControl: optional, Do: do(unix.SYS_KEXEC_FILE_LOAD, nil, self, self), Want: no},
			{Name: "init_module", NoControl: optional, Do: do(unix.SYS_INIT_MODULE, nil, 0, 0, none), Want: no},
			{Name: "finit_module", NoControl: optional, Do: do(unix.SYS_FINIT_MODULE, nil, self, none), Want: no},
			{Name: "delete_module", NoControl: optional, Do: do(unix.SYS_DELETE_MODULE, nil, none), Want: no},
			{Name: "reboot", Root: true, Do: do(unix.SYS_REBOOT, e(unix.EINVAL), 1, 2, 3), Want: no},
			{Name: "swapon", NoControl: optional, Do: do(unix.SYS_SWAPON, nil, none, 0), Want: no},
			{Name: "swapoff", NoControl: optional, Do: do(unix.SYS_SWAPOFF, nil, none), Want: no},
			{Name: "acct", NoControl: optional, Do: do(unix.SYS_ACCT, nil, none), Want: no},
			{Name: "settimeofday", Do: do(unix.SYS_SETTIMEOFDAY, e(unix.EFAULT), 1, 0), Want: no},
			{Name: "clock_settime", Do: do(unix.SYS_CLOCK_SETTIME, e(unix.EINVAL), unix.CLOCK_MONOTONIC, 0), Want: no},
			{Name: "quotactl", NoControl: optional, Do: do(unix.SYS_QUOTACTL, nil, self, none, 0, 0), Want: no},
			{Name: "quotactl_fd", NoControl: optional, Do: do(unix.SYS_QUOTACTL_FD, nil, self, 0, 0, 0), Want: no},
			{Name: "syslog", Root: true, Do: do(unix.SYS_SYSLOG, nil, 10, 0, 0), Want: no},
			{Name: "lookup_dcookie", NoControl: "gone from the kernel", Do: do(unix.SYS_LOOKUP_DCOOKIE, nil, 0, 0, 0), Want: no},
			{Name: "vhangup", NoControl: "it would hang up the terminal", Do: do(unix.SYS_VHANGUP, nil), Want: no},
			{Name: "fanotify_init", Root: true, Do: do(unix.SYS_FANOTIFY_INIT, e(unix.EINVAL), 0xffff), Want: no},
		},
	}.run(t)
}
