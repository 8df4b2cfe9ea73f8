// Package keep is how the output of one session, and how it ended, are kept in a
// folder: what ambit-keeper writes there and ambit-host reads.
//
// The folder of a session:
//
//	job.json    what is to be run; written before the folder has its name
//	begun       made by the keeper, once; locked (flock(2)) while it lives
//	output      frames: stream (1 byte), length (4 bytes, big endian), data
//	oldest      where the oldest frame begins that is kept, behind what was it before
//	input       a socket, by which a terminal is typed into, and what enters a session stopped
//	end.json    how it ended; made aside and renamed
//
// Invariants:
//
//   - A job is begun once at most, however many keepers are started for it
//     (TestOnce).
//   - Of output the newest is kept, up to a bound (TestBound); a reader that comes too
//     late is told so, and never reads a hole (TestRing). Where the file system makes no
//     holes, what is beyond the bound is counted (TestNoHoles). A program is never held
//     up by a full disk, or by nobody who reads.
//   - What is typed is typed once, and bounded (TestTyped, TestTerminal).
//   - A frame is read whole or not at all (TestFrames).
//
// It decides nothing and grants nothing. Layer: it imports nothing of ours.
package keep

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// The files of a folder.
const (
	jobFile    = "job.json"
	begunFile  = "begun"
	outputFile = "output"
	endFile    = "end.json"
)

// A Job is what a keeper runs.
type Job struct {
	Principal string   `json:"principal"`
	Created   int64    `json:"created"` // seconds since 1970
	Path      string   `json:"path"`    // of the launcher
	Args      []string `json:"args"`    // its arguments, without its name
	Dir       string   `json:"dir"`
	Stdin     []byte   `json:"stdin,omitempty"`
	Digest    string   `json:"digest,omitempty"` // of the request, to compare another one with
	Pack      string   `json:"pack,omitempty"`
	Program   string   `json:"program,omitempty"`
	Terminal  *Size    `json:"terminal,omitempty"` // nil: none
	Session   string   `json:"session,omitempty"`  // that it enters; it can be stopped by its socket
	Argv      []string `json:"argv,omitempty"`     // what is started there

	Trace      string `json:"trace,omitempty"` // to which it belongs, a traceparent; "": none
	TraceState string `json:"tracestate,omitempty"`
}

// An End is how a job ended.
type End struct {
	Exit    int    `json:"exit"`
	Dropped int64  `json:"dropped,omitempty"` // bytes of output that were not kept
	Error   string `json:"error,omitempty"`   // why it could not be started
	Ended   int64  `json:"ended"`             // nanoseconds since 1970
}

// Put makes the folder of a job. There must be none with that name.
func Put(dir string, j Job) error {
	aside, err := os.MkdirTemp(filepath.Dir(dir), newPrefix)
	if err != nil {
		return fmt.Errorf("keep a job: %w", err)
	}
	if err = writeJSON(filepath.Join(aside, jobFile), j); err == nil {
		err = os.Rename(aside, dir)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("keep a job: %w", err), os.RemoveAll(aside))
	}
	return nil
}

// Load reads the job of a folder. os.ErrNotExist says that there is none.
func Load(dir string) (j Job, err error) {
	return j, readJSON(filepath.Join(dir, jobFile), &j)
}

// A State is how far a job is.
type State int

// The states. The zero one is that of a job that no keeper has begun.
const (
	Waiting State = iota
	Running       // its keeper lives
	Ended         // there is an End
	Lost          // its keeper is gone, and did not say how it ended
)

// Look says how far the job of a folder is, and how it ended.
func Look(dir string) (State, End, error) {
	var end End
	for range 2 { // a keeper that ends meanwhile has written its end
		err := readJSON(filepath.Join(dir, endFile), &end)
		if err == nil {
			return Ended, end, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return Lost, end, err
		}
		begun, err := os.Open(filepath.Join(dir, begunFile))
		if errors.Is(err, os.ErrNotExist) {
			return Waiting, end, nil
		}
		if err != nil {
			return Lost, end, err
		}
		err = syscall.Flock(int(begun.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
		_ = begun.Close() // and its lock with it
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return Running, end, nil
		}
	}
	return Lost, end, nil
}

func writeJSON(path string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

func readJSON(path string, v any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, v); err != nil {
		return fmt.Errorf("read %q: %w", path, err)
	}
	return nil
}
