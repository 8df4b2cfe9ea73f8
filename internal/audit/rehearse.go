package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"
)

// Rehearse is Ready of the log in dir, of which nothing is kept: what that needs of this
// program is in memory then. Where there is no log it makes none.
func Rehearse(dir string) error {
	if !There(dir) {
		return os.ErrNotExist
	}
	l, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	//nolint:forbidigo // nobody waits for it
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return errors.Join(l.Ready(ctx), l.Close())
}

// There reports whether dir has a log.
func There(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, "head"))
	return err == nil
}
