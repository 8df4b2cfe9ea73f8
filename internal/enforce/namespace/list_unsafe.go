//go:build linux

package namespace

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Addresses of heap memory are handed to the kernel as numbers. Go's heap does
// not move, and alive keeps the memory until the List is gone.

// Bytes is the address of b, which the caller may read after Start.
func (l *List) Bytes(b []byte) Arg {
	l.alive = append(l.alive, b)
	return Arg{value: uintptr(unsafe.Pointer(unsafe.SliceData(b)))}
}

// textBlock is what strings are laid out in; most rows need two.
const textBlock = 4096

// Str is the address of a copy of s with a closing zero byte. Strings stand
// behind each other, since each piece of memory of its own is a page more that
// has to be made.
func (l *List) Str(s string) Arg {
	if cap(l.text)-len(l.text) <= len(s) {
		l.text = make([]byte, 0, max(textBlock, len(s)+1))
		l.alive = append(l.alive, l.text)
	}
	at := len(l.text)
	l.text = append(append(l.text, s...), 0)
	return Arg{value: uintptr(unsafe.Pointer(&l.text[at]))}
}

func (l *List) strv(v []string) uintptr {
	a := make([]uintptr, len(v)+1)
	for i, s := range v {
		a[i] = l.Str(s).value
	}
	l.alive = append(l.alive, a)
	return uintptr(unsafe.Pointer(&a[0]))
}

// Pointer is the address of a prepared structure.
func Pointer[T any](l *List, p *T) Arg {
	l.alive = append(l.alive, p)
	return Arg{value: uintptr(unsafe.Pointer(p))}
}

// Memory is the memory of p, to be compared by List.Equal.
func Memory[T any](p *T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(p)), unsafe.Sizeof(*p))
}

// rights is a control message that carries one descriptor.
type rights struct {
	size        uint64
	level, kind int32
	fd          uintptr
}

// Send adds the sending of a kept descriptor through a socket (SCM_RIGHTS).
func (l *List) Send(what string, sock int, fd Slot) {
	r := &rights{size: unix.SizeofCmsghdr + 4, level: unix.SOL_SOCKET, kind: unix.SCM_RIGHTS}
	data := []byte{0}
	iov := &unix.Iovec{Base: &data[0], Len: 1}
	msg := &unix.Msghdr{Iov: iov, Iovlen: 1, Control: (*byte)(unsafe.Pointer(r)), Controllen: uint64(unsafe.Sizeof(*r))}
	l.alive = append(l.alive, r, msg)
	l.Call(what, opStore, Arg{value: uintptr(unsafe.Pointer(&r.fd))}, Result(fd))
	l.Call(what, unix.SYS_SENDMSG, N(sock), Arg{value: uintptr(unsafe.Pointer(msg))}, N(unix.MSG_NOSIGNAL))
}

// Store adds the storing of a number, usually a kept result, at p.
func (l *List) Store(what string, p *uint64, v Arg) {
	l.alive = append(l.alive, p)
	l.Call(what, opStore, Arg{value: uintptr(unsafe.Pointer(p))}, v)
}

// Take adds the taking over of a result that an earlier row of the same process
// has kept. That row is laid out in full: it takes no further slots.
func (l *List) Take(from *List, s Slot) Slot {
	l.alive = append(l.alive, from)
	own := l.NewSlot()
	l.Call("take over what was made", opTake, Arg{value: uintptr(unsafe.Pointer(&from.slots[s]))}).Keep(own)
	return own
}
