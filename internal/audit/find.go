package audit

import "bytes"

// A finder looks for a text by the byte of it that is the rarest where it looks: one byte is found
// many times as quickly as several, unless it stands everywhere.
type finder struct {
	want []byte
	at   int // where that byte stands in it; -1: none is rare
}

// Bounds of what a byte's rarity is judged by.
const (
	sampled = 16 << 10 // bytes
	rare    = 32       // it is no more than one in so many
)

// finders are those of some texts, to look in one text.
func finders(all [][]byte, in []byte) (list []finder) {
	var times [256]int
	in = in[:min(len(in), sampled)]
	for _, c := range in {
		times[c]++
	}
	for _, want := range all {
		f := finder{want, -1}
		least := len(in) / rare
		for i, c := range want {
			if times[c] <= least {
				f.at, least = i, times[c]-1
			}
		}
		list = append(list, f)
	}
	return list
}

// index is where the text begins for the first time; -1: nowhere.
func (f finder) index(in []byte) int {
	if f.at < 0 {
		return bytes.Index(in, f.want)
	}
	for i, missed := f.at, 0; i < len(in); i++ {
		next := bytes.IndexByte(in[i:], f.want[f.at])
		if next < 0 {
			return -1
		}
		i += next
		if bytes.HasPrefix(in[i-f.at:], f.want) {
			return i - f.at
		}
		if missed++; missed > (sampled+i)/(rare/2) { // it is not as rare as it was
			begin := i - f.at + 1
			if rest := bytes.Index(in[begin:], f.want); rest >= 0 {
				return begin + rest
			}
			return -1
		}
	}
	return -1
}
