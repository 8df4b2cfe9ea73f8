package pack

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"ambit.dev/ambit/internal/statefile"
)

// An Owner is whom an id belongs to: a folder, or, where Digest is set, a pack
// that was installed.
type Owner struct {
	ID        string    `json:"id"`
	Folder    string    `json:"folder"`
	Digest    string    `json:"digest,omitempty"` // of the content
	Version   string    `json:"version,omitempty"`
	Signer    string    `json:"signer,omitempty"` // key that an update has to be signed with
	Source    string    `json:"source,omitempty"` // what it was installed from
	Installed time.Time `json:"installed,omitzero"`
}

// An Index says whom each id belongs to. It is one file, used by any number of
// processes at once; the zero value is of no use.
type Index struct{ path string }

// In is the index in a file, which need not be there.
func In(path string) Index { return Index{path} }

// document is what the file has.
type document struct {
	Version int     `json:"version"`
	Packs   []Owner `json:"packs"`
}

const documentVersion = 1

// All are the owners, in the order of their ids.
func (x Index) All() ([]Owner, error) {
	text, err := statefile.Read(x.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the packs in %q: %w", x.path, err)
	}
	return parse(x.path, text)
}

// Owner is whom an id belongs to.
func (x Index) Owner(id string) (o Owner, ok bool, err error) {
	all, err := x.All()
	if i := slices.IndexFunc(all, func(o Owner) bool { return o.ID == id }); i >= 0 {
		return all[i], true, err
	}
	return o, false, err
}

// Change gives an id to what do answers, or to nobody where that is the zero
// value. before is whom it belongs to now. Nobody else changes the file meanwhile.
func (x Index) Change(id string, do func(before Owner, known bool) (Owner, error)) error {
	unlock, err := statefile.Lock(x.path)
	if err != nil {
		return fmt.Errorf("lock the packs in %q: %w", x.path, err)
	}
	defer unlock()
	all, err := x.All()
	if err != nil {
		return err
	}
	i, known := slices.BinarySearchFunc(all, id, func(o Owner, id string) int { return bytes.Compare([]byte(o.ID), []byte(id)) })
	var before Owner
	if known {
		before = all[i]
	}
	after, err := do(before, known)
	switch {
	case err != nil || after == before:
		return err
	case known && after == Owner{}:
		all = slices.Delete(all, i, i+1)
	case known:
		all[i] = after
	default:
		all = slices.Insert(all, i, after)
	}
	if err := statefile.Replace(x.path, document{documentVersion, all}); err != nil {
		return fmt.Errorf("write the packs in %q: %w", x.path, err)
	}
	return nil
}

// parse reads the file strictly: an owner that went missing would let anybody have
// its id.
func parse(path string, text []byte) ([]Owner, error) {
	var d document
	err := statefile.Decode(text, &d)
	switch sorted := func(a, b Owner) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) }; {
	case err != nil:
	case d.Version != documentVersion:
		err = fmt.Errorf("it has version %d, this ambit knows %d", d.Version, documentVersion)
	case !slices.IsSortedFunc(d.Packs, sorted) || len(slices.CompactFunc(slices.Clone(d.Packs), func(a, b Owner) bool { return a.ID == b.ID })) != len(d.Packs):
		err = errors.New("its ids are not in order, or one stands there twice")
	case slices.ContainsFunc(d.Packs, func(o Owner) bool { return o.ID == "" || !filepath.IsAbs(o.Folder) }):
		err = errors.New("one has no id or no folder")
	}
	if err != nil {
		return nil, fmt.Errorf("the packs in %q: %w", path, err)
	}
	return d.Packs, nil
}
