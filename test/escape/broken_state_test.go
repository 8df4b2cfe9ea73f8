package escape_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A breakage is a way in which a part of the state can no longer be written.
type breakage struct {
	name string
	// place makes the empty folder dir such that it can be broken.
	place func(t *testing.T, dir string)
	// breaks does it, and returns what repairs it.
	breaks func(t *testing.T, dir string) (repair func())
	// slack says that what was open before can still be written.
	slack bool
}

// breakages are those that this user can bring about. A user who is not root has
// no file systems to fill; for root there is no folder without permission.
func breakages() []breakage {
	if os.Getuid() != 0 {
		return []breakage{{"forbidden", func(*testing.T, string) {}, forbid, true}}
	}
	return []breakage{{"full", smallDisk, fill, false}, {"read-only", imageDisk, abortDisk, false}}
}

func smallDisk(t *testing.T, dir string) {
	t.Helper()
	if err := unix.Mount("ambit-test", dir, "tmpfs", 0, "size=2m,mode=700"); err != nil {
		t.Fatal(err)
	}
	unmountAtEnd(t, dir)
}

func unmountAtEnd(t *testing.T, dir string) {
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

// fill leaves no room in a file system.
func fill(t *testing.T, dir string) func() {
	t.Helper()
	name := filepath.Join(dir, "fill")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 16; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return func() {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
}

// imageDisk is a file system of a file beside dir. What a file system on a disk
// does when the disk fails, it can be told to do.
func imageDisk(t *testing.T, dir string) {
	t.Helper()
	image := dir + ".image"
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, argv := range [][]string{{"truncate", "-s", "8M", image}, {"mkfs.ext4", "-q", image}, {"mount", "-o", "loop", image, dir}} {
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Skipf("requires: a file system of a file (%s: %v %s)", argv[0], err, out)
		}
	}
	unmountAtEnd(t, dir)
	for _, err := range []error{os.Remove(filepath.Join(dir, "lost+found")), os.Chmod(dir, 0o700)} {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// abortDisk makes a file system read-only under whoever has files open in it.
func abortDisk(t *testing.T, dir string) func() {
	t.Helper()
	if err := unix.Mount("", dir, "", unix.MS_REMOUNT, "abort"); err != nil {
		t.Fatal(err)
	}
	return func() {
		// A sandbox that begins meanwhile, of whichever test, has all mounts of the
		// host for a moment; until they are gone from it, the file of the disk leads
		// to the file system that was broken.
		if !(*field)(nil).within(longest, func() bool {
			again := unix.Unmount(dir, unix.MNT_DETACH)
			if out, err := exec.Command("mount", "-o", "loop", dir+".image", dir).CombinedOutput(); err != nil || again != nil {
				t.Fatal(again, err, string(out))
			}
			try := filepath.Join(dir, "try") // what the kernel says of the file system does not tell
			return os.WriteFile(try, nil, 0o600) == nil && os.Remove(try) == nil
		}) {
			t.Fatal("the disk is not whole again")
		}
	}
}

// forbid takes the permission to write from a folder and what is in it.
func forbid(t *testing.T, dir string) func() {
	t.Helper()
	modes := map[string]os.FileMode{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if errors.Is(err, os.ErrNotExist) {
			return nil // a journal that was done with
		}
		modes[path] = fi.Mode()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	change := func(mask os.FileMode) func() {
		return func() {
			for path, mode := range modes {
				if err := os.Chmod(path, mode&^mask); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Error(err)
				}
			}
		}
	}
	change(0o222)()
	t.Cleanup(change(0)) // so that it can be removed
	return change(0)
}
