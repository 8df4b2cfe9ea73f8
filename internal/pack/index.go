package pack

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
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

// Taken is the version of a pack that was installed last of what one key signed, or
// nobody. It is remembered when the pack is removed, so that nobody brings back an older
// one unseen.
type Taken struct {
	ID      string `json:"id"`
	Signer  string `json:"signer,omitempty"`
	Version string `json:"version,omitempty"`
	Digest  string `json:"digest"`
}

// document is what the file has.
type document struct {
	Version int     `json:"version"`
	Packs   []Owner `json:"packs"`
	Taken   []Taken `json:"taken,omitempty"` // since version 2; in the order of ids and signers
}

const documentVersion = 2

// All are the owners, in the order of their ids.
func (x Index) All() ([]Owner, error) {
	d, err := x.read()
	return d.Packs, err
}

func (x Index) read() (document, error) {
	text, err := statefile.Read(x.path)
	if errors.Is(err, fs.ErrNotExist) {
		return document{}, nil
	}
	if err != nil {
		return document{}, fmt.Errorf("read the packs in %q: %w", x.path, err)
	}
	return parse(x.path, text)
}

// Taken are the versions of a pack that were installed last: of what a key signed, and
// of what is installed now, whoever signed that.
func (x Index) Taken(id, signer string) (all []Taken, err error) {
	d, err := x.read()
	for _, o := range d.Packs {
		if o.ID == id && o.Digest != "" {
			all = append(all, o.taken())
		}
	}
	for _, t := range d.Taken {
		if t.ID == id && t.Signer == signer && !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return all, err
}

func (o Owner) taken() Taken { return Taken{o.ID, o.Signer, o.Version, o.Digest} }

// take remembers what is installed, in the place of what was before.
func (d *document) take(o Owner) {
	if o.Digest == "" {
		return
	}
	t := o.taken()
	i, known := slices.BinarySearchFunc(d.Taken, t, Taken.compare)
	if known {
		d.Taken[i] = t
		return
	}
	d.Taken = slices.Insert(d.Taken, i, t)
}

func (t Taken) compare(o Taken) int {
	return cmp.Or(strings.Compare(t.ID, o.ID), strings.Compare(t.Signer, o.Signer))
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
	d, err := x.read()
	if err != nil {
		return err
	}
	all := d.Packs
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
	d.take(before) // an index of version 1 has not
	d.take(after)
	d.Version, d.Packs = documentVersion, all
	if err := statefile.Replace(x.path, d); err != nil {
		return fmt.Errorf("write the packs in %q: %w", x.path, err)
	}
	return nil
}

// parse reads the file strictly: an owner that went missing would let anybody have
// its id.
func parse(path string, text []byte) (d document, err error) {
	err = statefile.Decode(text, &d)
	switch sorted := func(a, b Owner) int { return bytes.Compare([]byte(a.ID), []byte(b.ID)) }; {
	case err != nil:
	case d.Version != documentVersion && d.Version != 1:
		err = fmt.Errorf("it has version %d, this ambit knows %d", d.Version, documentVersion)
	case !slices.IsSortedFunc(d.Packs, sorted) || len(slices.CompactFunc(slices.Clone(d.Packs), func(a, b Owner) bool { return a.ID == b.ID })) != len(d.Packs):
		err = errors.New("its ids are not in order, or one stands there twice")
	case slices.ContainsFunc(d.Packs, func(o Owner) bool { return o.ID == "" || !filepath.IsAbs(o.Folder) }):
		err = errors.New("one has no id or no folder")
	case !slices.IsSortedFunc(d.Taken, Taken.compare) || len(slices.CompactFunc(slices.Clone(d.Taken), func(a, b Taken) bool { return a.compare(b) == 0 })) != len(d.Taken):
		err = errors.New("the versions that were installed are not in order, or one stands there twice")
	case slices.ContainsFunc(d.Taken, func(t Taken) bool { return t.ID == "" || t.Digest == "" }):
		err = errors.New("a version that was installed has no id or no digest")
	}
	if err != nil {
		return document{}, fmt.Errorf("the packs in %q: %w", path, err)
	}
	return d, nil
}
