package main

import (
	"cmp"
	"context"
	"errors"
	"os"
	"path/filepath"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/pack"
	"ambit.dev/ambit/internal/pack/archive"
	"ambit.dev/ambit/internal/pack/artifact"
	"ambit.dev/ambit/internal/pack/registry"
	"ambit.dev/ambit/internal/pack/wire"
)

// files are what a task goes on to use.
//
// Security: an archive is anybody's. What unpacks one can make files in two folders,
// of which one is read back by whoever wanted it, and read nothing else of this
// host: no credentials, no pack. What speaks to registries unpacks nothing.
func files(t wire.Task) companion.Files {
	switch {
	case t.Unpack != nil:
		return companion.Files{Read: []string{t.Unpack.Source}, Make: []string{t.Unpack.Into, t.Unpack.Spool}}
	case t.Export != nil:
		return companion.Files{Read: []string{t.Export.Folder}, Write: []string{t.Export.File}, Make: []string{t.Export.Spool}}
	case t.Fetch != nil:
		return companion.Files{Read: networkFiles(), Make: []string{t.Fetch.Into}}
	case t.Push != nil:
		return companion.Files{Read: append(networkFiles(), t.Push.Folder), Make: []string{t.Push.Spool}}
	}
	return companion.Files{}
}

// credentials is where Docker and others keep those for registries; "" where
// nobody says where.
func credentials() string {
	dir := os.Getenv("DOCKER_CONFIG")
	if home := os.Getenv("HOME"); dir == "" && home != "" {
		dir = filepath.Join(home, ".docker")
	}
	if dir == "" {
		return ""
	}
	return filepath.Join(dir, "config.json")
}

// networkFiles are what it takes to find a registry, to verify it, and to be known
// to it.
func networkFiles() []string {
	found := []string{"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/host.conf",
		"/etc/ssl", "/etc/pki", "/etc/ca-certificates", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates", "/usr/share/pki"}
	for _, path := range []string{credentials(), os.Getenv("SSL_CERT_FILE"), os.Getenv("SSL_CERT_DIR")} {
		if path != "" {
			found = append(found, path)
		}
	}
	return found
}

func do(ctx context.Context, t wire.Task) (d wire.Done, err error) {
	if err := companion.Confine(files(t)); err != nil {
		return d, err
	}
	switch {
	case t.Unpack != nil:
		return d, unpack(*t.Unpack)
	case t.Export != nil:
		return d, export(*t.Export)
	case t.Fetch != nil:
		err = inside(t.Fetch.Into, func(root *os.Root) error {
			d.Ref, err = registry.Config{Credentials: credentials()}.Fetch(ctx, t.Fetch.Ref, artifact.In(root))
			return err
		})
		return d, err
	case t.Push != nil:
		err = inside(t.Push.Spool, func(root *os.Root) error {
			l := artifact.In(root)
			if _, err := making(l, t.Push.Folder); err != nil {
				return err
			}
			d.Ref, err = registry.Config{Credentials: credentials()}.Push(ctx, t.Push.Ref, l)
			return err
		})
		return d, err
	}
	return d, errors.New("it is no task")
}

// inside does something in a folder.
func inside(dir string, do func(*os.Root) error) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	return errors.Join(do(root), root.Close())
}

func making(l artifact.Layout, folder string) (artifact.Descriptor, error) {
	if err := l.Begin(); err != nil {
		return artifact.Descriptor{}, err
	}
	return l.Make(folder)
}

// unpack writes what an archive has, or a layout, or a layout in an archive.
func unpack(u wire.Unpack) error {
	return inside(u.Into, func(root *os.Root) error {
		w := pack.NewWriter(root)
		info, err := os.Stat(u.Source)
		if err != nil {
			return err
		}
		if info.IsDir() {
			return inside(u.Source, func(layout *os.Root) error { return unpackLayout(layout, w) })
		}
		f, err := os.Open(u.Source)
		if err != nil {
			return err
		}
		defer f.Close()
		layout, err := archive.IsLayout(f)
		if _, e := f.Seek(0, 0); cmp.Or(err, e) != nil {
			return cmp.Or(err, e)
		}
		if !layout {
			return archive.Read(f, w)
		}
		return inside(u.Spool, func(spool *os.Root) error {
			if err := archive.Read(f, pack.NewWriter(spool)); err != nil {
				return err
			}
			return unpackLayout(spool, w)
		})
	})
}

func unpackLayout(layout *os.Root, w *pack.Writer) error {
	l := artifact.In(layout)
	_, m, err := l.Manifest()
	if err != nil {
		return err
	}
	return l.Unpack(m, w)
}

// export writes a pack as an archive.
func export(e wire.Export) error {
	f, err := os.OpenFile(e.File, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if e.OCI {
		err = inside(e.Spool, func(root *os.Root) error {
			l := artifact.In(root)
			if _, err := making(l, e.Folder); err != nil {
				return err
			}
			return archive.WriteFolder(root, f)
		})
	} else {
		_, err = archive.Write(e.Folder, f)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
