//go:build !linux

package store

import (
	"errors"
	"net"
	"os"
)

func pair() (*net.UnixConn, *os.File, error) { return nil, nil, errors.ErrUnsupported }
