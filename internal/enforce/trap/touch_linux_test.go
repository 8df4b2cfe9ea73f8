package trap_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/trap"
)

// TestTouch has the very call succeed that touched, once the object is there.
func TestTouch(t *testing.T) {
	for _, c := range []struct {
		do   string
		dir  bool
		kind trap.Kind
		want string
	}{
		{do: "stat", kind: trap.Look, want: "100644 5"},
		{do: "access", kind: trap.Look, want: "ok"},
		{do: "read", kind: trap.Read, want: "hello"},
		{do: "write", kind: trap.Write, want: "ok"},
		{do: "stat", dir: true, kind: trap.Look, want: "40755 "},
		{do: "chdir", dir: true, kind: trap.Look, want: "ok"},
		{do: "list", dir: true, kind: trap.List, want: "inner"},
	} {
		name := c.do
		if c.dir {
			name += " directory"
		}
		t.Run(name, func(t *testing.T) {
			var asked record
			v := newAsking(t, func(v *view, _ context.Context, o trap.Touched) unix.Errno {
				asked.add(o)
				return v.attach(o)
			})
			p := filepath.Join(v.host, "object")
			if c.dir {
				must(os.Mkdir(p, 0o755))
				must(os.WriteFile(filepath.Join(p, "inner"), nil, 0o644))
			} else {
				must(os.WriteFile(p, []byte("hello"), 0o644))
			}
			client := v.start(c.do, p)
			out := v.wait(client)
			if len(out[0]) < len(c.want) || out[0][:len(c.want)] != c.want {
				t.Errorf("%s: %q, want %q", c.do, out, c.want)
			}
			if got := asked.take(); len(got) != 1 || got[0].Kind != c.kind || got[0].Path != p || got[0].PID != client.cmd.Process.Pid {
				t.Errorf("touches %+v, want one of kind %v by %d", got, c.kind, client.cmd.Process.Pid)
			}
		})
	}
}

// TestTouchRun has an execution find out what it is.
func TestTouchRun(t *testing.T) {
	var asked record
	v := newAsking(t, func(v *view, _ context.Context, o trap.Touched) unix.Errno {
		asked.add(o)
		return v.attach(o)
	})
	p := filepath.Join(v.host, "echo")
	text, err := os.ReadFile("/bin/echo")
	must(err)
	must(os.WriteFile(p, text, 0o755))
	if got := v.try("run", p); got[0] != "" {
		t.Errorf("run: %q", got)
	}
	asked.want(t, "run echo")
}

// TestLocked has calls that change something be refused without a touch where
// the kernel holds a lock that the mount would wait for.
func TestLocked(t *testing.T) {
	for _, do := range []string{"chown", "chmod", "truncate", "utimes", "setxattr", "setflags"} {
		t.Run(do, func(t *testing.T) {
			v := newAsking(t, func(v *view, _ context.Context, o trap.Touched) unix.Errno { return v.attach(o) })
			must(os.WriteFile(v.host+"/file", nil, 0o644))
			must(os.Mkdir(v.host+"/dir", 0o755))
			got := v.try(do, v.host+"/file", do, v.host+"/dir")
			if do == "setflags" && got[0] == "ENOSYS" {
				return // the call came with Linux 6.17
			}
			if got[0] != "EACCES" {
				t.Errorf("%s: %q, want EACCES", do, got)
			}
		})
	}
}
