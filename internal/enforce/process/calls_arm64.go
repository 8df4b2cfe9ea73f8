package process

// Calls that this architecture never had. No call has such a number, and each is
// another one, as cases have to be.
const (
	callOpen = -1 - iota
	callCreat
	callMkdir
	callMknod
	callSymlink
	callLink
	callUnlink
	callRmdir
	callRename
	callChmod
	callChown
	callLchown
	callUtime
	callUtimes
	callFutimesat
	callStat
	callLstat
	callAccess
	callReadlink
)
