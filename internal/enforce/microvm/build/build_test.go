package build

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/enforce/microvm/image"
	"ambit.dev/ambit/internal/enforce/view"
)

// bzImage is a kernel image around an LZ4 block.
func bzImage(block []byte) []byte {
	d := make([]byte, 0x1000)
	d[0x1f1] = 1 // sectors of the setup code
	copy(d[0x202:], "HdrS")
	p := append([]byte{0x02, 0x21, 0x4c, 0x18}, binary.LittleEndian.AppendUint32(nil, uint32(len(block)))...)
	p = append(append(p, block...), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(d[0x248:], 0)
	binary.LittleEndian.PutUint32(d[0x24c:], uint32(len(p)))
	copy(d[1024:], p)
	return d
}

func TestVmlinux(t *testing.T) {
	// Four literals, a match that overlaps itself, five literals.
	block := []byte{0x4f, 0x7f, 'E', 'L', 'F', 1, 0, 5, 0x50, 'a', 'b', 'c', 'd', 'e'}
	got, err := vmlinux(bzImage(block))
	if want := "\x7fELF" + strings.Repeat("F", 24) + "abcde"; err != nil || string(got) != want {
		t.Errorf("got %q %v, want %q", got, err, want)
	}
	for name, bad := range map[string][]byte{
		"a match before the start": {0x10, 'a', 9, 0, 0x10, 'b'},
		"literals beyond the end":  {0xf0, 200, 'a'},
		"half an offset":           {0x10, 'a', 1},
		"not an ELF image":         {0x30, 'a', 'b', 'c'},
	} {
		if _, err := vmlinux(bzImage(bad)); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if _, err := vmlinux([]byte("MZ")); err == nil {
		t.Error("no kernel was taken for one")
	}
}

func FuzzVmlinux(f *testing.F) {
	f.Add([]byte{0x4f, 0x7f, 'E', 'L', 'F', 1, 0, 5, 0x50, 'a', 'b', 'c', 'd', 'e'})
	f.Fuzz(func(_ *testing.T, block []byte) {
		_, _ = vmlinux(bzImage(block[:min(len(block), 2000)])) // it must end, within its bounds
		_, _ = vmlinux(block)
	})
}

func TestArchive(t *testing.T) {
	var a archive
	a.put("init", 0o100755, []byte("hello"), 0, 0)
	a.put("TRAILER!!!", 0, nil, 0, 0)
	if a.Len()%4 != 0 || !bytes.HasPrefix(a.Bytes(), []byte("070701")) {
		t.Errorf("%d bytes that begin with %q", a.Len(), a.Bytes()[:6])
	}
	cpio, err := exec.LookPath("cpio")
	if err != nil {
		return // what the kernel makes of it is seen when a machine boots
	}
	cmd := exec.Command(cpio, "-t", "--quiet")
	cmd.Stdin = &a
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "init\n" {
		t.Errorf("cpio reads %q %v", out, err)
	}
}

func TestRelations(t *testing.T) {
	got := relations("libc6 (>= 2.36), debconf (>= 0.5) | debconf-2.0, perl:any,")
	if want := []string{"libc6", "debconf", "debconf-2.0", "perl"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	h := host{depends: map[string][]string{"a": {"b", "virtual"}, "b": {"a"}, "c": nil, "d": nil}, provided: map[string][]string{"virtual": {"c"}}}
	if got := h.closure([]string{"a"}); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("got %q", got)
	}
}

func TestShown(t *testing.T) {
	dir, err := os.Lstat("/usr")
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]bool{"/usr": true, "/usr/bin": true, "/usrlocal": false, "/etc": false, "/etc/alternatives": true, "/home/u": false, "/root": false} {
		if got := shown(p, dir); got != want {
			t.Errorf("%s: %t", p, got)
		}
	}
}

// TestWhole: an image has the settings that a view mounts, whatever its packages list.
func TestWhole(t *testing.T) {
	all, err := collect(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range view.Mounted() {
		fi, err := os.Lstat(p)
		if err != nil {
			t.Fatal(err)
		}
		if link := fi.Mode()&os.ModeSymlink != 0; slices.Contains(all.provides(), p) == link {
			t.Errorf("%s, a link: %t, is provided: %t", p, link, !link)
		}
	}
	if all["/etc/passwd"] != nil || all["/etc/hostname"] != nil {
		t.Error("it has more of the host")
	}
}

func TestKernelNames(t *testing.T) {
	dir := t.TempDir()
	if _, err := findKernel(t.Context(), Config{Order: image.Order{Kernel: dir}}, dir); err == nil {
		t.Error("an empty folder has a kernel")
	}
	for _, d := range []string{"boot", "lib/modules/6.1.0"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "boot", "vmlinuz-6.1.0")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{dir, file} {
		k, err := findKernel(t.Context(), Config{Order: image.Order{Kernel: name}}, dir)
		if err != nil || k.release != "6.1.0" || k.modules != filepath.Join(dir, "lib/modules/6.1.0") {
			t.Errorf("%s: %+v %v", name, k, err)
		}
	}
	if _, err := order(filepath.Join(dir, "lib"), wanted); err == nil {
		t.Error("a folder without modules has an order")
	}
}
