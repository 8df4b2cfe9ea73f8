package two

// A buffer is bytes that have come and were not taken yet.
type buffer struct {
	text []byte
	at   int // of text, from where it is not taken
}

func (b *buffer) len() int { return len(b.text) - b.at }

func (b *buffer) add(p []byte) {
	if len(b.text)+len(p) > cap(b.text) && b.at > 0 {
		b.text = b.text[:copy(b.text, b.text[b.at:])]
		b.at = 0
	}
	b.text = append(b.text, p...)
}

func (b *buffer) take(p []byte) int {
	n := copy(p, b.text[b.at:])
	if b.at += n; b.at == len(b.text) {
		b.text, b.at = b.text[:0], 0
	}
	return n
}

// drop forgets them, and says how many they were.
func (b *buffer) drop() int {
	n := b.len()
	b.text, b.at = nil, 0
	return n
}
