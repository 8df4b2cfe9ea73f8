package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"ambit.dev/ambit/internal/companion/start"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/pack"
	"ambit.dev/ambit/internal/pack/wire"
)

// packProgram reads and writes packs as they travel, beside this program.
const packProgram = "ambit-pack"

// registryPrefix begins a reference to a registry. Without it a mistyped folder
// would be looked for on the network.
const registryPrefix = "oci://"

// networkEnv are the variables by which programs find a way to the network, and
// credentials for registries: not this program, which has no use for either.
var networkEnv = []string{"HOME", "DOCKER_CONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy", "http_proxy", "no_proxy"}

// carry has the program beside this one do a task. Nothing of it goes on
// afterwards.
//
// Security: what reads archives gets no environment, so that what takes it over
// learns nothing from there.
func (a *app) carry(ctx context.Context, t wire.Task) (wire.Done, error) {
	path, err := start.Path(packProgram)
	if err != nil {
		return wire.Done{}, err
	}
	var env []string
	if t.Fetch != nil || t.Push != nil {
		for _, name := range networkEnv {
			if value, ok := os.LookupEnv(name); ok {
				env = append(env, name+"="+value)
			}
		}
	}
	p, err := start.Start(start.Config{Path: path, Env: env, Stderr: a.err})
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

// parcel is a pack that is on its way.
type parcel struct {
	app   *app
	shelf pack.Shelf
	from  string // what it comes from: a path without links to guess, or a reference
}

// parcel says where a pack comes from.
func (a *app) parcel(source string) (*parcel, error) {
	shelf, err := a.shelf()
	from := source
	if !strings.HasPrefix(source, registryPrefix) { //nolint:forbidigo // it is no path
		from = absolute(source)
	}
	return &parcel{a, shelf, from}, err
}

// fill writes the pack into a folder.
func (p *parcel) fill(ctx context.Context, into string) error {
	ref, remote := strings.CutPrefix(p.from, registryPrefix)
	if remote {
		return p.shelf.Spool(func(layout string) error {
			d, err := p.app.carry(ctx, wire.Task{Fetch: &wire.Fetch{Ref: ref, Into: layout}})
			if err != nil {
				return err
			}
			p.from = source(ref, d.Ref)
			return p.unpack(ctx, layout, into)
		})
	}
	info, err := os.Stat(p.from)
	switch {
	case err != nil:
		return err
	case info.IsDir() && !isLayout(p.from):
		return pack.Copy(p.from, into)
	case info.IsDir() || info.Mode().IsRegular():
		return p.unpack(ctx, p.from, into)
	}
	return errors.New("it is neither a folder nor an archive")
}

func (p *parcel) unpack(ctx context.Context, from, into string) error {
	return p.shelf.Spool(func(spool string) error {
		_, err := p.app.carry(ctx, wire.Task{Unpack: &wire.Unpack{Source: from, Into: into, Spool: spool}})
		return err
	})
}

// isLayout reports whether a folder is an OCI layout. One that is a pack as well is
// a pack.
func isLayout(dir string) bool {
	_, err := os.Lstat(filepath.Join(dir, "oci-layout"))
	_, _, notPack := readPack(dir)
	return err == nil && notPack != nil
}

// source says what was installed: the reference as it was given, so that an update
// looks there again, and what it led to.
func source(ref, exact string) string {
	_, digest, ok := strings.Cut(exact, "@")
	if !ok || strings.Contains(ref, "@") {
		return registryPrefix + capability.Printable(ref)
	}
	return registryPrefix + capability.Printable(ref+"@"+digest)
}
