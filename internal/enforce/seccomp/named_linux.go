//go:build linux

package seccomp

import (
	"strings"

	"golang.org/x/sys/unix"
)

// Named says by which arguments a call names files, and whether it changes the objects,
// the names in the directories above them, or nothing.
type Named struct {
	Names bool
	Makes bool     // the last path is made: where something is already, the call fails whoever allows it
	Look  bool     // it changes nothing
	Link  bool     // the last component is not followed if it is a link
	Paths [][2]int // numbers of the arguments: directory descriptor (CWD where there is none), path
	Flags int      // the argument with open's flags, or 0
	At    int      // the argument with AT_SYMLINK_NOFOLLOW, or 0
}

// CWD stands in the place of an argument where a call begins at the working directory.
const CWD = -1

// The arguments with the paths of a call.
var (
	Path0   = [][2]int{{CWD, 0}}
	Path1   = [][2]int{{CWD, 1}}
	At01    = [][2]int{{0, 1}}
	at12    = [][2]int{{1, 2}}
	both01  = [][2]int{{CWD, 0}, {CWD, 1}}
	both013 = [][2]int{{0, 1}, {2, 3}}
)

// Changing are the calls by a path that make, change or remove something, or may.
var Changing = map[int]Named{
	CallOpen:        {Paths: Path0, Flags: 1},
	unix.SYS_OPENAT: {Paths: At01, Flags: 2},
	CallCreat:       {Paths: Path0},

	CallMkdir:          {Names: true, Makes: true, Paths: Path0},
	unix.SYS_MKDIRAT:   {Names: true, Makes: true, Paths: At01},
	CallMknod:          {Names: true, Makes: true, Paths: Path0},
	unix.SYS_MKNODAT:   {Names: true, Makes: true, Paths: At01},
	CallSymlink:        {Names: true, Makes: true, Paths: Path1},
	unix.SYS_SYMLINKAT: {Names: true, Makes: true, Paths: at12},
	CallLink:           {Names: true, Makes: true, Paths: both01},
	unix.SYS_LINKAT:    {Names: true, Makes: true, Paths: both013},
	CallUnlink:         {Names: true, Paths: Path0},
	unix.SYS_UNLINKAT:  {Names: true, Paths: At01},
	CallRmdir:          {Names: true, Paths: Path0},
	CallRename:         {Names: true, Paths: both01},
	unix.SYS_RENAMEAT:  {Names: true, Paths: both013},
	unix.SYS_RENAMEAT2: {Names: true, Paths: both013},

	unix.SYS_TRUNCATE:      {Paths: Path0},
	CallChmod:              {Paths: Path0},
	unix.SYS_FCHMODAT:      {Paths: At01},
	unix.SYS_FCHMODAT2:     {Paths: At01, At: 3},
	CallChown:              {Paths: Path0},
	CallLchown:             {Paths: Path0, Link: true},
	unix.SYS_FCHOWNAT:      {Paths: At01, At: 4},
	CallUtime:              {Paths: Path0},
	CallUtimes:             {Paths: Path0},
	CallFutimesat:          {Paths: At01},
	unix.SYS_UTIMENSAT:     {Paths: At01, At: 3},
	unix.SYS_SETXATTR:      {Paths: Path0},
	unix.SYS_LSETXATTR:     {Paths: Path0, Link: true},
	unix.SYS_SETXATTRAT:    {Paths: At01, At: 2},
	unix.SYS_REMOVEXATTR:   {Paths: Path0},
	unix.SYS_LREMOVEXATTR:  {Paths: Path0, Link: true},
	unix.SYS_REMOVEXATTRAT: {Paths: At01, At: 2},
	unix.SYS_FILE_SETATTR:  {Paths: At01, At: 4},
}

// Looking are the calls by a path that tell about a file or go to a directory.
var Looking = map[int]Named{
	CallStat:                   {Look: true, Paths: Path0},
	CallLstat:                  {Look: true, Paths: Path0, Link: true},
	unix.SYS_NEWFSTATAT:        {Look: true, Paths: At01, At: 3},
	unix.SYS_STATX:             {Look: true, Paths: At01, At: 2},
	CallAccess:                 {Look: true, Paths: Path0},
	unix.SYS_FACCESSAT:         {Look: true, Paths: At01},
	unix.SYS_FACCESSAT2:        {Look: true, Paths: At01, At: 3},
	CallReadlink:               {Look: true, Paths: Path0, Link: true},
	unix.SYS_READLINKAT:        {Look: true, Paths: At01, Link: true},
	unix.SYS_CHDIR:             {Look: true, Paths: Path0},
	unix.SYS_STATFS:            {Look: true, Paths: Path0},
	unix.SYS_INOTIFY_ADD_WATCH: {Look: true, Paths: Path1},
}

// Wants says whether a call wants to change its objects, and whether it follows a link.
func (call Named) Wants(n Notification) (write, follow bool) {
	write, follow = true, !call.Link
	if call.At > 0 {
		follow = n.Args[call.At]&unix.AT_SYMLINK_NOFOLLOW == 0
	}
	if call.Flags > 0 {
		flags := n.Args[call.Flags]
		const writes = unix.O_ACCMODE | unix.O_TRUNC | unix.O_CREAT | unix.O_TMPFILE&^unix.O_DIRECTORY
		if flags&unix.O_PATH != 0 || flags&writes == 0 {
			write = false
		}
		follow = flags&unix.O_NOFOLLOW == 0 && !call.Anew(n)
	}
	return write && !call.Look, follow
}

// Creates reports whether a call may make its object.
func (call Named) Creates(n Notification) bool {
	return n.Call == CallCreat || call.Flags > 0 && n.Args[call.Flags]&unix.O_CREAT != 0
}

// Anew reports whether a call makes its last object, and fails where one is.
func (call Named) Anew(n Notification) bool {
	const anew = unix.O_CREAT | unix.O_EXCL
	return call.Makes || call.Flags > 0 && n.Args[call.Flags]&anew == anew
}

// Split is path.Split for paths that may have links: ".." is not worked out.
func Split(p string) (dir, name string) {
	p = strings.TrimRight(p, "/")
	i := strings.LastIndexByte(p, '/')
	return p[:i+1], p[i+1:]
}
