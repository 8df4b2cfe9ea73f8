package build

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// kernelPackage is the Debian package that depends on the newest kernel for
// virtual machines.
const kernelPackage = "linux-image-cloud-amd64"

// kernel is one that was found.
type kernel struct{ release, image, modules string }

// findKernel finds a kernel and its modules where the person says, or fetches the
// distribution's package. It unpacks into work, and installs nothing.
func findKernel(ctx context.Context, c Config, work string) (kernel, error) {
	if c.Kernel == "" {
		deb, err := fetch(ctx, c, work)
		if err != nil {
			return kernel{}, err
		}
		return unpack(ctx, c, deb, work)
	}
	fi, err := os.Stat(c.Kernel)
	switch {
	case err != nil:
		return kernel{}, fmt.Errorf("find the kernel: %w", err)
	case fi.IsDir():
		return inFolder(c.Kernel)
	case strings.HasSuffix(c.Kernel, ".deb"):
		return unpack(ctx, c, c.Kernel, work)
	}
	return alone(c.Kernel)
}

// fetch downloads the package. apt-get checks its signature chain.
func fetch(ctx context.Context, c Config, work string) (string, error) {
	c.Progress("fetching the kernel with apt-get", 0, 0)
	out, err := exec.CommandContext(ctx, "apt-cache", "depends", kernelPackage).Output()
	if err != nil {
		return "", fmt.Errorf("find the kernel's package %s: %w; name a kernel's .deb with --kernel", kernelPackage, err)
	}
	name := ""
	for line := range strings.Lines(string(out)) {
		if n, ok := strings.CutPrefix(strings.TrimSpace(line), "Depends: linux-image-"); ok {
			name = "linux-image-" + n
			break
		}
	}
	if name == "" {
		return "", fmt.Errorf("apt knows no kernel for %s: run `apt-get update` as root, or name a kernel's .deb with --kernel", kernelPackage)
	}
	cmd := exec.CommandContext(ctx, "apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", name)
	cmd.Dir = work
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("download %s: %w: %s; name a kernel's .deb with --kernel", name, err, bytes.TrimSpace(said.Bytes()))
	}
	found, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("download %s: apt-get left %d packages, want one", name, len(found))
	}
	return found[0], nil
}

func unpack(ctx context.Context, c Config, deb, work string) (kernel, error) {
	c.Progress("unpacking "+filepath.Base(deb), 0, 0)
	to := filepath.Join(work, "package")
	if out, err := exec.CommandContext(ctx, "dpkg-deb", "-x", deb, to).CombinedOutput(); err != nil {
		return kernel{}, fmt.Errorf("unpack %q: %w: %s", deb, err, bytes.TrimSpace(out))
	}
	return inFolder(to)
}

// inFolder looks into the folder of an unpacked package.
func inFolder(dir string) (kernel, error) {
	images, err := filepath.Glob(filepath.Join(dir, "boot", "vmlinuz-*"))
	if err != nil || len(images) != 1 {
		return kernel{}, fmt.Errorf("%q has %d kernels in boot, want one, as in a Debian package that was unpacked", dir, len(images))
	}
	return alone(images[0])
}

// alone finds the modules of a kernel by its file: beside it, as in a package, or
// where this host has its own.
func alone(file string) (kernel, error) {
	release, ok := strings.CutPrefix(filepath.Base(file), "vmlinuz-")
	if !ok {
		return kernel{}, fmt.Errorf("the kernel %q must be named vmlinuz-RELEASE, so that its modules can be found", file)
	}
	dir := filepath.Dir(filepath.Dir(file))
	for _, lib := range []string{filepath.Join(dir, "lib"), filepath.Join(dir, "usr", "lib"), "/lib"} {
		modules := filepath.Join(lib, "modules", release)
		if _, err := os.Stat(modules); err == nil {
			return kernel{release, file, modules}, nil
		} else if !errors.Is(err, fs.ErrNotExist) {
			return kernel{}, err
		}
	}
	return kernel{}, fmt.Errorf("there are no modules of Linux %s beside %q", release, file)
}
