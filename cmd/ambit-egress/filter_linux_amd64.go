package main

import "golang.org/x/sys/unix"

const arch = unix.AUDIT_ARCH_X86_64

// native are calls that others do not have.
var native = []uint32{unix.SYS_EPOLL_WAIT, unix.SYS_POLL, unix.SYS_NEWFSTATAT, unix.SYS_READLINK, unix.SYS_ARCH_PRCTL}
