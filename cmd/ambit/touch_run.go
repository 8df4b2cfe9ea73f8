package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/approval"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/decision"
)

// Programs are looked at before they are run: a shell looks for them, an installer
// reads them. Looking is one right and running another, and each is asked about.
// So the question about looking at a program offers to run it as well, and who may
// run a program may read it: what the view has of it is the same. An answer about
// that program, and no more than it, is one about both: nobody is asked twice.

// running is the right to run what c lets be read, if that is a program.
func running(c capability.Capability) (capability.Capability, bool) {
	pattern, ok := c.Pattern()
	path, literal := pattern.Literal()
	if c.Kind() != capability.FSRead || !ok || !literal || !isProgram(path) {
		return capability.Capability{}, false
	}
	run, err := capability.ForPath(capability.ProcessSpawn, path)
	return run, err == nil
}

// isProgram reports whether a file can be executed, and is made for that: by its
// mode alone whatever lies on a disk of another system would be a program.
func isProgram(path string) bool {
	if fi, err := os.Lstat(path); err != nil || !fi.Mode().IsRegular() {
		return false // to open a device can do something
	}
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	fi, err := f.Stat()
	if err != nil || !fi.Mode().IsRegular() || fi.Mode().Perm()&0o111 == 0 {
		return false
	}
	head := make([]byte, 4)
	n, err := io.ReadFull(f, head)
	return err == nil && string(head) == "\x7fELF" || bytes.HasPrefix(head[:n], []byte("#!"))
}

// mayRun reports whether what is to be read may be run already.
//
// Security: it only finds the request to put. The gate decides that, and records
// it, as everything else.
func (t *toucher) mayRun(ctx context.Context, c capability.Capability) (run capability.Capability, ok bool) {
	if t.s.flags.ask == askRule {
		return run, false // what is only read is learned as that
	}
	if run, ok = running(c); !ok {
		return run, false
	}
	grants, err := t.grants(ctx)
	if err != nil {
		return run, false
	}
	d := decision.Decide(decision.Request{Subject: t.s.subject, Capability: run}, t.s.judged(grants))
	return run, d.Outcome == decision.Allow
}

// runOffer offers to run what is to be read. Not a secret: that is no program.
func runOffer(q approval.Question) (approval.Offer, bool) {
	run, ok := running(q.Capability)
	return approval.Offer{Capability: run, Scope: approval.ScopeRun, Words: "this program, to read it and to run it", Broad: run.Broad()}, ok && q.Sensitive == ""
}

// offeredToRun is the right to run what a question is about reading, if that was
// offered.
func offeredToRun(q approval.Question) (capability.Capability, bool) {
	i := slices.IndexFunc(q.Offers, func(o approval.Offer) bool { return o.Scope == approval.ScopeRun })
	if i < 0 {
		return capability.Capability{}, false
	}
	return q.Offers[i].Capability, true
}

// speak remembers an answer that was about running the program too: no, or to read
// it alone. Who allows more than this program, as its directory, has said nothing of
// running it.
func (t *toucher) speak(q approval.Question, a approval.Answer) {
	run, ok := offeredToRun(q)
	if !ok || a.Allowed() && a.Capability != q.Capability {
		return
	}
	text := "asked as " + q.ID + " with reading it: " + said(a, nil)
	if a.Allowed() {
		text = "asked as " + q.ID + " with reading it, which alone was allowed: " + a.By
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.spoken) < maxRefused { // beyond it one more question is put
		t.spoken[run] = text
	}
}

// spokenFor is what was answered about running a program when it was to be read.
//
// Security: it only spares a question, whose answer is no. A grant that was made
// since is looked at before it.
func (t *toucher) spokenFor(c capability.Capability) (text string, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	text, ok = t.spoken[c]
	return text, ok
}
