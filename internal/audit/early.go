package audit

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"ambit.dev/ambit/internal/core/trace"
)

// An Early is a log that is opened, and its end read, before it is known whether anything is
// recorded in it. nil is none.
type Early struct {
	key os.FileInfo // of the file that it signs by
	log *Log
}

// OpenEarly opens the log in dir, and makes it ready (Ready). Where there is no log it makes
// none. What the next record needs of this program and of the log is in memory then.
func OpenEarly(dir string, opt Options) (*Early, error) {
	if !There(dir) {
		return nil, os.ErrNotExist
	}
	key, err := os.Lstat(filepath.Join(dir, "key")) // before it is read: one that comes later is another
	if err != nil {
		return nil, err
	}
	l, err := Open(dir, opt)
	if err != nil {
		return nil, err
	}
	e := &Early{key, l}
	e.ready()
	return e, nil
}

// Ready makes the log ready again, which others have written to, while something else is
// done. What is wrong with it the next record says.
func (e *Early) Ready() {
	if e != nil {
		go e.ready()
	}
}

func (e *Early) ready() {
	//nolint:forbidigo // nobody waits for it
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = e.log.Ready(ctx)
}

// Log is the log, for the records of a trace, as Open would return it: if it is the one that
// lies in dir now. It is called once.
//
// Security: a log is signed by one key. Where another one lies there now, the log is
// another one.
func (e *Early) Log(dir string, of trace.Parent) (*Log, bool) {
	if e == nil || !There(dir) {
		return nil, false
	}
	now, err := os.Lstat(filepath.Join(dir, "key"))
	if err != nil || !os.SameFile(now, e.key) || !now.ModTime().Equal(e.key.ModTime()) || now.Mode() != e.key.Mode() {
		return nil, false
	}
	e.log.opt.Trace = of
	return e.log, true
}

// There reports whether dir has a log.
func There(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, "head"))
	return err == nil
}
