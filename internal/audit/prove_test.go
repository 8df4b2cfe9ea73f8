package audit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"ambit.dev/ambit/internal/audit"
)

func TestProve(t *testing.T) {
	dir := t.TempDir()
	const n = 37
	fill(t, dir, audit.Options{SegmentSize: 3000}, n, 3)
	public := read(t, dir, "key.pub")
	for seq := uint64(1); seq <= n+1; seq++ {
		p, err := audit.Prove(dir, fmt.Sprint(seq))
		if err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		back, err := audit.ParseProof(data)
		if err != nil {
			t.Fatal(err)
		}
		r, h, err := back.Check(public)
		if err != nil || r.Seq != seq || h.Size != n+1 {
			t.Errorf("record %d: got %d under %d, %v", seq, r.Seq, h.Size, err)
		}
	}
	if p, err := audit.Prove(dir, "d-00000012"); err != nil || p.Index != 13 {
		t.Errorf("by id: got index %d, %v", p.Index, err)
	}
	for _, ref := range []string{"0", "39", "d-none", ""} {
		if _, err := audit.Prove(dir, ref); !errors.Is(err, audit.ErrNotFound) {
			t.Errorf("%q: got %v", ref, err)
		}
	}
}

func TestProofRefused(t *testing.T) {
	dir, foreign := t.TempDir(), t.TempDir()
	fill(t, dir, audit.Options{}, 9, 1)
	fill(t, foreign, audit.Options{}, 9, 1)
	other, err := audit.Prove(foreign, "5")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*audit.Proof){
		"record":       func(p *audit.Proof) { p.Record = strings.Replace(p.Record, "file-3", "file-x", 1) },
		"other record": func(p *audit.Proof) { p.Record = other.Record },
		"index":        func(p *audit.Proof) { p.Index++ },
		"large index":  func(p *audit.Proof) { p.Index = 1 << 63 },
		"no hashes":    func(p *audit.Proof) { p.Hashes = nil },
		"hash":         func(p *audit.Proof) { p.Hashes[1][0] ^= 1 },
		"head":         func(p *audit.Proof) { p.Head = other.Head },
		"key":          func(p *audit.Proof) { p.Key = other.Key },
		"all":          func(p *audit.Proof) { *p = other },
		"empty":        func(p *audit.Proof) { *p = audit.Proof{} },
	} {
		p, err := audit.Prove(dir, "5")
		if err != nil {
			t.Fatal(err)
		}
		key := p.Key
		change(&p)
		if r, h, err := p.Check(key); err == nil {
			t.Errorf("%s: got %+v under %+v", name, r, h)
		}
	}
	for _, text := range []string{"", "{}", `{"format":"x"}`, `{"format":"ambit.dev/audit-proof/1","more":1}`, `{"format":"ambit.dev/audit-proof/1"} {}`} {
		if _, err := audit.ParseProof([]byte(text)); err == nil {
			t.Errorf("parsed %q", text)
		}
	}
}

func TestGrowth(t *testing.T) {
	dir := t.TempDir()
	var heads []audit.Head
	for range 8 {
		fill(t, dir, audit.Options{}, 3, 2)
		h, _, err := audit.LastHead(dir)
		if err != nil {
			t.Fatal(err)
		}
		heads = append(heads, h)
	}
	for _, old := range heads {
		g, err := audit.ProveGrowth(dir, old.Note)
		if err != nil {
			t.Fatal(err)
		}
		if from, to, err := g.Check(g.Key); err != nil || from.Size != old.Size || to.Size != heads[7].Size {
			t.Errorf("got %d → %d, %v", from.Size, to.Size, err)
		}
		g.Old, g.New = g.New, g.Old
		if _, _, err := g.Check(g.Key); err == nil && old.Size != heads[7].Size {
			t.Error("a log that shrank was accepted")
		}
		g.Old, g.New = heads[0].Note, heads[7].Note
		if _, _, err := g.Check(g.Key); err == nil && old.Size != heads[0].Size {
			t.Error("the proof of another pair of heads was accepted")
		}
	}
}

func TestLast(t *testing.T) {
	dir := t.TempDir()
	fill(t, dir, audit.Options{SegmentSize: 3000}, 30, 3)
	got, err := audit.Last(dir, 10, func(r audit.Record) bool { return r.Seq%2 == 0 })
	if err != nil || len(got) != 10 || got[9].Seq != 30 || got[0].Seq != 12 {
		t.Errorf("got %d records, %v", len(got), err)
	}
	if got, err := audit.Last(dir, -1, func(audit.Record) bool { return true }); err != nil || len(got) != 31 || got[0].Seq != 1 {
		t.Errorf("got %d records, %v", len(got), err)
	}
	if _, err := audit.Last(t.TempDir(), 1, nil); err == nil {
		t.Error("a folder without a log was read")
	}
}
