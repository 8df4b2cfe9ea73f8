package seccomp

import (
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// An abi is one way to number system calls.
type abi struct {
	goarch string
	audit  uint32 // AUDIT_ARCH_*, as the kernel reports it with each call
	x32    bool   // the kernel may take numbers with bit 30 under the same audit value
	// reviewed are the numbers that somebody looked at, as of Linux 6.18
	// (scripts/syscall.tbl, arch/x86/entry/syscalls/syscall_64.tbl). The newest
	// is file_setattr, 469. Numbers in the gaps have no call today; a later
	// kernel may fill them, and has done so.
	reviewed []span
	number   func(numbering) int
}

type span struct{ first, last uint32 }

var abis = []abi{
	{
		goarch:   "amd64",
		audit:    unix.AUDIT_ARCH_X86_64,
		x32:      true,
		reviewed: []span{{0, 336}, {424, 469}},
		number:   func(n numbering) int { return n.amd64 },
	},
	{
		goarch:   "arm64",
		audit:    unix.AUDIT_ARCH_AARCH64,
		reviewed: []span{{0, 243}, {260, 294}, {424, 469}},
		number:   func(n numbering) int { return n.arm64 },
	},
}

// x32Bit marks the numbers of the x32 ABI (__X32_SYSCALL_BIT).
const x32Bit = 0x40000000

// lookup returns the number of a call. It is absent where the table says none;
// a name that the table does not have is a mistake in the rules, known false.
func (a abi) lookup(call string) (nr uint32, has, known bool) {
	i, known := slices.BinarySearchFunc(numbers, call, func(n numbering, c string) int { return strings.Compare(n.call, c) })
	if !known {
		return 0, false, false
	}
	n := a.number(numbers[i])
	return uint32(n), n != none, true
}

// none says that an architecture does not have a call.
const none = -1

type numbering struct {
	call         string
	amd64, arm64 int
}

// numbers has every call that a rule names, sorted. TestNumbers compares it with
// golang.org/x/sys for both architectures.
var numbers = []numbering{
	{"access", 21, none},
	{"acct", 163, 89},
	{"add_key", 248, 217},
	{"bpf", 321, 280},
	{"chdir", 80, 49},
	{"chmod", 90, none},
	{"chown", 92, none},
	{"chroot", 161, 51},
	{"clock_settime", 227, 112},
	{"clone", 56, 220},
	{"clone3", 435, 435},
	{"connect", 42, 203},
	{"creat", 85, none},
	{"delete_module", 176, 106},
	{"execve", 59, 221},
	{"execveat", 322, 281},
	{"faccessat", 269, 48},
	{"faccessat2", 439, 439},
	{"fanotify_init", 300, 262},
	{"fchmod", 91, 52},
	{"fchmodat", 268, 53},
	{"fchmodat2", 452, 452},
	{"fchownat", 260, 54},
	{"file_setattr", 469, 469},
	{"finit_module", 313, 273},
	{"fork", 57, none},
	{"fsconfig", 431, 431},
	{"fsmount", 432, 432},
	{"fsopen", 430, 430},
	{"fspick", 433, 433},
	{"futimesat", 261, none},
	{"init_module", 175, 105},
	{"inotify_add_watch", 254, 27},
	{"io_uring_enter", 426, 426},
	{"io_uring_register", 427, 427},
	{"io_uring_setup", 425, 425},
	{"ioctl", 16, 29},
	{"ioperm", 173, none},
	{"iopl", 172, none},
	{"ioprio_set", 251, 30},
	{"kcmp", 312, 272},
	{"kexec_file_load", 320, 294},
	{"kexec_load", 246, 104},
	{"keyctl", 250, 219},
	{"kill", 62, 129},
	{"lchown", 94, none},
	{"link", 86, none},
	{"linkat", 265, 37},
	{"listen", 50, 201},
	{"lookup_dcookie", 212, 18},
	{"lremovexattr", 198, 15},
	{"lsetxattr", 189, 6},
	{"lstat", 6, none},
	{"memfd_create", 319, 279},
	{"mkdir", 83, none},
	{"mkdirat", 258, 34},
	{"mknod", 133, none},
	{"mknodat", 259, 33},
	{"modify_ldt", 154, none},
	{"mount", 165, 40},
	{"mount_setattr", 442, 442},
	{"move_mount", 429, 429},
	{"name_to_handle_at", 303, 264},
	{"newfstatat", 262, 79},
	{"open", 2, none},
	{"open_by_handle_at", 304, 265},
	{"open_tree", 428, 428},
	{"open_tree_attr", 467, 467},
	{"openat", 257, 56},
	{"openat2", 437, 437},
	{"perf_event_open", 298, 241},
	{"personality", 135, 92},
	{"pidfd_getfd", 438, 438},
	{"pidfd_send_signal", 424, 424},
	{"pivot_root", 155, 41},
	{"prctl", 157, 167},
	{"process_madvise", 440, 440},
	{"process_vm_readv", 310, 270},
	{"process_vm_writev", 311, 271},
	{"ptrace", 101, 117},
	{"quotactl", 179, 60},
	{"quotactl_fd", 443, 443},
	{"readlink", 89, none},
	{"readlinkat", 267, 78},
	{"reboot", 169, 142},
	{"removexattr", 197, 14},
	{"removexattrat", 466, 466},
	{"rename", 82, none},
	{"renameat", 264, 38},
	{"renameat2", 316, 276},
	{"request_key", 249, 218},
	{"rmdir", 84, none},
	{"sendto", 44, 206},
	{"setns", 308, 268},
	{"setpriority", 141, 140},
	{"settimeofday", 164, 170},
	{"setxattr", 188, 5},
	{"setxattrat", 463, 463},
	{"socket", 41, 198},
	{"socketpair", 53, 199},
	{"stat", 4, none},
	{"statfs", 137, 43},
	{"statx", 332, 291},
	{"swapoff", 168, 225},
	{"swapon", 167, 224},
	{"symlink", 88, none},
	{"symlinkat", 266, 36},
	{"syslog", 103, 116},
	{"truncate", 76, 45},
	{"umount2", 166, 39},
	{"unlink", 87, none},
	{"unlinkat", 263, 35},
	{"unshare", 272, 97},
	{"userfaultfd", 323, 282},
	{"ustat", 136, none},
	{"utime", 132, none},
	{"utimensat", 280, 88},
	{"utimes", 235, none},
	{"vfork", 58, none},
	{"vhangup", 153, 58},
}
