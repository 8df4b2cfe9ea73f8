// Package build makes what a machine is started from.
//
// The kernel comes out of a Debian package that is unpacked and not installed;
// everything else is made in Go, so that the same host makes the same image.
//
// It starts programs of Debian (apt-get, dpkg-deb, dpkg-query), and no machine.
// Layer: beside the microVM tier, in a process of its own; it imports the package
// image.
package build

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"ambit.dev/ambit/internal/enforce/microvm/image"
)

// Config says what to make.
type Config struct {
	image.Order
	// Progress is told what goes on, and how much of it is done; all is 0 where
	// nobody knows.
	Progress func(what string, done, all int)
}

// Image makes an image and makes it the one that is used.
func Image(ctx context.Context, c Config) (img image.Image, err error) {
	if err := os.MkdirAll(c.Store, 0o700); err != nil {
		return img, fmt.Errorf("make the folder of images: %w", err)
	}
	dir, err := os.MkdirTemp(c.Store, ".new-")
	if err != nil {
		return img, fmt.Errorf("make an image: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	work := filepath.Join(dir, "work")
	if err := os.Mkdir(work, 0o700); err != nil {
		return img, err
	}
	img = image.Image{Dir: dir, Parts: partNames(c.Parts)}
	if err := boot(ctx, &img, c, work); err != nil {
		return img, err
	}
	if err := root(ctx, &img, c); err != nil {
		return img, err
	}
	if err := os.RemoveAll(work); err != nil {
		return img, err
	}
	c.Progress("naming the image by its digest", 0, 0)
	if err := img.Seal(); err != nil {
		return img, err
	}
	return img, img.Keep(c.Store)
}

// partNames sorts the parts, with Base before all others.
func partNames(more []string) []string {
	names := slices.DeleteFunc(slices.Clone(more), func(n string) bool { return n == Base })
	slices.Sort(names)
	return append([]string{Base}, slices.Compact(names)...)
}

// boot makes the kernel and the initramfs.
func boot(ctx context.Context, i *image.Image, c Config, work string) error {
	k, err := findKernel(ctx, c, work)
	if err != nil {
		return err
	}
	i.Release = k.release
	c.Progress("taking out Linux "+k.release, 0, 0)
	packed, err := os.ReadFile(k.image)
	if err != nil {
		return fmt.Errorf("read the kernel: %w", err)
	}
	kernel, err := vmlinux(packed)
	if err != nil {
		return fmt.Errorf("take out the kernel %s: %w", k.release, err)
	}
	files, err := order(k.modules, wanted)
	if err != nil {
		return err
	}
	initrd, err := initramfs(c.Guest, files)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(i.Kernel(), kernel, 0o400), os.WriteFile(i.Initrd(), initrd, 0o400))
}

// root makes the root file system.
func root(ctx context.Context, i *image.Image, c Config) error {
	c.Progress("listing the files of packages", 0, 0)
	files, packages, err := packageFiles(ctx, i.Parts)
	if err != nil {
		return err
	}
	t, err := collect(files)
	if err != nil {
		return fmt.Errorf("collect the files of packages: %w", err)
	}
	i.Packages, i.Provides = packages, t.provides()
	out, err := os.OpenFile(i.Root(), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o400)
	if err != nil {
		return err
	}
	err = t.write(ctx, out, func(done, all int) { c.Progress("packing files", done, all) })
	return errors.Join(err, out.Close(), i.Name(t.names()))
}
