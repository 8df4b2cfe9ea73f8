package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const proofFormat = "ambit.dev/audit-proof/1"

// Proof shows that a record is in a log, to someone who has neither the log nor
// reason to trust who hands it over. It is one JSON file.
type Proof struct {
	Format string      `json:"format"`
	Index  uint64      `json:"index"`  // of the leaf: the number of the record less one
	Record string      `json:"record"` // its line, byte for byte
	Hashes []tlog.Hash `json:"hashes"` // the path from the leaf to the root (RFC 6962, 2.1.1)
	Head   string      `json:"head"`   // the signed head of that root
	Key    string      `json:"key"`    // the text of key.pub
}

// Growth shows that a log which had one head, and has another now, only grew.
type Growth struct {
	Format string      `json:"format"`
	Old    string      `json:"old"`
	New    string      `json:"new"`
	Hashes []tlog.Hash `json:"hashes"` // RFC 6962, 2.1.2
	Key    string      `json:"key"`
}

// ParseRef reads what people call a record by: its number, or its id.
func ParseRef(ref string) (seq uint64, id string) {
	if seq, err := strconv.ParseUint(ref, 10, 64); err == nil {
		return seq, ""
	}
	return 0, ref
}

// Lookup returns the record with this number or id.
func Lookup(dir, ref string) (Record, error) {
	seq, id := ParseRef(ref)
	if id == "" {
		return At(dir, seq)
	}
	return Find(dir, id)
}

// LastHead returns the last signed head of the log in dir, and the text of its
// key.pub. Only the signature is checked.
func LastHead(dir string) (Head, string, error) {
	snap, err := takeSnapshot(dir)
	if err != nil {
		return Head{}, "", err
	}
	v, public, err := snap.key()
	if err != nil {
		return Head{}, "", err
	}
	h, err := snap.lastHead(v)
	return h, public, err
}

func (s snapshot) key() (note.Verifier, string, error) {
	b, err := readFile(filepath.Join(s.dir, "key.pub"), 4096)
	if err != nil {
		return nil, "", err
	}
	public := strings.TrimSuffix(string(b), "\n")
	v, err := newVerifier(public)
	return v, public, err
}

// lastHead finds the last head: at the end of the last segment, or before what
// is torn there.
func (s snapshot) lastHead(v note.Verifier) (Head, error) {
	for i := range slices.Backward(s.segments) {
		r, closer, err := s.open(i)
		if err != nil {
			return Head{}, err
		}
		defer closer.Close()
		if c, err := lastCommit(r.(io.ReaderAt), s.sizes[i]); err == nil {
			return openHead(c.head.Note, v)
		}
		found, err := scan(r)
		if err != nil {
			return Head{}, err
		}
		for _, e := range slices.Backward(found.entries) {
			if e.isHead {
				return openHead(e.head.Note, v)
			}
		}
	}
	h, err := parseHeadFile(s.head)
	if err := errors.Join(s.headErr, err); err != nil {
		return Head{}, err
	}
	return openHead(h.Note, v)
}

// hashReader returns the hashes of the tree: those of the file if they have the
// root of h, and otherwise those of the records themselves.
func (s snapshot) hashReader(h Head) (tlog.HashReader, io.Closer, error) {
	f, err := openFile(filepath.Join(s.dir, "hashes"), os.O_RDONLY, 0)
	if err == nil {
		if root, err := tlog.TreeHash(int64(h.Size), hashFile{f}); err == nil && root == h.Root {
			return hashFile{f}, f, nil
		}
		f.Close()
	}
	mem, err := s.rehash(h.Size)
	if err != nil {
		return nil, nil, err
	}
	return hashFile{mem}, io.NopCloser(nil), nil
}

// rehash computes the hashes of the first size records.
func (s snapshot) rehash(size uint64) (*bytes.Reader, error) {
	var tree peaks
	var stored []tlog.Hash
	for i := range s.segments {
		err := s.committed(i, func(_ int, line []byte) bool {
			if tree.size < size {
				stored = tree.add(tlog.RecordHash(line), stored)
			}
			return tree.size < size
		})
		if err != nil {
			return nil, err
		}
	}
	return bytes.NewReader(flatten(stored)), nil
}

// Prove makes a proof of the record with this number or id under the last head.
func Prove(dir, ref string) (Proof, error) {
	p, err := prove(dir, ref)
	if err != nil {
		return Proof{}, fmt.Errorf("prove record %q: %w", ref, err)
	}
	return p, nil
}

