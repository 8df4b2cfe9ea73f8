package main

import "golang.org/x/sys/unix"

// closed are calls that change a file by its descriptor other than by writing.
var closed = []uint32{unix.SYS_FTRUNCATE, unix.SYS_FALLOCATE, unix.SYS_FCHMOD, unix.SYS_FCHOWN, unix.SYS_FSETXATTR, unix.SYS_FREMOVEXATTR,
	unix.SYS_REMAP_FILE_PAGES, unix.SYS_IO_URING_SETUP, unix.SYS_TRUNCATE}

// exchanges are requests of ioctl(2) that put other content into a file
// (linux/fs.h, linux/falloc.h, fs/ext4/ext4.h).
var exchanges = []uint32{
	0x40049409, 0x4020940d, 0xc0189436, // FICLONE, FICLONERANGE, FIDEDUPERANGE
	0x40305828, 0x4030582a, 0x40305829, 0x4030582b, 0x40305839, // RESVSP, RESVSP64, UNRESVSP, UNRESVSP64, ZERO_RANGE
	0xc028660f, // EXT4_IOC_MOVE_EXT
}

// Offsets into struct seccomp_data (linux/seccomp.h); the low half of an argument
// comes first.
const offNumber, offArch, offArgs = 0, 4, 16

// x32 is the bit of calls with another argument layout (x86).
const x32 = 0x40000000

// program makes the filter: what is not named stays as it was.
func program() []unix.SockFilter {
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		and   = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		least = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K
		deny  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	)
	p := []unix.SockFilter{
		{Code: load, K: offArch},
		{Code: equal, K: arch, Jt: 1},
		{Code: ret, K: unix.SECCOMP_RET_KILL_PROCESS},
		{Code: load, K: offNumber},
		{Code: least, K: x32, Jf: 1},
		{Code: ret, K: deny},
	}
	for _, nr := range closed {
		p = append(p, unix.SockFilter{Code: equal, K: nr, Jf: 1}, unix.SockFilter{Code: ret, K: deny})
	}
	// Of a mapping: whether it is shared, and of a file.
	p = append(p,
		unix.SockFilter{Code: equal, K: unix.SYS_MMAP, Jf: 5},
		unix.SockFilter{Code: load, K: offArgs + 8*3},
		unix.SockFilter{Code: and, K: unix.MAP_SHARED | unix.MAP_ANONYMOUS}, // MAP_SHARED_VALIDATE has that bit too
		unix.SockFilter{Code: equal, K: unix.MAP_SHARED, Jf: 1},
		unix.SockFilter{Code: ret, K: deny},
		unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: equal, K: unix.SYS_IOCTL, Jt: 1},
		unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW},
		unix.SockFilter{Code: load, K: offArgs + 8})
	for _, request := range exchanges {
		p = append(p, unix.SockFilter{Code: equal, K: request, Jf: 1}, unix.SockFilter{Code: ret, K: deny})
	}
	return append(p, unix.SockFilter{Code: ret, K: unix.SECCOMP_RET_ALLOW})
}
