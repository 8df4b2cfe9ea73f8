package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/enforce/microvm/build"
	"ambit.dev/ambit/internal/enforce/microvm/image"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ambit-image:", err)
		os.Exit(1)
	}
}

// run makes what one order wants, and says what becomes of it.
func run() error {
	line, err := companion.Inherit()
	if err != nil {
		return err
	}
	defer line.Close() //nolint:errcheck // nobody is there any more
	conn := companion.NewConn(line, image.MaxMessage)
	var o image.Order
	if err := conn.Receive(&o); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return err
	}
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