func prove(dir, ref string) (Proof, error) {
	snap, err := takeSnapshot(dir)
	if err != nil {
		return Proof{}, err
	}
	v, public, err := snap.key()
	if err != nil {
		return Proof{}, err
	}
	head, err := snap.lastHead(v)
	if err != nil {
		return Proof{}, err
	}
	var at place
	if seq, id := ParseRef(ref); id == "" {
		at, err = snap.findSeq(seq)
	} else {
		at, err = snap.findID(id)
	}
	if err != nil {
		return Proof{}, err
	}
	p := Proof{Format: proofFormat, Index: at.record.Seq - 1, Record: string(at.line), Head: head.Note, Key: public}
	// A wrong hash inside the file does not show in the root; then count again.
	for _, reader := range []func() (tlog.HashReader, io.Closer, error){
		func() (tlog.HashReader, io.Closer, error) { return snap.hashReader(head) },
		func() (tlog.HashReader, io.Closer, error) {
			mem, err := snap.rehash(head.Size)
			return hashFile{mem}, io.NopCloser(nil), err
		},
	} {
		hashes, closer, err := reader()
		if err != nil {
			return Proof{}, err
		}
		path, err := tlog.ProveRecord(int64(head.Size), int64(p.Index), hashes)
		closer.Close()
		if err != nil {
			return Proof{}, err
		}
		p.Hashes = path
		if _, _, err = p.Check(""); err == nil {
			return p, nil
		}
	}
	return Proof{}, fmt.Errorf("%w: the record is not under its last head", ErrDamaged)
}

// ParseProof reads the JSON of a Proof, strictly.
func ParseProof(data []byte) (p Proof, err error) {
	if err := decodeStrict(data, &p); err != nil {
		return Proof{}, fmt.Errorf("read proof: %w", err)
	}
	if p.Format != proofFormat {
		return Proof{}, fmt.Errorf("read proof: format %q, expected %q", p.Format, proofFormat)
	}
	return p, nil
}

// Check returns the record that p proves and the head it is proved under. With
// key, the text of a key.pub that was kept elsewhere, the head has to be signed
// by it.
//
// Security: without key, nil means only that somebody signed a log with
// this record; who, is p.Key, which anybody can make.
func (p Proof) Check(key string) (Record, Head, error) {
	if key = strings.TrimSpace(key); key != "" && key != p.Key {
		return Record{}, Head{}, errors.New("the proof is signed by another key than the one that was pinned")
	}
	h, err := ParseHead(p.Head, p.Key)
	if err != nil {
		return Record{}, Head{}, err
	}
	r, err := parseRecord([]byte(p.Record))
	if err != nil {
		return Record{}, Head{}, err
	}
	if r.Seq != p.Index+1 || p.Index >= h.Size {
		return Record{}, Head{}, errors.New("the proof is of another record than it shows")
	}
	if err := tlog.CheckRecord(p.Hashes, int64(h.Size), h.Root, int64(p.Index), tlog.RecordHash([]byte(p.Record))); err != nil {
		return Record{}, Head{}, errors.New("the record is not under this head")
	}
	return r, h, nil
}

// ProveGrowth shows that the log in dir grew out of old, a signed head of it
// that was kept elsewhere.
func ProveGrowth(dir, old string) (Growth, error) {
	snap, err := takeSnapshot(dir)
	if err != nil {
		return Growth{}, err
	}
	v, public, err := snap.key()
	if err != nil {
		return Growth{}, err
	}
	from, err := openHead(old, v)
	if err != nil {
		return Growth{}, err
	}
	to, err := snap.lastHead(v)
	if err != nil {
		return Growth{}, err
	}
	g := Growth{Format: proofFormat, Old: old, New: to.Note, Key: public}
	if from.Size > 0 && from.Size <= to.Size {
		hashes, closer, err := snap.hashReader(to)
		if err != nil {
			return Growth{}, err
		}
		defer closer.Close()
		if g.Hashes, err = tlog.ProveTree(int64(to.Size), int64(from.Size), hashes); err != nil {
			return Growth{}, err
		}
	}
	_, _, err = g.Check(public)
	return g, err
}

// Check returns the two heads if the newer log begins with the older one. Key is
// as for Proof.Check.
func (g Growth) Check(key string) (old, now Head, err error) {
	if key = strings.TrimSpace(key); key != "" && key != g.Key {
		return old, now, errors.New("the heads are signed by another key than the one that was pinned")
	}
	if old, err = ParseHead(g.Old, g.Key); err != nil {
		return old, now, err
	}
	if now, err = ParseHead(g.New, g.Key); err != nil {
		return old, now, err
	}
	if old.Size > now.Size {
		return old, now, fmt.Errorf("the log had %d records and has %d", old.Size, now.Size)
	}
	if old.Size == 0 {
		return old, now, nil
	}
	if tlog.CheckTree(g.Hashes, int64(now.Size), now.Root, int64(old.Size), old.Root) != nil {
		return old, now, fmt.Errorf("the first %d records are not those that were there", old.Size)
	}
	return old, now, nil
}

// decodeStrict reads one JSON value without unknown fields.
func decodeStrict(data []byte, to any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(to); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("more than one value")
	}
	return nil
}
