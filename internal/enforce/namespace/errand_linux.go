package namespace

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// An Errand is a row of calls that a child of init carries out, from within the
// sandbox: with init's rights, which are those of the program, and no others. It is
// memory that is mapped there at one fixed address, so its strings and structures
// are ready to be used. Nothing of a call's answer is kept.
//
// Its last call is an execve(2); one that returns has failed.
type Errand struct {
	steps []byte
	what  []string
	data  []byte
}

const (
	errandBase  = 0x10000000 // as in init_amd64.s
	errandStep  = 64         // bytes: number and what is expected, the answer, six arguments
	mostSteps   = 256
	errandBytes = 8 << 20 // more than the kernel takes as arguments
)

// What a call of an errand must answer.
const (
	errandSucceeds uint32 = iota
	errandAnswers
	errandMay
)

func (e *Errand) call(what string, expect uint32, want int64, nr int, args []uint64) {
	ne := binary.NativeEndian
	e.steps = ne.AppendUint32(e.steps, uint32(nr))
	e.steps = ne.AppendUint32(e.steps, expect)
	e.steps = ne.AppendUint64(e.steps, uint64(want))
	for i := range 6 {
		var a uint64
		if i < len(args) {
			a = args[i]
		}
		e.steps = ne.AppendUint64(e.steps, a)
	}
	e.what = append(e.what, what)
}

// Must adds a call that has to succeed.
func (e *Errand) Must(what string, nr int, args ...uint64) {
	e.call(what, errandSucceeds, 0, nr, args)
}

// Want adds a call that has to give this answer, which is -errno for a failure.
func (e *Errand) Want(what string, want int64, nr int, args ...uint64) {
	e.call(what, errandAnswers, want, nr, args)
}

// May adds a call that may fail.
func (e *Errand) May(what string, nr int, args ...uint64) { e.call(what, errandMay, 0, nr, args) }

// Bytes is the address of a copy of b.
func (e *Errand) Bytes(b []byte) uint64 {
	for len(e.data)%8 != 0 {
		e.data = append(e.data, 0)
	}
	at := len(e.data)
	e.data = append(e.data, b...)
	return uint64(errandBase + mostSteps*errandStep + at)
}

// Str is the address of a string with its closing zero byte.
func (e *Errand) Str(s string) uint64 { return e.Bytes(append([]byte(s), 0)) }

// Strv is the address of a list of strings.
func (e *Errand) Strv(v []string) uint64 {
	var list []byte
	for _, s := range v {
		list = binary.NativeEndian.AppendUint64(list, e.Str(s))
	}
	return e.Bytes(binary.NativeEndian.AppendUint64(list, 0))
}

// Open returns a descriptor of the errand, sealed against change, and its size.
func (e *Errand) Open() (fd int, size uint64, err error) {
	if len(e.what) > mostSteps || len(e.data) > errandBytes {
		return -1, 0, unix.E2BIG
	}
	image := append(make([]byte, 0, mostSteps*errandStep+len(e.data)), e.steps...)
	image = append(image[:mostSteps*errandStep], e.data...)
	fd, err = unix.MemfdCreate("ambit-errand", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_NOEXEC_SEAL)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3
		fd, err = unix.MemfdCreate("ambit-errand", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return -1, 0, fmt.Errorf("make an errand: %w", err)
	}
	for rest := image; len(rest) > 0 && err == nil; {
		var n int
		n, err = unix.Write(fd, rest)
		rest = rest[max(n, 0):]
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_WRITE|unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL)
	}
	if err != nil {
		return -1, 0, errors.Join(fmt.Errorf("make an errand: %w", err), unix.Close(fd))
	}
	return fd, uint64(len(image)), nil
}

// Failed reads what is told of a call that did not do what it must: 16 bytes.
// execve reports whether that call was the last one.
func (e *Errand) Failed(told []byte) (err *StepError, last bool) {
	if len(told) != 16 {
		return &StepError{What: "start a program"}, false
	}
	answer, at := int64(binary.NativeEndian.Uint64(told)), binary.NativeEndian.Uint64(told[8:])
	err = &StepError{What: "start a program"}
	if answer < 0 && answer >= -maxErrno {
		err.Errno = unix.Errno(-answer)
	}
	i := (at - errandBase) / errandStep
	if at < errandBase || i >= uint64(len(e.what)) {
		return err, false
	}
	err.What = e.what[i]
	return err, i == uint64(len(e.what)-1)
}

// Send adds the sending of a descriptor over a socket, with one byte (SCM_RIGHTS).
func (e *Errand) Send(what string, sock, fd int) {
	ne := binary.NativeEndian
	control := e.Bytes(unix.UnixRights(fd))
	iov := e.Bytes(ne.AppendUint64(ne.AppendUint64(nil, e.Str(".")), 1))
	var m []byte // struct msghdr: no name, one piece, the control message
	for _, v := range []uint64{0, 0, iov, 1, control, uint64(unix.CmsgSpace(4)), 0} {
		m = ne.AppendUint64(m, v)
	}
	e.Want(what, 1, unix.SYS_SENDMSG, uint64(sock), e.Bytes(m), unix.MSG_NOSIGNAL)
}
