//go:build linux

package process_test

import (
	"context"
	"os"
	"testing"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/landlock"
	"ambit.dev/ambit/internal/enforce/process"
	"ambit.dev/ambit/internal/enforce/view"
)

func TestStart(t *testing.T) {
	base, err := view.Base(view.Who{Name: "u", UID: os.Getuid(), GID: os.Getgid(), Home: "/home/u"})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	c, _ := capability.ForPath(capability.FSWrite, dir)
	objs, err := view.Objects(c)
	if err != nil {
		t.Fatal(err)
	}
	abi, _ := landlock.ABI()
	p, err := enforce.Compile(enforce.Input{Session: "s-test", Effective: []capability.Capability{c}, Objects: map[string][]enforce.Object{c.String(): objs},
		Base: base, AdHoc: true, Home: enforce.HomeEphemeral, HomePath: "/home/u",
		Program: enforce.Program{Path: "/bin/sh", Argv: []string{"sh", "-c", os.Getenv("T_CMD")}, Dir: "/", Env: []string{"PATH=/usr/bin:/bin", "HOME=/home/u", "D=" + dir}},
	}, enforce.Facts{UID: os.Getuid(), GID: os.Getgid(), UserNamespace: true, LandlockABI: abi})
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("T_PLAN") != "" {
		t.Logf("%s", p.Text())
	}
	s, err := process.Tier{}.Start(context.Background(), p, enforce.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", s.Report())
	if err := s.Release(); err != nil {
		t.Fatal(err)
	}
	r, err := s.Wait()
	t.Logf("%+v %v", r, err)
	for d := range s.Denials() {
		t.Logf("%+v", d)
	}
}
