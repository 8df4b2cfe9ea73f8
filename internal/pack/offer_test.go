package pack_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ambit.dev/ambit/internal/pack"
)

// An offers is a shelf with its offers, in folders of a test.
type offers struct {
	pack.Offers
	shelf pack.Shelf
	dir   string // of the shelf
	now   time.Time
}

func newOffers(t *testing.T) *offers {
	dir := t.TempDir()
	shelf := pack.At(filepath.Join(dir, "shelf"))
	return &offers{pack.OffersIn(filepath.Join(dir, "offers.json"), shelf), shelf, filepath.Join(dir, "shelf"), time.Unix(1e9, 0)}
}

// put offers a pack with an id to somebody.
func (x *offers) put(t *testing.T, id, who string) pack.Offer {
	t.Helper()
	o, err := x.try(id, who)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (x *offers) try(id, who string) (pack.Offer, error) {
	d, err := x.shelf.Draft(func(dir string) error {
		text := `{"id": "` + id + `", "kind": "cli-tool", "entry": ["true"]}`
		return os.WriteFile(filepath.Join(dir, "ambit.json"), []byte(text), 0o644)
	})
	if err != nil {
		return pack.Offer{}, err
	}
	defer d.Close()
	return x.Put(pack.Offer{For: who, Pack: id, Digest: d.Digest, Source: "/a"}, d, x.now)
}

// drafts is how many folders lie on the shelf.
func (x *offers) drafts(t *testing.T) int {
	t.Helper()
	all, err := os.ReadDir(x.dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// An offer is found by whom it is for, and by nobody else; whoever takes it first has
// it, also where many try at once.
func TestOfferOnce(t *testing.T) {
	x := newOffers(t)
	o := x.put(t, "org.example.words", "me")
	for _, who := range []string{"", "you", "me "} {
		if _, _, err := x.Find(o.ID, who, x.now); !errors.Is(err, pack.ErrNoOffer) {
			t.Errorf("%q finds it: %v", who, err)
		}
		if err := x.Take(o.ID, who, x.now); !errors.Is(err, pack.ErrNoOffer) {
			t.Errorf("%q takes it: %v", who, err)
		}
	}
	if _, d, err := x.Find(o.ID, "me", x.now); err != nil || d.Digest != o.Digest {
		t.Fatal(d, err)
	}
	var all sync.WaitGroup
	var had atomic.Int32
	for range 8 {
		all.Go(func() {
			if err := x.Take(o.ID, "me", x.now); err == nil {
				had.Add(1)
			} else if !errors.Is(err, pack.ErrNoOffer) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if had.Load() != 1 {
		t.Errorf("%d had it", had.Load())
	}
	if _, _, err := x.Find(o.ID, "me", x.now); !errors.Is(err, pack.ErrNoOffer) {
		t.Errorf("it is found again: %v", err)
	}
}

// What was changed on the shelf since it was shown is not what was offered.
func TestOfferChanged(t *testing.T) {
	for name, change := range map[string]func(dir string) error{
		"more":         func(dir string) error { return os.WriteFile(filepath.Join(dir, "more"), nil, 0o644) },
		"another mode": func(dir string) error { return os.Chmod(filepath.Join(dir, "ambit.json"), 0o755) },
		"another pack": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "ambit.json"), []byte(`{"id": "org.example.other", "kind": "cli-tool", "entry": ["true"]}`), 0o644)
		},
		"no pack":        func(dir string) error { return os.Remove(filepath.Join(dir, "ambit.json")) },
		"nothing at all": os.RemoveAll,
	} {
		t.Run(name, func(t *testing.T) {
			x := newOffers(t)
			o := x.put(t, "org.example.words", "me")
			if err := change(filepath.Join(x.dir, o.Draft)); err != nil {
				t.Fatal(err)
			}
			if _, d, err := x.Find(o.ID, "me", x.now); err == nil {
				t.Errorf("it is found as %s", d.Digest)
			}
		})
	}
}

// Offers end, and there are only so many; with them go their folders.
func TestOfferEnds(t *testing.T) {
	x := newOffers(t)
	first := x.put(t, "org.example.words", "me")
	second := x.put(t, "org.example.words", "me")
	if _, _, err := x.Find(first.ID, "me", x.now); !errors.Is(err, pack.ErrNoOffer) || x.drafts(t) != 1 {
		t.Errorf("an earlier offer of the same pack stands: %v, %d folders", err, x.drafts(t))
	}
	most := 1
	for ; most < 100; most++ {
		if _, err := x.try("org.example.n"+strconv.Itoa(most), "me"); err != nil {
			break
		}
	}
	if most > 10 || x.drafts(t) != most {
		t.Errorf("%d offers, %d folders", most, x.drafts(t))
	}
	x.now = x.now.Add(pack.OfferLasts)
	if _, _, err := x.Find(second.ID, "me", x.now); !errors.Is(err, pack.ErrNoOffer) {
		t.Errorf("an old one is found: %v", err)
	}
	if err := x.Take(second.ID, "me", x.now); !errors.Is(err, pack.ErrNoOffer) {
		t.Errorf("an old one is taken: %v", err)
	}
	if err := x.Prune(x.now); err != nil || x.drafts(t) != 0 {
		t.Errorf("%v, %d folders are left", err, x.drafts(t))
	}
}

// The file is read strictly: what it names is removed.
func TestOfferFile(t *testing.T) {
	for _, draft := range []string{"", "..", ".new-/../x", "/etc", "sha256-1234", "a/b"} {
		dir := t.TempDir()
		text := `{"version":1,"offers":[{"id":"i-a","draft":"` + draft + `","pack":"p","digest":"d","source":"s","shown":"","until":"2001-01-01T00:00:00Z"}]}`
		if err := os.WriteFile(filepath.Join(dir, "offers.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := pack.OffersIn(filepath.Join(dir, "offers.json"), pack.At(dir)).Prune(time.Unix(2e9, 0)); err == nil {
			t.Errorf("%q was taken for a draft", draft)
		}
	}
}
