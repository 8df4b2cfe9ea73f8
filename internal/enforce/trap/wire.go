package trap

import (
	"bytes"
	"encoding/binary"
	"errors"
)

// The FUSE protocol, as far as it is needed (linux/fuse.h). Numbers are in the
// machine's own order. Version 7.31 with two flags: no parallel lookups in one
// directory, no readdirplus, no open that skips the server.
const (
	protocolMajor = 7
	protocolMinor = 31
	// handleKillpriv says that the server drops set-user-id bits itself. Without
	// it the kernel looks at a file before it changes the owner, with the file's
	// lock held: that look would be a touch, and a mount needs the same lock, so
	// both would wait for ever.
	handleKillpriv = 1 << 19
	// cacheSymlinks lets the kernel keep where a link leads, for as long as it
	// knows the node: every start of a program walks /lib or /lib64.
	cacheSymlinks = 1 << 23
)

type operation uint32

const (
	opLookup      operation = 1
	opForget      operation = 2
	opGetattr     operation = 3
	opSetattr     operation = 4
	opReadlink    operation = 5
	opSymlink     operation = 6
	opMknod       operation = 8
	opMkdir       operation = 9
	opUnlink      operation = 10
	opRmdir       operation = 11
	opRename      operation = 12
	opLink        operation = 13
	opOpen        operation = 14
	opRead        operation = 15
	opWrite       operation = 16
	opStatfs      operation = 17
	opRelease     operation = 18
	opSetxattr    operation = 21
	opRemovexattr operation = 24
	opInit        operation = 26
	opOpendir     operation = 27
	opReaddir     operation = 28
	opReleasedir  operation = 29
	opAccess      operation = 34
	opCreate      operation = 35
	opInterrupt   operation = 36
	opDestroy     operation = 38
	opBatchForget operation = 42
	opFallocate   operation = 43
	opRename2     operation = 45
	opTmpfile     operation = 51
)

const (
	headerSize    = 40
	replySize     = 16
	attrSize      = 88
	entrySize     = 40 + attrSize
	direntSize    = 24
	statfsSize    = 80
	initSize      = 64
	maxNameLength = 255
	rootID        = 1
	openForExec   = 0x20 // __FMODE_EXEC in the flags of an open (include/linux/fs.h)
	keepCache     = 1 << 1
	notifyInval   = 3 // FUSE_NOTIFY_INVAL_ENTRY, in the place of an errno
	blockSize     = 4096
)

var wire = binary.NativeEndian

// errMalformed says that a request is not what the protocol says.
var errMalformed = errors.New("malformed request")

// A request is one message of the kernel. Its body is valid until the next one
// is read.
type request struct {
	op     operation
	unique uint64
	node   uint64
	pid    int // of the thread, in the pid namespace of whoever mounted
	body   []byte
}

// parseRequest takes a message apart.
func parseRequest(b []byte) (request, error) {
	if len(b) < headerSize || uint64(wire.Uint32(b)) != uint64(len(b)) {
		return request{}, errMalformed
	}
	return request{
		op:     operation(wire.Uint32(b[4:])),
		unique: wire.Uint64(b[8:]),
		node:   wire.Uint64(b[16:]),
		pid:    int(wire.Uint32(b[32:])),
		body:   b[headerSize:],
	}, nil
}

// name is the body of a lookup: one component of a path.
func (r request) name() (string, error) {
	text, ok := bytes.CutSuffix(r.body, []byte{0})
	if !ok || len(text) == 0 || len(text) > maxNameLength || bytes.IndexByte(text, '/') >= 0 || bytes.IndexByte(text, 0) >= 0 {
		return "", errMalformed
	}
	if s := string(text); s != "." && s != ".." {
		return s, nil
	}
	return "", errMalformed
}

// flags are the first word of a body: the flags of an open, the mask of an access.
func (r request) flags() (uint32, error) {
	if len(r.body) < 4 {
		return 0, errMalformed
	}
	return wire.Uint32(r.body), nil
}

// window is which part of a file or directory is read.
func (r request) window() (offset uint64, size int, err error) {
	if len(r.body) < 20 {
		return 0, 0, errMalformed
	}
	return wire.Uint64(r.body[8:]), int(wire.Uint32(r.body[16:])), nil
}

// number is the first long word of a body: which request to interrupt, how
// many lookups to forget.
func (r request) number() (uint64, error) {
	if len(r.body) < 8 {
		return 0, errMalformed
	}
	return wire.Uint64(r.body), nil
}

