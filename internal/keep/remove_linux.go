package keep

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// gonePrefix begins the name of a folder that is being removed, and newPrefix that of one
// that is being made.
const (
	gonePrefix = ".gone-"
	newPrefix  = ".new-"
)

// ErrRuns says that a job may still run.
var ErrRuns = errors.New("it may still run")

// Remove removes the folder of a job that has ended, is lost, or was never begun. It is
// there whole, or it is not there: what is left where this process is killed is not found by
// its name any more, and Sweep removes it.
func Remove(dir string) error {
	state, _, err := Look(dir)
	switch {
	case err != nil:
		return err
	case state == Running:
		return ErrRuns
	case state == Waiting: // claimed: no keeper begins it meanwhile
		begun, err := begin(dir)
		if errors.Is(err, ErrBegun) {
			return ErrRuns
		}
		if err != nil {
			return err
		}
		defer begun.Close()
	}
	gone := filepath.Join(filepath.Dir(dir), gonePrefix+filepath.Base(dir))
	if err := os.Rename(dir, gone); err != nil {
		return fmt.Errorf("remove a job: %w", err)
	}
	return os.RemoveAll(gone)
}

// Sweep removes what is left of folders whose removal did not come to its end, and of
// such that were being made before a time.
func Sweep(jobs string, before time.Time) error {
	all, err := os.ReadDir(jobs)
	if err != nil {
		return err
	}
	var bad error
	for _, e := range all {
		left := strings.HasPrefix(e.Name(), gonePrefix)
		if strings.HasPrefix(e.Name(), newPrefix) {
			info, err := e.Info()
			left = err == nil && info.ModTime().Before(before)
		}
		if left {
			bad = errors.Join(bad, os.RemoveAll(filepath.Join(jobs, e.Name())))
		}
	}
	return bad
}

// Changed is when something of a job was last seen to happen: for one that has ended,
// its end. An error says that there is none.
func Changed(dir string) (time.Time, error) {
	info, err := os.Lstat(dir)
	if err != nil {
		return time.Time{}, err
	}
	last := info.ModTime() // as its end got its name there
	switch out, err := os.Lstat(filepath.Join(dir, outputFile)); {
	case errors.Is(err, fs.ErrNotExist):
		return last, nil
	case err != nil:
		return time.Time{}, err
	case out.ModTime().After(last): // nobody wrote its end
		last = out.ModTime()
	}
	return last, nil
}
