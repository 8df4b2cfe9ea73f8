package escape_test

import (
	"errors"
	"os/exec"
)

// exitStatus is that of a finished command; -1: a signal ended it.
func exitStatus(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -2
}
