package main

import (
	"context"
	"io"
	"net"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/enforce/microvm/build"
	"ambit.dev/ambit/internal/enforce/microvm/image"
)

func main() { companion.Main("ambit-image", carry, run) }

func carry(s io.ReadWriter) *companion.Conn { return companion.NewConn(s, image.MaxMessage) }

// run makes what one order wants, and says what becomes of it.
func run(line *net.UnixConn, conn *companion.Conn, o image.Order) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, line) // until whoever ordered it is gone
		cancel()
	}()
	t := teller{conn: conn}
	img, err := build.Image(ctx, build.Config{Order: o, Progress: t.tell})
	if err != nil {
		return conn.Send(image.News{Error: err.Error()})
	}
	return conn.Send(image.News{Image: &img})
}

// teller says what goes on, once for each thing and each hundredth of it.
type teller struct {
	conn *companion.Conn
	last image.News
}

func (t *teller) tell(what string, done, all int) {
	n := image.News{What: what}
	if all > 0 {
		n.Done = done * 100 / all
	}
	if n != t.last {
		t.last = n
		_ = t.conn.Send(n) // who is gone cancels
	}
}
