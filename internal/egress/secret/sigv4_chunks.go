package secret

import (
	"bufio"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"
)

// maxChunk bounds a chunk, which has to be read whole: its signature comes first.
// Clients send 64 KiB to 1 MiB.
const maxChunk = 4 << 20

// errChunk ends a body whose chunks are not understood.
var errChunk = errors.New("a chunk that is not signed as the request says")

// A chunkSigner passes the chunks of a body on, each with a signature of its own
// that follows the one before it. Each has to have the signature by the
// placeholder; what it has in its place is as long.
type chunkSigner struct {
	from       io.ReadCloser
	in         *bufio.Reader
	date       string
	scope      string
	mine, real []byte // keys: of the placeholder, of the secret
	was, is    string // signatures before: by either
	out        []byte // of a chunk, not read yet
	err        error
}

// Read returns what may be passed on.
func (c *chunkSigner) Read(p []byte) (int, error) {
	for len(c.out) == 0 && c.err == nil {
		c.err = c.next()
	}
	if len(c.out) == 0 {
		return 0, c.err
	}
	n := copy(p, c.out)
	c.out = c.out[n:]
	return n, nil
}

// Close closes what it reads.
func (c *chunkSigner) Close() error { return c.from.Close() }

// next reads a chunk and signs it.
func (c *chunkSigner) next() error {
	line, err := c.in.ReadString('\n')
	if err == io.EOF && line == "" {
		return io.EOF
	}
	size, signed, ok := strings.Cut(strings.TrimSuffix(line, "\r\n"), ";chunk-signature=")
	n, serr := strconv.ParseUint(size, 16, 31)
	if err != nil || serr != nil || !ok || n > maxChunk || !strings.HasSuffix(line, "\r\n") {
		return errChunk
	}
	data := make([]byte, n+2)
	if _, err := io.ReadFull(c.in, data); err != nil || string(data[n:]) != "\r\n" {
		return errChunk
	}
	if was := c.sign(c.mine, c.was, string(data[:n])); was != signed {
		return errChunk
	}
	c.was, c.is = signed, c.sign(c.real, c.is, string(data[:n]))
	c.out = append([]byte(size+";chunk-signature="+c.is+"\r\n"), data...)
	return nil
}

func (c *chunkSigner) sign(key []byte, before, data string) string {
	return hex.EncodeToString(mac(key, awsAlgorithm+"-PAYLOAD\n"+c.date+"\n"+c.scope+"\n"+before+"\n"+digest("")+"\n"+digest(data)))
}
