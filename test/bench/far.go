package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// far is the other end of what is measured, on the host's loopback. What a
// connection says first is what it wants: 'u' is taken, 'd' is given, 'p' is
// answered byte for byte.
type far struct {
	raw, web net.Listener
	server   http.Server
}

// pieces is how much is written and read at once, at both ends.
const pieces = 256 << 10

func newFar() (*far, error) {
	raw, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, raw.Close())
	}
	f := &far{raw: raw, web: web}
	f.server = http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok") // who hangs up is not measured
	})}
	go func() { _ = f.server.Serve(web) }()
	go f.serve()
	return f, nil
}

func (f *far) close() {
	_ = f.raw.Close()
	_ = f.server.Close()
}

// ports are those of bytes and of requests.
func (f *far) ports() (raw, web string) { return port(f.raw), port(f.web) }

func port(l net.Listener) string {
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port) //nolint:forcetypeassert // it was made as one
}

func (f *far) serve() {
	for {
		c, err := f.raw.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close() //nolint:errcheck // nothing is lost by it
			answer(c)
		}()
	}
}

func answer(c net.Conn) {
	buf := make([]byte, pieces)
	if _, err := io.ReadFull(c, buf[:1]); err != nil {
		return
	}
	var err error
	switch buf[0] {
	case 'u':
		for err == nil {
			_, err = c.Read(buf)
		}
	case 'd':
		for err == nil {
			_, err = c.Write(buf)
		}
	default:
		for err == nil {
			if _, err = c.Write(buf[:1]); err == nil {
				_, err = io.ReadFull(c, buf[:1])
			}
		}
	}
}
