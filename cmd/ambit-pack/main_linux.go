package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/pack/archive"
	"ambit.dev/ambit/internal/pack/wire"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "ambit-pack:", err)
		os.Exit(1)
	}
}

// run does one task and says what came of it.
func run() error {
	line, err := companion.Inherit()
	if err != nil {
		return err
	}
	defer line.Close() //nolint:errcheck // nobody is there any more
	conn := wire.NewConn(line)
	var t wire.Task
	if err := conn.Receive(&t); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return err
	}
	go func() { // whoever wanted it is gone: what was begun is of no use
		_, _ = io.Copy(io.Discard, line)
		os.Exit(1)
	}()
	d, err := do(t)
	if err != nil {
		d.Fault = err.Error()
	}
	return conn.Send(d)
}

// files are what a task goes on to use.
//
// Security: an archive is anybody's. What reads it can make files in one folder,
// which is read back by whoever wanted it, and read nothing else of this host.
func files(t wire.Task) companion.Files {
	switch {
	case t.Unpack != nil:
		return companion.Files{Read: []string{t.Unpack.Source}, Make: []string{t.Unpack.Into}}
	case t.Export != nil:
		return companion.Files{Read: []string{t.Export.Folder}, Write: []string{t.Export.File}}
	}
	return companion.Files{}
}

func do(t wire.Task) (d wire.Done, err error) {
	if err := companion.Confine(files(t)); err != nil {
		return d, err
	}
	switch {
	case t.Unpack != nil:
		return d, unpack(*t.Unpack)
	case t.Export != nil:
		return d, export(*t.Export)
	}
	return d, errors.New("it is no task")
}

// unpack writes what an archive has.
func unpack(u wire.Unpack) error {
	f, err := os.Open(u.Source)
	if err != nil {
		return err
	}
	defer f.Close()
	root, err := os.OpenRoot(u.Into)
	if err != nil {
		return err
	}
	return errors.Join(archive.Read(f, root), root.Close())
}

// export writes a pack as an archive.
func export(e wire.Export) error {
	f, err := os.OpenFile(e.File, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = archive.Write(e.Folder, f)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
