package seccomp

// Calls that this architecture never had. No call has such a number, and each is
// another one, as cases have to be.
const (
	CallOpen = -1 - iota
	CallCreat
	CallMkdir
	CallMknod
	CallSymlink
	CallLink
	CallUnlink
	CallRmdir
	CallRename
	CallChmod
	CallChown
	CallLchown
	CallUtime
	CallUtimes
	CallFutimesat
	CallStat
	CallLstat
	CallAccess
	CallReadlink
)
