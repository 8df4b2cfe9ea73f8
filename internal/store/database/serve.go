package database

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"

	"ambit.dev/ambit/internal/store/wire"
)

// maxLines is how many files one launcher may have open. It has two.
const maxLines = 8

// Serve answers one launcher until that is gone. Over control it sends a socket
// for each file that it wants to use.
func Serve(ctx context.Context, control *net.UnixConn) error {
	ctx, end := context.WithCancel(ctx)
	s := &server{open: map[string]bool{}}
	defer s.lines.Wait()
	defer end()
	for {
		conn, err := receive(control)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("wait for a file to open: %w", err)
		}
		s.lines.Go(func() {
			defer conn.Close() //nolint:errcheck // nothing is waited for
			s.serve(ctx, wire.NewConn(conn))
		})
	}
}

// server is what the lines have in common.
type server struct {
	lines sync.WaitGroup
	mu    sync.Mutex
	open  map[string]bool // guarded by mu; paths
}

// claim makes a path one line's own. To close a file gives up the locks that
// the process has on it by another opening (fcntl(2)).
func (s *server) claim(path string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[path] || len(s.open) == maxLines {
		return errors.New("it is open already")
	}
	s.open[path] = true
	return nil
}

func (s *server) unclaim(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, path)
}

// receive returns the next socket.
func receive(control *net.UnixConn) (*net.UnixConn, error) {
	one, rights := make([]byte, 1), make([]byte, syscall.CmsgSpace(4))
	n, rn, _, _, err := control.ReadMsgUnix(one, rights)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, io.EOF
	}
	messages, err := syscall.ParseSocketControlMessage(rights[:rn])
	if err != nil || len(messages) != 1 {
		return nil, errors.New("not one descriptor")
	}
	fds, err := syscall.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, errors.New("not one descriptor")
	}
	file := os.NewFile(uintptr(fds[0]), "line") // close-on-exec, as package net receives it
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, err
	}
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, errors.Join(errors.New("not a unix socket"), conn.Close())
	}
	return socket, nil
}

// request is one message of a launcher.
type request struct {
	kind   byte
	fields []byte
}

// serve answers what comes over one line. Whatever is being done is given up
// when the launcher is gone, or says that it does not want it any more by
// sending nothing further; it hears what came of it all the same.
func (s *server) serve(ctx context.Context, conn *wire.Conn) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	stop := context.AfterFunc(ctx, func() { _ = conn.CloseRead() })
	defer stop()
	requests := make(chan request)
	go func() {
		defer close(requests)
		defer end()
		for {
			kind, fields, err := conn.Receive()
			if err != nil {
				return
			}
			select {
			case requests <- request{kind, fields}:
			case <-ctx.Done():
				return
			}
		}
	}()
	l := &line{server: s, conn: conn}
	for r := range requests {
		if l.tell(l.answer(ctx, r)) != nil {
			end()
		}
	}
	_ = l.tell(l.close()) // nobody may be there to hear it
}