// forgets calls each for every node of a batch.
func (r request) forgets(each func(node, lookups uint64)) error {
	if len(r.body) < 8 {
		return errMalformed
	}
	count, rest := wire.Uint32(r.body), r.body[8:]
	if uint64(count) > uint64(len(rest)/16) {
		return errMalformed
	}
	for ; count > 0; count, rest = count-1, rest[16:] {
		each(wire.Uint64(rest), wire.Uint64(rest[8:]))
	}
	return nil
}

// initReply answers the kernel's greeting.
func (r request) initReply() ([]byte, error) {
	if len(r.body) < 12 {
		return nil, errMalformed
	}
	if major, minor := wire.Uint32(r.body), wire.Uint32(r.body[4:]); major != protocolMajor || minor < protocolMinor {
		return nil, errors.New("the kernel's FUSE protocol is older than 7.31")
	}
	b := make([]byte, initSize)
	wire.PutUint32(b, protocolMajor)
	wire.PutUint32(b[4:], protocolMinor)
	copy(b[8:12], r.body[8:12]) // readahead, as the kernel likes it
	wire.PutUint32(b[12:], handleKillpriv|cacheSymlinks)
	wire.PutUint16(b[16:], 16) // requests in the background, and when to slow down
	wire.PutUint16(b[18:], 12)
	wire.PutUint32(b[20:], blockSize) // the largest write; none is taken
	wire.PutUint32(b[24:], 1)         // time in nanoseconds
	return b, nil
}

// An attr is what is told of a node.
type attr struct {
	ino      uint64
	size     uint64
	sec      uint64
	mode     uint32 // with the type
	uid, gid uint32
}

func (a attr) append(b []byte) []byte {
	at := len(b)
	b = append(b, make([]byte, attrSize)...)
	w := b[at:]
	wire.PutUint64(w, a.ino)
	wire.PutUint64(w[8:], a.size)
	wire.PutUint64(w[16:], (a.size+511)/512)
	for _, t := range []int{24, 32, 40} {
		wire.PutUint64(w[t:], a.sec)
	}
	wire.PutUint32(w[60:], a.mode)
	wire.PutUint32(w[64:], 1)
	wire.PutUint32(w[68:], a.uid)
	wire.PutUint32(w[72:], a.gid)
	wire.PutUint32(w[80:], blockSize)
	return b
}

// attrReply answers a look; seconds is for how long it stays true.
func attrReply(a attr, seconds uint64) []byte {
	b := make([]byte, 16, 16+attrSize)
	wire.PutUint64(b, seconds)
	return a.append(b)
}

// entryReply answers a lookup; the attributes are true for no time at all, so
// that every look at the object is a request. Node 0 says that there is none.
func entryReply(a attr, seconds uint64) []byte {
	b := make([]byte, 40, entrySize)
	wire.PutUint64(b, a.ino)
	wire.PutUint64(b[16:], seconds)
	return a.append(b)
}

// openReply answers an open with no handle: nodes are enough.
func openReply(flags uint32) []byte {
	b := make([]byte, 16)
	wire.PutUint32(b[8:], flags)
	return b
}

func statfsReply() []byte {
	b := make([]byte, statfsSize)
	wire.PutUint32(b[40:], blockSize)
	wire.PutUint32(b[44:], maxNameLength)
	wire.PutUint32(b[48:], blockSize)
	return b
}

// appendDirent adds a directory entry where there is room for it.
func appendDirent(b []byte, room int, name string, next uint64, mode uint32) ([]byte, bool) {
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

// head is what stands before the body of a reply. A notification has no
// unique, and its code in the place of the error.
func head(unique uint64, code int32, body int) []byte {
	b := make([]byte, replySize, replySize+body)
	wire.PutUint32(b, uint32(replySize+body))
	wire.PutUint32(b[4:], uint32(code))
	wire.PutUint64(b[8:], unique)
	return b
}

// forgetName tells the kernel that a name no longer leads where it led.
func forgetName(parent uint64, name string) []byte {
	b := head(0, notifyInval, 16+len(name)+1)
	b = wire.AppendUint64(b, parent)
	b = wire.AppendUint32(b, uint32(len(name)))
	b = wire.AppendUint32(b, 0)
	return append(append(b, name...), 0)
}
