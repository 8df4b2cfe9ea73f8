// Package fuse is the FUSE protocol as far as it is spoken here: requests taken
// apart, replies put together, and the open device between. It serves nothing.
//
// This package is a mechanism: it imports nothing of the module.
package fuse

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// Numbers are those of linux/fuse.h, in the machine's own order. Version 7.31 with
// few flags: no parallel lookups in one directory, no open that skips the server.
const (
	protocolMajor = 7
	protocolMinor = 31
	// AtomicTruncate has an open say that it truncates. Without it a program that
	// opens so has truncated by path before.
	AtomicTruncate = 1 << 3
	// ListNodes has the first page of a listing tell of nodes too, as lookups do
	// (FUSE_DO_READDIRPLUS and FUSE_READDIRPLUS_AUTO).
	ListNodes = 1<<13 | 1<<14
	// HandleKillpriv says that the server drops set-user-id bits itself. Without
	// it the kernel looks at a file before it changes the owner, with the file's
	// lock held: that look would be a touch, and a mount needs the same lock, so
	// both would wait for ever.
	HandleKillpriv = 1 << 19
	// CacheSymlinks lets the kernel keep where a link leads, for as long as it
	// knows the node: every start of a program walks /lib or /lib64.
	CacheSymlinks = 1 << 23
)

// An Operation is what the kernel wants.
type Operation uint32

// The operations that somebody here knows; the kernel does without others.
const (
	OpLookup      Operation = 1
	OpForget      Operation = 2
	OpGetattr     Operation = 3
	OpSetattr     Operation = 4
	OpReadlink    Operation = 5
	OpSymlink     Operation = 6
	OpMknod       Operation = 8
	OpMkdir       Operation = 9
	OpUnlink      Operation = 10
	OpRmdir       Operation = 11
	OpRename      Operation = 12
	OpLink        Operation = 13
	OpOpen        Operation = 14
	OpRead        Operation = 15
	OpWrite       Operation = 16
	OpStatfs      Operation = 17
	OpRelease     Operation = 18
	OpFsync       Operation = 20
	OpSetxattr    Operation = 21
	OpRemovexattr Operation = 24
	OpFlush       Operation = 25
	OpInit        Operation = 26
	OpOpendir     Operation = 27
	OpReaddir     Operation = 28
	OpReleasedir  Operation = 29
	OpFsyncdir    Operation = 30
	OpAccess      Operation = 34
	OpCreate      Operation = 35
	OpInterrupt   Operation = 36
	OpDestroy     Operation = 38
	OpBatchForget Operation = 42
	OpFallocate   Operation = 43
	OpReaddirplus Operation = 44
	OpRename2     Operation = 45
	OpTmpfile     Operation = 51
)

const (
	headerSize = 40
	replySize  = 16
	attrSize   = 88
	entrySize  = 40 + attrSize
	direntSize = 24
	statfsSize = 80
	initSize   = 64
	// LeastDirent is the size of the shortest directory entry.
	LeastDirent = direntSize + 8
	// MaxName bounds a component of a path.
	MaxName = 255
	// RootID is the node of the root.
	RootID = 1
	// OpenForExec is __FMODE_EXEC in the flags of an open (include/linux/fs.h).
	OpenForExec = 0x20
	// DirectIO has every read and write be a request, and refuses shared mappings.
	DirectIO = 1 << 0
	// KeepCache leaves what the kernel knows of a content.
	KeepCache   = 1 << 1
	notifyInval = 3 // FUSE_NOTIFY_INVAL_ENTRY, in the place of an errno
	// BlockSize is what is told of the size of blocks.
	BlockSize = 4096
)

var wire = binary.NativeEndian

// ErrMalformed says that a request is not what the protocol says.
var ErrMalformed = errors.New("malformed request")

// A Request is one message of the kernel. Its body is valid until the next one
// is read.
type Request struct {
	Op     Operation
	Unique uint64
	Node   uint64
	PID    int // of the thread, in the pid namespace of whoever mounted
	Body   []byte
}

// ParseRequest takes a message apart.
func ParseRequest(b []byte) (Request, error) {
	if len(b) < headerSize || uint64(wire.Uint32(b)) != uint64(len(b)) {
		return Request{}, ErrMalformed
	}
	return Request{
		Op:     Operation(wire.Uint32(b[4:])),
		Unique: wire.Uint64(b[8:]),
		Node:   wire.Uint64(b[16:]),
		PID:    int(wire.Uint32(b[32:])),
		Body:   b[headerSize:],
	}, nil
}

// Name is the body of a lookup: one component of a path.
func (r Request) Name() (string, error) {
	text, ok := bytes.CutSuffix(r.Body, []byte{0})
	if !ok || len(text) == 0 || len(text) > MaxName || bytes.IndexByte(text, '/') >= 0 || bytes.IndexByte(text, 0) >= 0 {
		return "", ErrMalformed
	}
	if s := string(text); s != "." && s != ".." {
		return s, nil
	}
	return "", ErrMalformed
}

// Flags are the first word of a body: the flags of an open, the mask of an access.
func (r Request) Flags() (uint32, error) {
	if len(r.Body) < 4 {
		return 0, ErrMalformed
	}
	return wire.Uint32(r.Body), nil
}

// Window is which part of a file or directory is read.
func (r Request) Window() (offset uint64, size int, err error) {
	if len(r.Body) < 20 {
		return 0, 0, ErrMalformed
	}
	return wire.Uint64(r.Body[8:]), int(wire.Uint32(r.Body[16:])), nil
}

