//go:build !linux

package deno

import (
	"errors"
	"net"
)

func peer(net.Conn) (int, error) { return 0, errors.ErrUnsupported }
