package pack

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ambit.dev/ambit/internal/statefile"
)

// An Offer is a pack that lies ready on the shelf, and waits for somebody to say
// what of it is allowed. It says what was shown, so that nothing else is installed.
type Offer struct {
	ID     string    `json:"id"`
	For    string    `json:"for,omitempty"` // who had it prepared, as whoever asks spells that
	Draft  string    `json:"draft"`         // name of its folder on the shelf
	Pack   string    `json:"pack"`
	Digest string    `json:"digest"`
	Signer string    `json:"signer,omitempty"`
	Named  bool      `json:"named,omitempty"` // whoever had it prepared named that signer
	Older  bool      `json:"older,omitempty"` // and allowed a version that is older
	Source string    `json:"source"`
	Shown  string    `json:"shown"` // digest of what was asked
	Until  time.Time `json:"until"`
}

// OfferLasts is how long an offer stands, and maxOffers how many there are at once:
// each may be as large as a pack.
const (
	OfferLasts = 15 * time.Minute
	maxOffers  = 8
)

// ErrNoOffer says that there is no such offer: not any more, or for somebody else.
var ErrNoOffer = errors.New("nothing lies ready by that id: it was used, is too old, or is somebody else's")

// Offers is a file with the offers of a shelf, used by any number of processes at
// once.
type Offers struct {
	path  string
	shelf Shelf
}

// OffersIn are the offers in a file, which need not be there.
func OffersIn(path string, shelf Shelf) Offers { return Offers{path, shelf} }

type offerDocument struct {
	Version int     `json:"version"`
	Offers  []Offer `json:"offers"`
}

// Put keeps an offer of a draft, which stays on the shelf from then on. One of the
// same pack for the same one takes the place of an earlier one.
func (x Offers) Put(o Offer, d *Draft, now time.Time) (Offer, error) {
	o.ID, o.Draft, o.Until = "i-"+strings.ToLower(rand.Text()), filepath.Base(d.dir), now.Add(OfferLasts).UTC()
	err := x.change(now, func(all []Offer) ([]Offer, error) {
		all = x.drop(all, func(other Offer) bool { return other.For == o.For && other.Pack == o.Pack })
		if len(all) >= maxOffers {
			return nil, fmt.Errorf("%d packs lie ready to be installed already; install one of them, or wait: each is forgotten %v after it was prepared", maxOffers, OfferLasts)
		}
		return append(all, o), nil
	})
	if err == nil {
		d.Leave()
	}
	return o, err
}

// Find is an offer that stands for somebody, with its draft, read anew. The draft is
// to be left or, after Take, closed.
//
// Security: what lies on the shelf may have been changed since it was shown: it has
// to be what was shown.
func (x Offers) Find(id, who string, now time.Time) (o Offer, d *Draft, err error) {
	all, err := x.read()
	if err != nil {
		return o, nil, err
	}
	i := slices.IndexFunc(all, func(o Offer) bool { return o.ID == id && o.For == who && now.Before(o.Until) })
	if i < 0 {
		return o, nil, ErrNoOffer
	}
	o = all[i]
	d = &Draft{dir: filepath.Join(x.shelf.dir, o.Draft), shelf: x.shelf}
	if d.Pack, err = Read(d.dir); err != nil {
		return o, nil, err
	}
	if d.Digest != o.Digest || d.Signer != o.Signer || d.Manifest.ID != o.Pack {
		return o, nil, fmt.Errorf("what lies ready of %s is not what was shown; have it prepared again", o.Pack)
	}
	return o, d, nil
}

// Take uses an offer up. Of several that try, one has it.
func (x Offers) Take(id, who string, now time.Time) error {
	return x.change(now, func(all []Offer) ([]Offer, error) {
		i := slices.IndexFunc(all, func(o Offer) bool { return o.ID == id && o.For == who })
		if i < 0 {
			return nil, ErrNoOffer
		}
		return slices.Delete(all, i, i+1), nil
	})
}

// Prune forgets the offers that are too old, and removes their drafts.
func (x Offers) Prune(now time.Time) error {
	if _, err := os.Lstat(x.path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return x.change(now, func(all []Offer) ([]Offer, error) { return all, nil })
}

// drop forgets offers, with their drafts. One that cannot be removed is swept later.
func (x Offers) drop(all []Offer, which func(Offer) bool) []Offer {
	return slices.DeleteFunc(all, func(o Offer) bool {
		if !which(o) {
			return false
		}
		_ = os.RemoveAll(filepath.Join(x.shelf.dir, o.Draft)) // the next sweep tries it again
		return true
	})
}

func (x Offers) change(now time.Time, do func([]Offer) ([]Offer, error)) error {
	unlock, err := statefile.Lock(x.path)
	if err != nil {
		return fmt.Errorf("lock what lies ready in %q: %w", x.path, err)
	}
	defer unlock()
	all, err := x.read()
	if err != nil {
		return err
	}
	all, err = do(x.drop(all, func(o Offer) bool { return !now.Before(o.Until) }))
	if err != nil {
		return err
	}
	return statefile.Replace(x.path, offerDocument{documentVersion, all})
}

// read reads the file strictly: the name of a draft becomes a path that is removed.
func (x Offers) read() ([]Offer, error) {
	text, err := statefile.Read(x.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var d offerDocument
	if err == nil {
		err = statefile.Decode(text, &d)
	}
	switch {
	case err != nil:
	case d.Version != documentVersion:
		err = fmt.Errorf("it has version %d, this ambit knows %d", d.Version, documentVersion)
	case slices.ContainsFunc(d.Offers, func(o Offer) bool {
		return o.ID == "" || o.Pack == "" || o.Digest == "" || filepath.Base(o.Draft) != o.Draft || !strings.HasPrefix(o.Draft, draftPrefix)
	}):
		err = errors.New("one is not whole")
	}
	if err != nil {
		return nil, fmt.Errorf("read what lies ready in %q: %w", x.path, err)
	}
	return d.Offers, nil
}
