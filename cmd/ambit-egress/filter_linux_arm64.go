package main

import "golang.org/x/sys/unix"

const arch = unix.AUDIT_ARCH_AARCH64

// native are calls that others do not have.
var native = []uint32{unix.SYS_FSTATAT}
