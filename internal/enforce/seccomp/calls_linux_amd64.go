package seccomp

import "golang.org/x/sys/unix"

// Calls that newer architectures have no more: their names were given a folder
// to begin at, and the old ones left out.
const (
	CallOpen      = unix.SYS_OPEN
	CallCreat     = unix.SYS_CREAT
	CallMkdir     = unix.SYS_MKDIR
	CallMknod     = unix.SYS_MKNOD
	CallSymlink   = unix.SYS_SYMLINK
	CallLink      = unix.SYS_LINK
	CallUnlink    = unix.SYS_UNLINK
	CallRmdir     = unix.SYS_RMDIR
	CallRename    = unix.SYS_RENAME
	CallChmod     = unix.SYS_CHMOD
	CallChown     = unix.SYS_CHOWN
	CallLchown    = unix.SYS_LCHOWN
	CallUtime     = unix.SYS_UTIME
	CallUtimes    = unix.SYS_UTIMES
	CallFutimesat = unix.SYS_FUTIMESAT
	CallStat      = unix.SYS_STAT
	CallLstat     = unix.SYS_LSTAT
	CallAccess    = unix.SYS_ACCESS
	CallReadlink  = unix.SYS_READLINK
)
