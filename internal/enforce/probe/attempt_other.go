//go:build !linux

package probe

import (
	"errors"
	"io"
)

type attempt struct{ layer, name string }

const setBoundary, setSpawn, setMemory, setWait = "boundary", "spawn", "memory", "wait"

var sets map[string][]attempt

// Attempt needs Linux.
func Attempt(string, io.Reader, io.Writer) error { return errors.ErrUnsupported }
