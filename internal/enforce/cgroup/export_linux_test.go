package cgroup

import (
	"os"
	"path/filepath"
)

// FindIn is Find with the text of the two files of /proc.
func FindIn(mountinfo, own string) Facts { return find(mountinfo, own) }

// fake makes directories of plain files, for trees in a temporary directory.
func fake(files []string) host {
	return host{
		mkdir: func(path string) error {
			if err := os.Mkdir(path, 0o755); err != nil {
				return err
			}
			for _, f := range files {
				if err := os.WriteFile(filepath.Join(path, f), nil, 0o644); err != nil {
					return err
				}
			}
			return nil
		},
		rmdir: os.RemoveAll,
	}
}

// CreateFake is Create where a new directory has files, which hold what was
// written last.
func CreateFake(f Facts, files []string, name string, l Limits) (*Group, error) {
	return create(fake(files), f, name, l)
}

// HandDown is what Create does to a cgroup of version 2 before it makes a
// child, for any controllers.
func HandDown(dir string, controllers ...string) error {
	self, err := ourselves()
	if err != nil {
		return err
	}
	return kernel.handDown(dir, controllers, self)
}

func (g *Group) Dirs() (dirs []string) {
	for _, d := range g.dirs {
		dirs = append(dirs, d.path)
	}
	return dirs
}

// DirectoryOf is the name that a launcher's group has.
func DirectoryOf(name string, namespace uint64, pid int, start uint64) string {
	return launcher{namespace, pid, start}.directory(name)
}

func PIDNamespace() (uint64, error)       { return pidNamespace() }
func StartTime(pid int) (uint64, error)   { return startTime(pid) }
func Processes(dir string) ([]int, error) { return processes(dir) }
