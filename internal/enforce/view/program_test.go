package view_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/enforce/view"
)

// program is an ELF file with a loader, or without one.
func program(loader string) string {
	var b bytes.Buffer
	h := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: 1, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1}
	copy(h.Ident[:], elf.ELFMAG)
	h.Ident[elf.EI_CLASS], h.Ident[elf.EI_DATA], h.Ident[elf.EI_VERSION] = byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1
	p := elf.Prog64{Type: uint32(elf.PT_LOAD)}
	if loader != "" {
		p = elf.Prog64{Type: uint32(elf.PT_INTERP), Off: 120, Filesz: uint64(len(loader) + 1)}
	}
	for _, part := range []any{h, p} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			panic(err)
		}
	}
	b.WriteString(loader + "\x00")
	return b.String()
}

// TestExecutables: what the kernel opens to start a program, in the order in
// which it does. "@" stands for a folder that has the programs.
func TestExecutables(t *testing.T) {
	files := map[string]string{
		"static": program(""), "loader": program(""), "dynamic": program("@/loader"), "python": program("@/loader"),
		"no loader": program("@/none"), "env": program("@/loader"),
		"script": "#!@/dynamic\n", "spaced": "#! \t@/dynamic\t-x -y\nrest", "endless": "#!@/static", "static script": "#!@/static\n",
		"by env": "#!@/env python\n", "by env -S": "#!@/env -S A=b python -u\n", "env alone": "#!@/env\n", "env of nothing": "#!@/env none\n",
		"of a script": "#!@/script\n", "of a link": "#!@/link\n",
		"no interpreter": "#!@/none\n", "carriage return": "#!@/dynamic\r\n", "relative": "#!dynamic\n", "empty line": "#!\n", "text": "echo\n", "empty": "",
		"cut off": "\x7fELF\x02",
	}
	for _, tc := range []struct {
		program string
		want    []string
		err     error  // in the chain
		names   string // the error does
	}{
		{program: "static", want: []string{"static"}},
		{program: "dynamic", want: []string{"dynamic", "loader"}},
		{program: "link", want: []string{"dynamic", "loader"}},
		{program: "script", want: []string{"script", "dynamic", "loader"}},
		{program: "spaced", want: []string{"spaced", "dynamic", "loader"}},
		{program: "endless", want: []string{"endless", "static"}},
		{program: "static script", want: []string{"static script", "static"}},
		{program: "of a script", want: []string{"of a script", "script", "dynamic", "loader"}},
		{program: "of a link", want: []string{"of a link", "dynamic", "loader"}},
		{program: "by env", want: []string{"by env", "env", "loader", "python", "loader"}},
		{program: "by env -S", want: []string{"by env -S", "env", "loader", "python", "loader"}},
		{program: "env alone", want: []string{"env alone", "env", "loader"}},
		{program: "empty line", want: []string{"empty line"}}, // the kernel refuses these
		{program: "text", want: []string{"text"}},
		{program: "empty", want: []string{"empty"}},
		{program: "missing", err: fs.ErrNotExist, names: "@/missing"},
		{program: "no loader", err: fs.ErrNotExist, names: "@/none"},
		{program: "no interpreter", err: fs.ErrNotExist, names: "@/none"},
		{program: "carriage return", err: fs.ErrNotExist, names: "dynamic\r"}, // to the kernel it is part of the name
		{program: "env of nothing", err: fs.ErrNotExist, names: "none"},
		{program: "relative", names: `"dynamic"`},
		{program: "cut off", names: "@/cut off"},
	} {
		t.Run(tc.program, func(t *testing.T) {
			root := folder(t)
			at := func(s string) string { return strings.ReplaceAll(s, "@", root) }
			for name, content := range files {
				if !strings.HasPrefix(content, elf.ELFMAG) {
					content = at(content)
				} else if strings.Contains(content, "@/none") {
					content = program(root + "/none")
				} else if strings.Contains(content, "@/") {
					content = program(root + "/loader")
				}
				write(t, root+"/"+name, content)
			}
			must(t, os.Symlink("dynamic", root+"/link"))
			look := func(name string) (string, error) {
				_, err := os.Stat(root + "/" + name)
				return root + "/" + name, err
			}
			found, err := view.Executables(root+"/"+tc.program, look)
			if tc.want == nil {
				if err == nil || (tc.err != nil && !errors.Is(err, tc.err)) || !strings.Contains(err.Error(), at(tc.names)) {
					t.Errorf("got %+v, %v, want an error that names %s", found, err, tc.names)
				}
				return
			}
			must(t, err)
			var names []string
			for _, o := range found {
				is(t, o, o.Path)
				names = append(names, strings.TrimPrefix(o.Path, root+"/"))
			}
			if !slices.Equal(names, tc.want) {
				t.Errorf("got %q, want %q", names, tc.want)
			}
		})
	}
}

