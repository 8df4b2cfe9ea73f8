//go:build !linux

package main

import (
	"errors"
	"fmt"
)

func become([]string, bool) error {
	return fmt.Errorf("confine a program: %w", errors.ErrUnsupported)
}
