package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/erofs/go-erofs"
)

// Contents is an image's root file system, for looking.
type Contents struct {
	f    *os.File
	root fs.FS
}

// Contents opens the root file system.
func (i Image) Contents() (*Contents, error) {
	f, err := os.Open(i.Root())
	if err != nil {
		return nil, fmt.Errorf("open the image %s: %w", i.ID, err)
	}
	root, err := erofs.Open(f)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the image %s: %w", i.ID, err), f.Close())
	}
	return &Contents{f, root}, nil
}

// Close closes it.
func (c *Contents) Close() error { return c.f.Close() }

// Has reports whether the image has something at a path of the host without links.
func (c *Contents) Has(path string) bool {
	_, err := fs.Stat(c.root, strings.TrimPrefix(path, "/"))
	return err == nil
}