// TestExecutablesBound: as many interpreters of interpreters as the kernel's
// manual promises, and no loop.
func TestExecutablesBound(t *testing.T) {
	root := folder(t)
	write(t, root+"/0", program(""))
	for i := range 5 {
		write(t, root+"/"+fmt.Sprint(i+1), fmt.Sprintf("#!%s/%d\n", root, i))
	}
	if found, err := view.Executables(root+"/4", nil); err != nil || len(found) != 5 {
		t.Errorf("four: %+v, %v", found, err)
	}
	if found, err := view.Executables(root+"/5", nil); err == nil || !strings.Contains(err.Error(), "more than 4 interpreters") {
		t.Errorf("five: %+v, %v", found, err)
	}
	write(t, root+"/loop", "#!"+root+"/loop\n")
	if found, err := view.Executables(root+"/loop", nil); err == nil {
		t.Errorf("a loop: %+v", found)
	}
	write(t, root+"/env", "#!"+root+"/env x\n")
	if found, err := view.Executables(root+"/env", func(string) (string, error) { return root + "/env", nil }); err == nil {
		t.Errorf("env in a loop: %+v", found)
	}
}

// TestExecutablesUnreadable: a program that may be executed and not read has
// no script line that the kernel would follow for this user's eyes.
func TestExecutablesUnreadable(t *testing.T) {
	root := folder(t)
	p := write(t, root+"/p", program(""))
	must(t, os.Chmod(p, 0o111))
	asUser(t, func() {
		found, err := view.Executables(p, nil)
		if err != nil || len(found) != 1 || found[0].Path != p {
			t.Errorf("got %+v, %v", found, err)
		}
	})
}

// TestExecutablesWaitsForNothing: a pipe or a device in place of a program is
// not waited for.
func TestExecutablesWaitsForNothing(t *testing.T) {
	root := folder(t)
	must(t, unix.Mkfifo(root+"/fifo", 0o777))
	done := make(chan error, 1)
	go func() {
		_, err := view.Executables(root+"/fifo", nil)
		done <- err
	}()
	select {
	case err := <-done:
		must(t, err) // the kernel refuses to execute it
	case <-time.After(time.Minute):
		t.Error("waits for somebody to write")
	}
	if found, err := view.Executables(root, nil); err != nil || len(found) != 1 || !found[0].Dir {
		t.Errorf("a folder: %+v, %v", found, err)
	}
}

// TestExecutablesOfThisHost: the kernel starts a copy of each part that is
// found, and the system's shell needs no other.
func TestExecutablesOfThisHost(t *testing.T) {
	sh, err := exec.LookPath("sh")
	must(t, err)
	script := write(t, folder(t)+"/script", "#!"+sh+"\nexit 0\n")
	found, err := view.Executables(script, exec.LookPath)
	must(t, err)
	if len(found) < 2 || found[0].Path != script {
		t.Errorf("got %+v", found)
	}
	if out, err := exec.Command(script).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
