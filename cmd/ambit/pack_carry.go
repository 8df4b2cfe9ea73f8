package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"ambit.dev/ambit/internal/companion/start"
	"ambit.dev/ambit/internal/pack"
	"ambit.dev/ambit/internal/pack/wire"
)

// packProgram reads and writes packs as they travel, beside this program.
const packProgram = "ambit-pack"

// carry has the program beside this one do a task. Nothing of it goes on
// afterwards.
func (a *app) carry(ctx context.Context, t wire.Task) (wire.Done, error) {
	path, err := start.Path(packProgram)
	if err != nil {
		return wire.Done{}, err
	}
	p, err := start.Start(start.Config{Path: path, Stderr: a.err})
	if err != nil {
		return wire.Done{}, fmt.Errorf("packs are carried by %s: %w", path, err)
	}
	defer p.Stop()
	defer context.AfterFunc(ctx, p.Stop)()
	d, err := wire.Do(p.Line, t)
	if ctx.Err() != nil {
		return d, errors.New("it was interrupted")
	}
	return d, err
}

// fill writes the pack of a folder or an archive into a folder.
func (a *app) fill(ctx context.Context, source, into string) error {
	info, err := os.Stat(source)
	switch {
	case err != nil:
		return err
	case info.IsDir():
		return pack.Copy(source, into)
	case info.Mode().IsRegular():
		_, err = a.carry(ctx, wire.Task{Unpack: &wire.Unpack{Source: absolute(source), Into: into}})
		return err
	}
	return errors.New("it is neither a folder nor an archive")
}
