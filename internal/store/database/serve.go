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
	"time"

	"ambit.dev/ambit/internal/store/wire"
)

// maxLines is how many files one launcher may have open. It has two.
const maxLines = 8

// Serve answers one launcher until that is gone. Over control it sends a socket
// for each file that it wants to use.
func Serve(ctx context.Context, control *net.UnixConn) error {
	ctx, end := context.WithCancel(ctx)
	s := &server{open: map[string]claim{}}
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
	open  map[string]claim // guarded by mu; by path
}

// A claim is one line's on a path.
type claim struct {
	ending <-chan struct{} // closed when whoever uses the line has given it up
	gone   chan struct{}   // closed when the file is closed
}

// noticing is how long it may take to notice that a line was given up.
const noticing = time.Second

// claim makes a path one line's own, whose use ends with ctx. To close a file gives
// up the locks that the process has on it by another opening (fcntl(2)). Who gives a
// request up opens the file anew by another line: that waits until it is closed.
func (s *server) claim(ctx context.Context, path string) error {
	enough := time.NewTimer(noticing)
	defer enough.Stop()
	for {
		s.mu.Lock()
		held, ok := s.open[path]
		if !ok {
			defer s.mu.Unlock()
			if len(s.open) == maxLines {
				return errors.New("too many files are open")
			}
			s.open[path] = claim{ctx.Done(), make(chan struct{})}
			return nil
		}
		s.mu.Unlock()
		select {
		case <-held.gone:
		case <-held.ending:
			select {
			case <-held.gone:
			case <-ctx.Done():
				return ctx.Err()
			}
		case <-enough.C:
			return errors.New("it is open already")
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *server) unclaim(path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if held, ok := s.open[path]; ok {
		close(held.gone)
		delete(s.open, path)
	}
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
