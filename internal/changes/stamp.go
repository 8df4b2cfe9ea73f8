//go:build linux

package changes

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
)

// Name tells a set from the others of its session.
func (s *Set) Name() string { return filepath.Base(s.dir) }

// Stamp is a digest of what the list is and of what lies behind it, so that who has
// looked at that can say so. It is another one after each change of what is kept apart.
//
// Security: by inodes and the times of their last change, which a program cannot set.
func (s *Set) Stamp() (string, error) {
	all, err := s.List()
	if err != nil {
		return "", err
	}
	up, err := os.OpenRoot(s.upper())
	if err != nil {
		return "", err
	}
	defer up.Close() //nolint:errcheck // nothing was written
	type entry struct {
		Change
		Mode  fs.FileMode
		State state
	}
	var seen []entry
	for _, c := range all {
		e := entry{Change: c, Mode: c.Mode}
		if c.What != Removed {
			info, err := up.Lstat(c.Path)
			if err != nil {
				return "", err
			}
			e.State = stateOf(info)
		}
		seen = append(seen, e)
	}
	text, err := json.Marshal(seen)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}
