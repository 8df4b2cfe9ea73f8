package process

import "golang.org/x/sys/unix"

// Calls that newer architectures have no more: their names were given a folder
// to begin at, and the old ones left out.
const (
	callOpen      = unix.SYS_OPEN
	callCreat     = unix.SYS_CREAT
	callMkdir     = unix.SYS_MKDIR
	callMknod     = unix.SYS_MKNOD
	callSymlink   = unix.SYS_SYMLINK
	callLink      = unix.SYS_LINK
	callUnlink    = unix.SYS_UNLINK
	callRmdir     = unix.SYS_RMDIR
	callRename    = unix.SYS_RENAME
	callChmod     = unix.SYS_CHMOD
	callChown     = unix.SYS_CHOWN
	callLchown    = unix.SYS_LCHOWN
	callUtime     = unix.SYS_UTIME
	callUtimes    = unix.SYS_UTIMES
	callFutimesat = unix.SYS_FUTIMESAT
	callStat      = unix.SYS_STAT
	callLstat     = unix.SYS_LSTAT
	callAccess    = unix.SYS_ACCESS
	callReadlink  = unix.SYS_READLINK
)
