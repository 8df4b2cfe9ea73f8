//go:build !linux

package main

import (
	"errors"
	"fmt"
)

func run() error { return fmt.Errorf("be process 1 of a machine: %w", errors.ErrUnsupported) }
