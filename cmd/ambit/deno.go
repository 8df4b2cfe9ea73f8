package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/approval/deno"
	"ambit.dev/ambit/internal/audit"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
)

// denoSocket is where the view has the socket of the door: nothing of the host
// is ever shown there.
const denoSocket = "/dev/ambit/deno"

// denoFolder, in the state directory, holds the sockets of sessions that are
// about to begin.
const denoFolder = "doors"

// A denoDoor is where the Deno programs of one session ask. Its socket has a name
// on the host for as long as the view is built.
type denoDoor struct {
	listener *net.UnixListener
	path     string
	object   enforce.Object

	end    context.CancelFunc
	ended  chan struct{} // closed when nobody is answered any more; nil before it was opened
	begun  chan struct{} // closed when inside is known, or there will be none
	once   sync.Once
	inside enforce.Finder // valid when begun is closed; nil: there is none
}

// wantsDeno reports whether the session's programs are to ask at a door: they
// are Deno, or the person says so.
func (s *prepared) wantsDeno() bool {
	if !s.flags.asks() || !enforce.AsksAll(s.tier.name) || s.flags.ask == askRule || s.flags.deno == "off" {
		return false
	}
	isDeno := func(o enforce.Object) bool { return filepath.Base(o.Path) == "deno" }
	own := slices.ContainsFunc(s.flags.env, func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return name == deno.Variable
	})
	return !own && (s.flags.deno == "on" || slices.ContainsFunc(s.program.objects, isDeno))
}

// openDeno makes the socket, once, and has the view show it.
func (s *prepared) openDeno(in *enforce.Input) error {
	if !s.wantsDeno() {
		return nil
	}
	if s.deno == nil {
		d, err := s.newDenoDoor()
		if err != nil {
			return fmt.Errorf("open a door for the questions of Deno: %w; --deno off does without", err)
		}
		s.deno = d
	}
	in.Volumes = append(in.Volumes, enforce.Volume{Source: s.deno.object, Target: denoSocket})
	return nil
}

// newDenoDoor binds a socket in the state directory.
//
// Security: nobody but this user can enter that directory, and no sandbox sees
// it.
func (s *prepared) newDenoDoor() (*denoDoor, error) {
	state, err := s.app.state()
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(state, denoFolder)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	// Its path is bound through a descriptor: that of a state directory may be
	// longer than the 108 bytes of a socket's.
	dir, err := os.Open(folder)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	sweepDoors(dir)
	at := "/proc/self/fd/" + strconv.Itoa(int(dir.Fd())) + "/" + s.subject.Session
	l, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: at})
	if err != nil {
		return nil, err
	}
	l.SetUnlinkOnClose(false) // by that name there will be nothing
	d := &denoDoor{listener: l, path: filepath.Join(folder, s.subject.Session), begun: make(chan struct{})}
	d.object, err = view.Resolve(d.path)
	if err == nil {
		err = os.Chmod(d.object.Path, 0o600)
	}
	if err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// sweepDoors removes the sockets that killed launchers left: nobody listens there.
func sweepDoors(dir *os.File) {
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return // they are in nobody's way
	}
	for _, name := range names {
		c, err := net.DialTimeout("unix", "/proc/self/fd/"+strconv.Itoa(int(dir.Fd()))+"/"+name, time.Second)
		if err == nil {
			_ = c.Close() // a door of another session, which hears nothing from it
		} else if errors.Is(err, unix.ECONNREFUSED) {
			_ = unix.Unlinkat(int(dir.Fd()), name, 0) // or somebody else has
		}
	}
}

// serve begins to answer.
func (d *denoDoor) serve(ctx context.Context, s *prepared, t *toucher) {
	if d == nil {
		return
	}
	c := denoCheck{s, t, d}
	door := deno.New(deno.Config{Subject: s.subject, Check: c.check, Find: c.find, NewID: func() string { return audit.NewID("d") },
		Look: func(_ int, command string) (string, error) { return s.lookPath(command) }})
	ctx, d.end = context.WithCancel(ctx)
	d.ended = make(chan struct{})
	go func() {
		defer close(d.ended)
		// A door that fails is closed: Deno ends when it cannot ask.
		if err := door.Serve(ctx, d.listener); err != nil {
			printf(s.app.err, "ambit: the questions of Deno are no longer answered: %v\n", err)
		}
	}()
}

// enter says which sandbox asks. The view has the socket by now, and the host
// needs no name for it.
func (d *denoDoor) enter(inside enforce.Session) {
	if d == nil {
		return
	}
	_ = os.Remove(d.path) // what is left is swept
	d.once.Do(func() {
		d.inside, _ = inside.(enforce.Finder)
		close(d.begun)
	})
}

// close ends the door.
func (d *denoDoor) close() {
	if d == nil {
		return
	}
	d.once.Do(func() { close(d.begun) })
	_ = os.Remove(d.path) // it may be gone already
	if d.end != nil {
		d.end()
		<-d.ended
	}
	_ = d.listener.Close() // Serve may have closed it
}
