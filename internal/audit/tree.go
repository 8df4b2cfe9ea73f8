package audit

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"os"

	"golang.org/x/mod/sumdb/tlog"
)

// peaks is the right edge of a Merkle tree: the roots of its complete subtrees,
// widest first. It is all that is needed to append to the tree and to
// know its root. The zero value is the empty tree.
type peaks struct {
	size   uint64
	hashes []tlog.Hash
}

// add appends a leaf, and to stored the hashes that tlog stores for it.
func (p *peaks) add(leaf tlog.Hash, stored []tlog.Hash) []tlog.Hash {
	stored = append(stored, leaf)
	for range bits.TrailingZeros64(p.size + 1) {
		last := len(p.hashes) - 1
		leaf = tlog.NodeHash(p.hashes[last], leaf)
		p.hashes = p.hashes[:last]
		stored = append(stored, leaf)
	}
	p.hashes = append(p.hashes, leaf)
	p.size++
	return stored
}

// root is the root of the tree (RFC 6962, 2.1).
func (p *peaks) root() tlog.Hash {
	if p.size == 0 {
		h, _ := tlog.TreeHash(0, nil) // the hash of nothing; reads nothing
		return h
	}
	root := p.hashes[len(p.hashes)-1]
	for i := len(p.hashes) - 2; i >= 0; i-- {
		root = tlog.NodeHash(p.hashes[i], root)
	}
	return root
}

func (p *peaks) clone() peaks {
	return peaks{size: p.size, hashes: append([]tlog.Hash(nil), p.hashes...)}
}

// loadPeaks reads the right edge of the tree of this size from the file of
// hashes. What it returns is as true as that file: compare the root.
func loadPeaks(hashes io.ReaderAt, size uint64) (peaks, error) {
	p := peaks{size: size}
	var start uint64
	for level := bits.Len64(size) - 1; level >= 0; level-- {
		if size>>level&1 == 0 {
			continue
		}
		h, err := readHash(hashes, tlog.StoredHashIndex(level, int64(start>>level)))
		if err != nil {
			return peaks{}, err
		}
		p.hashes = append(p.hashes, h)
		start += 1 << level
	}
	return p, nil
}

// hashOffset is where the hashes of the leaf with this index begin in the file.
func hashOffset(leaf uint64) int64 {
	return tlog.StoredHashIndex(0, int64(leaf)) * tlog.HashSize
}

func readHash(r io.ReaderAt, index int64) (h tlog.Hash, err error) {
	if _, err := r.ReadAt(h[:], index*tlog.HashSize); err != nil {
		return h, fmt.Errorf("read hash %d: %w", index, err)
	}
	return h, nil
}

// hashFile reads stored hashes for tlog.
type hashFile struct{ io.ReaderAt }

func (f hashFile) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		h, err := readHash(f.ReaderAt, index)
		if err != nil {
			return nil, err
		}
		out[i] = h
	}
	return out, nil
}

// flatten is hashes as they stand in the file.
func flatten(hashes []tlog.Hash) []byte {
	b := make([]byte, 0, len(hashes)*tlog.HashSize)
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}

// openHashes opens the file of hashes for writing, and makes it if it lacks.
func openHashes(d disk, path string) (*os.File, error) {
	f, err := openFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return d.Create(path, 0o600)
	}
	return f, err
}
