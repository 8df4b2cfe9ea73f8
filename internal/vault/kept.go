package vault

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// kept is what was decrypted last. The zero value is nothing.
type kept struct {
	all  []secret
	from sources
}

// sources are the files that secrets were read from.
type sources struct{ secrets, identity source }

func (s sources) close() {
	s.secrets.close()
	s.identity.close()
}

// A source is a file that was read, as it was before. It is held open: until it is
// closed no other file has its number. The zero value is none.
type source struct {
	file *os.File
	was  unix.Stat_t
}

func (s source) close() {
	if s.file != nil {
		_ = s.file.Close() // it was only read
	}
}

// drop forgets what is kept.
func (k *kept) drop() {
	k.from.close()
	*k = kept{}
}

// current reports whether both files are the ones that were read, and nothing was
// done to them since.
func (k *kept) current(dir string) bool {
	return k.from.secrets.at(filepath.Join(dir, secretsFile)) && k.from.identity.at(filepath.Join(dir, identityFile))
}

// at reports whether what lies at a path is the source, unchanged.
func (s source) at(path string) bool {
	if s.file == nil {
		return false
	}
	var now unix.Stat_t
	if err := unix.Lstat(path, &now); err != nil {
		return false
	}
	return now.Dev == s.was.Dev && now.Ino == s.was.Ino && now.Mode == s.was.Mode && now.Uid == s.was.Uid && now.Size == s.was.Size &&
		now.Mtim == s.was.Mtim && now.Ctim == s.was.Ctim
}
