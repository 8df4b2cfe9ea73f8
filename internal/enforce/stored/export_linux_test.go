package stored

import (
	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/fuse"
)

// Put puts a request without a kernel; asked reports whether somebody is asked first.
func (f *Folder) Put(r fuse.Request) (body []byte, errno_ unix.Errno, asked bool) {
	if f.asked(r) {
		return nil, 0, true
	}
	body, err := f.answer(r)
	return body, errno(err), false
}

// Wait waits for all that was asked.
func (f *Folder) Wait() { f.asks.Wait() }

// Interrupt is what the kernel says of a request that nobody waits for any more.
func (f *Folder) Interrupt(r fuse.Request) { f.interrupt(r) }

// Known is how many names the kernel knows.
func (f *Folder) Known() int { return len(f.nodes.ids) }

// Forget is what the kernel says of a name.
func (f *Folder) Forget(node, lookups uint64) { f.forget(node, lookups) }