// Number is the first long word of a body: which request to interrupt, how
// many lookups to forget.
func (r Request) Number() (uint64, error) {
	if len(r.Body) < 8 {
		return 0, ErrMalformed
	}
	return wire.Uint64(r.Body), nil
}

// Forgets calls each for every node of a batch.
func (r Request) Forgets(each func(node, lookups uint64)) error {
	if len(r.Body) < 8 {
		return ErrMalformed
	}
	count, rest := wire.Uint32(r.Body), r.Body[8:]
	if uint64(count) > uint64(len(rest)/16) {
		return ErrMalformed
	}
	for ; count > 0; count, rest = count-1, rest[16:] {
		each(wire.Uint64(rest), wire.Uint64(rest[8:]))
	}
	return nil
}

// InitReply answers the kernel's greeting; write is the largest write that is taken.
func (r Request) InitReply(flags, write uint32) ([]byte, error) {
	if len(r.Body) < 12 {
		return nil, ErrMalformed
	}
	if major, minor := wire.Uint32(r.Body), wire.Uint32(r.Body[4:]); major != protocolMajor || minor < protocolMinor {
		return nil, errors.New("the kernel's FUSE protocol is older than 7.31")
	}
	b := make([]byte, initSize)
	wire.PutUint32(b, protocolMajor)
	wire.PutUint32(b[4:], protocolMinor)
	copy(b[8:12], r.Body[8:12]) // readahead, as the kernel likes it
	wire.PutUint32(b[12:], flags)
	wire.PutUint16(b[16:], 16) // requests in the background, and when to slow down
	wire.PutUint16(b[18:], 12)
	wire.PutUint32(b[20:], write)
	wire.PutUint32(b[24:], 1) // time in nanoseconds
	return b, nil
}

// An Attr is what is told of a node.
type Attr struct {
	Ino      uint64
	Size     uint64
	Sec      uint64
	Nsec     uint32
	Mode     uint32 // with the type
	UID, GID uint32
}

func (a Attr) append(b []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, attrSize)...)
	w := b[at:]
	wire.PutUint64(w, a.Ino)
	wire.PutUint64(w[8:], a.Size)
	wire.PutUint64(w[16:], (a.Size+511)/512)
	for _, t := range []int{24, 32, 40} {
		wire.PutUint64(w[t:], a.Sec)
	}
	for _, t := range []int{48, 52, 56} {
		wire.PutUint32(w[t:], a.Nsec)
	}
	wire.PutUint32(w[60:], a.Mode)
	wire.PutUint32(w[64:], 1)
	wire.PutUint32(w[68:], a.UID)
	wire.PutUint32(w[72:], a.GID)
	wire.PutUint32(w[80:], BlockSize)
	return b
}

// AttrReply answers a look; seconds is for how long it stays true.
func AttrReply(a Attr, seconds uint64) []byte {
	b := make([]byte, 16, 16+attrSize)
	wire.PutUint64(b, seconds)
	return a.append(b)
}

// EntryReply answers a lookup; the attributes are true for no time at all, so
// that every look at the object is a request. Node 0 says that there is none.
func EntryReply(a Attr, seconds uint64) []byte {
	b := make([]byte, 40, entrySize)
	wire.PutUint64(b, a.Ino)
	wire.PutUint64(b[16:], seconds)
	return a.append(b)
}

// OpenReply answers an open; who knows nodes only gives no handle.
func OpenReply(handle uint64, flags uint32) []byte {
	b := make([]byte, 16)
	wire.PutUint64(b, handle)
	wire.PutUint32(b[8:], flags)
	return b
}

// StatfsReply tells of a file system without room.
func StatfsReply() []byte {
	b := make([]byte, statfsSize)
	wire.PutUint32(b[40:], BlockSize)
	wire.PutUint32(b[44:], MaxName)
	wire.PutUint32(b[48:], BlockSize)
	return b
}

// AppendDirent adds a directory entry where there is room for it.
func AppendDirent(b []byte, room int, name string, next uint64, mode uint32) ([]byte, bool) {
	size := (direntSize + len(name) + 7) &^ 7
	if len(b)+size > room {
		return b, false
	}
	at := len(b)
	b = append(b, make([]byte, size)...)
	w := b[at:]
	wire.PutUint64(w, 0xffffffff) // no number is known; 0 would mean that it was deleted
	wire.PutUint64(w[8:], next)
	wire.PutUint32(w[16:], uint32(len(name)))
	wire.PutUint32(w[20:], mode>>12)
	copy(w[direntSize:], name)
	return b, true
}

// AppendEntry adds a directory entry with what a lookup of it would answer, where there
// is room for both. entry is an EntryReply, or nil: then a lookup has to say.
func AppendEntry(b []byte, room int, entry []byte, name string, next uint64, mode uint32) ([]byte, bool) {
	at := len(b)
	with, fits := AppendDirent(append(b, make([]byte, entrySize)...), room, name, next, mode)
	if !fits {
		return b, false
	}
	copy(with[at:at+entrySize], entry)
	return with, true
}

// head is what stands before the body of a reply. A notification has no
// unique, and its code in the place of the error.
func head(unique uint64, code int32, body int) []byte {
	b := make([]byte, replySize, replySize+body)
	wire.PutUint32(b, uint32(replySize+body))
	wire.PutUint32(b[4:], uint32(code))
	wire.PutUint64(b[8:], unique)
	return b
}

// ForgetName tells the kernel that a name no longer leads where it led.
func ForgetName(parent uint64, name string) []byte {
	b := head(0, notifyInval, 16+len(name)+1)
	b = wire.AppendUint64(b, parent)
	b = wire.AppendUint32(b, uint32(len(name)))
	b = wire.AppendUint32(b, 0)
	return append(append(b, name...), 0)
}
