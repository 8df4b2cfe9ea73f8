//go:build linux

package gvisor

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/enforcetest"
	"ambit.dev/ambit/internal/enforce/gvisor/wire"
)

// A kernel is the other end of the line on which a sandbox's kernel asks.
type kernel struct{ fd int }

func (k kernel) put(t *testing.T, q wire.Question) {
	t.Helper()
	text, err := wire.Ask(q)
	if err == nil {
		err = unix.Send(k.fd, text, unix.MSG_NOSIGNAL)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// told is the next answer; false: the line has ended.
func (k kernel) told(t *testing.T) (answer wire.Told, ok bool) {
	t.Helper()
	if n, err := unix.Poll([]unix.PollFd{{Fd: int32(k.fd), Events: unix.POLLIN}}, int((20 * time.Second).Milliseconds())); n != 1 {
		t.Fatalf("nothing comes: %v", err)
	}
	err := wire.Asked(func(b []byte) (int, error) { return unix.Read(k.fd, b) }, &answer)
	return answer, err == nil
}

// heard is a launcher that hears a kernel, with people who answer only when they are no
// longer asked. asked has how many there are.
func heard(t *testing.T, quiet ...string) (k kernel, asked func() int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &enforcetest.Person{Answer: func(ctx context.Context, _ enforce.Touch) enforce.Answer {
		<-ctx.Done()
		return enforce.Answer{}
	}}
	plan := enforce.Plan{View: []enforce.Entry{{Op: enforce.OpTrap, Path: "/", Dir: true}}, Quiet: quiet}
	a, err := newAsking(t.Context(), plan, p, &pair[0])
	if err != nil {
		t.Fatal(err)
	}
	a.begin(plan, os.Getpid())
	t.Cleanup(func() {
		if err := a.end(); err != nil {
			t.Error(err)
		}
		_ = unix.Close(pair[1])
	})
	return kernel{pair[1]}, func() int { return len(p.Put()) }
}

func change(id uint64, p string) wire.Question {
	return wire.Question{ID: id, Want: wire.WantWrite, Dir: []byte(filepath.Dir(p)), Name: []byte(filepath.Base(p))}
}

// A kernel that asks what none of ours does is heard no more: what it asks from then on
// nobody answers.
func TestLineBroken(t *testing.T) {
	file := enforcetest.Concealed(t) + "/file"
	good := change(2, file)
	for name, all := range map[string][]wire.Question{
		"the same number twice": {change(1, file), change(1, file)},
		"a path that leads up":  {{ID: 1, Want: wire.WantWrite, Dir: []byte("/usr/.."), Name: []byte("etc")}},
		"a name that does":      {{ID: 1, Want: wire.WantWrite, Dir: []byte("/usr"), Name: []byte("..")}},
		"another wish":          {{ID: 1, Want: "own", Dir: []byte("/usr")}},
		"a process below none":  {{ID: 1, Want: wire.WantRun, Dir: []byte(file), PID: -1}},
	} {
		t.Run(name, func(t *testing.T) {
			k, asked := heard(t)
			for _, q := range all {
				k.put(t, q)
			}
			if told, ok := k.told(t); ok {
				t.Errorf("it was told %+v", told)
			}
			text, err := wire.Ask(good)
			if err == nil {
				err = unix.Send(k.fd, text, unix.MSG_NOSIGNAL)
			}
			if err == nil || asked() >= len(all) {
				t.Errorf("it can go on: %v, %d were asked", err, asked())
			}
		})
	}
}

// So many people are asked at one time and no more: who comes then is refused at once.
func TestLineFlooded(t *testing.T) {
	dir := enforcetest.Concealed(t)
	k, asked := heard(t)
	for id := uint64(1); id <= mostQuestions+1; id++ {
		k.put(t, change(id, dir+"/file"))
	}
	told, ok := k.told(t)
	if !ok || told.Errno != unix.EACCES {
		t.Errorf("it was told %+v %v", told, ok)
	}
	if n := asked(); n != mostQuestions {
		t.Errorf("%d are asked", n)
	}
}

// Nobody is asked about what is quiet. The call goes on, and finds that nothing is there.
func TestLineQuiet(t *testing.T) {
	dir := enforcetest.Concealed(t)
	k, asked := heard(t, dir)
	k.put(t, change(1, dir+"/file"))
	if told, ok := k.told(t); !ok || told.ID != 1 || told.Errno != 0 || told.Shown || asked() > 0 {
		t.Errorf("it was told %+v %v, %d were asked", told, ok, asked())
	}
}
