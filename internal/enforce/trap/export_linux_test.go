package trap

import "context"

// MaxWaiting and MaxNodes are the bounds that a trap keeps.
const (
	MaxWaiting = maxWaiting
	MaxNodes   = maxNodes
)

// Nodes is how many names the kernel knows.
func (t *Trap) Nodes() int { return t.table.size() }

// A Bare is a served trap without a kernel: requests are given by hand, and
// replies go to what was given as the device.
type Bare struct{ server *server }

// NewBare serves until the context ends.
func NewBare(ctx context.Context, c Config, device int) (*Bare, error) {
	t := New(c)
	d, err := newDevice(device)
	if err != nil {
		return nil, err
	}
	return &Bare{&server{trap: t, ctx: ctx, device: d, waiting: waiting{calls: map[uint64]waiter{}}, pruneAt: maxNodes}}, t.fault
}

// Serve answers one request.
func (b *Bare) Serve(message []byte) error { return b.server.serve(message) }

// Wait returns when no goroutine is left, and closes the device.
func (b *Bare) Wait() {
	b.server.waiting.all.Wait()
	b.server.device.close()
}
