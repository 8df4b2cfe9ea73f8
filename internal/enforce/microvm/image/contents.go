package image

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Contents are the paths that an image's root file system has.
type Contents struct{ names string } // each between two zero bytes

// Contents reads them.
func (i Image) Contents() (Contents, error) {
	text, err := os.ReadFile(i.names())
	if err != nil {
		return Contents{}, fmt.Errorf("open the image %s: %w", i.ID, err)
	}
	return Contents{string(text)}, nil
}

// Has reports whether the image has something at a path of the host without links.
func (c Contents) Has(path string) bool { return strings.Contains(c.names, "\x00"+path+"\x00") }

// Name writes the paths that the root file system has, in their order.
func (i Image) Name(paths []string) error {
	var text bytes.Buffer
	text.WriteByte(0)
	for _, p := range slices.Sorted(slices.Values(paths)) {
		text.WriteString(p)
		text.WriteByte(0)
	}
	return os.WriteFile(i.names(), text.Bytes(), 0o400)
}

func (i Image) names() string { return filepath.Join(i.Dir, namesFile) }
