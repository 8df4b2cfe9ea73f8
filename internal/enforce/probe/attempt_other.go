//go:build !linux

package probe

import (
	"errors"
	"io"
	"os"
)

type attempt struct{ layer, name string }

const setBoundary, setSpawn, setMemory, setWait = "boundary", "spawn", "memory", "wait"

func sets() map[string][]attempt { return nil }

// Attempt needs Linux.
func Attempt(string, io.Reader, io.Writer) error { return errors.ErrUnsupported }

func leak() (*os.File, error) { return nil, errors.ErrUnsupported }
