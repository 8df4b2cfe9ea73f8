package view_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
)

// executable is the head of a program at a fixed address.
func executable(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Ehsize: 64}
	copy(h.Ident[:], elf.ELFMAG+"\x02\x01\x01")
	must(t, binary.Write(&b, binary.LittleEndian, h))
	return b.String()
}

// shared is a whole program that looks like a library but for its interpreter.
func shared(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/bin/true")
	must(t, err)
	return string(text)
}

// TestFindBeside: which directories are ones of programs, and which programs lie
// among what others need.
func TestFindBeside(t *testing.T) {
	root := folder(t)
	for name, f := range map[string]struct {
		content string
		mode    os.FileMode
	}{
		"whole/a": {executable(t), 0o755}, "whole/b": {shared(t), 0o755}, "whole/script": {"#!/bin/sh\n", 0o755}, "whole/data": {"x", 0o644},
		"whole/deep/er/c": {executable(t), 0o755}, "whole/empty/data": {"x", 0o644},
		"mixed/a": {executable(t), 0o755}, "mixed/lib.so": {"x", 0o644}, "mixed/tools/b": {executable(t), 0o755},
		"above/a": {executable(t), 0o755}, "above/lib/x.so.1": {"x", 0o644},
		"data/a": {executable(t), 0o755}, "data/1": {"", 0o644}, "data/2": {"", 0o644},
		"none/lib.so": {shared(t), 0o755}, "none/addon.node": {shared(t), 0o755}, "none/script": {"#!/bin/sh\n", 0o755},
		"none/unmarked": {executable(t), 0o644}, "none/short": {"\x7fELF", 0o755}, "none/broken": {executable(t)[:40], 0o755}, "none/m.py": {"\x7fELF", 0o755},
		"out/a": {executable(t), 0o755},
	} {
		write(t, path.Join(root, name), f.content)
		must(t, os.Chmod(path.Join(root, name), f.mode))
	}
	must(t, os.Symlink("whole", root+"/link"))
	must(t, os.Symlink("whole/a", root+"/l"))
	got, err := view.FindBesideIn([]string{root, root + "/absent", root + "/link"}, []string{root + "/out"})
	must(t, err)
	want := []enforce.ProgramDir{
		{Path: "above", Files: []string{"above/a"}},
		{Path: "data", Files: []string{"data/a"}},
		{Path: "mixed", Files: []string{"mixed/a"}},
		{Path: "mixed/tools", Whole: true, Files: []string{"mixed/tools/b"}},
		{Path: "whole", Whole: true, Files: []string{"whole/a", "whole/b", "whole/deep/er/c"}},
	}
	for i := range got.Dirs {
		d := &got.Dirs[i]
		d.Path = strings.TrimPrefix(d.Path, root+"/")
		for j := range d.Files {
			d.Files[j] = strings.TrimPrefix(d.Files[j], root+"/")
		}
		slices.Sort(d.Files)
	}
	slices.SortFunc(got.Dirs, func(a, b enforce.ProgramDir) int { return strings.Compare(a.Path, b.Path) })
	if !reflect.DeepEqual(got.Dirs, want) {
		t.Errorf("got  %+v\nwant %+v", got.Dirs, want)
	}
}

// TestBesideIsKept: what was found holds until a directory changes.
func TestBesideIsKept(t *testing.T) {
	root := folder(t)
	write(t, root+"/a b/\n/program", executable(t))
	must(t, os.Chmod(root+"/a b/\n/program", 0o755))
	began := time.Now()
	found, err := view.FindBesideIn([]string{root}, nil)
	must(t, err)
	if found.Settled(began) || !found.Settled(began.Add(time.Minute)) {
		t.Error("what was just made is settled, or never will be")
	}
	text, err := found.MarshalText()
	must(t, err)
	var again view.Beside
	must(t, again.UnmarshalText(text))
	if !reflect.DeepEqual(again, found) || !again.Current() {
		t.Errorf("got %+v, current %v, want %+v", again, again.Current(), found)
	}
	write(t, root+"/a b/new", "")
	if again.Current() {
		t.Error("it holds although a file was added")
	}
	if (view.Beside{}).Current() {
		t.Error("nothing was looked at, and it holds")
	}
}

func FuzzBeside(f *testing.F) {
	f.Add([]byte("ambit programs 1\x00d /usr/lib\x00f /usr/lib/x\x00l 1 -2 /usr/lib\x00"))
	f.Add([]byte("ambit programs 1\x00w /usr/lib"))
	f.Fuzz(func(t *testing.T, text []byte) {
		var b, again view.Beside
		if b.UnmarshalText(text) != nil {
			return
		}
		out, err := b.MarshalText()
		must(t, err)
		must(t, again.UnmarshalText(out))
		if !reflect.DeepEqual(b, again) {
			t.Errorf("%q: got %+v, want %+v", text, again, b)
		}
	})
}
