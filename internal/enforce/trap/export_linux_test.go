package trap

import (
	"context"

	"ambit.dev/ambit/internal/enforce/fuse"
)

// MaxWaiting bounds the calls that wait.
const MaxWaiting = maxWaiting

// MaxAttended bounds the requests that are answered after a touch by who answered that.
const MaxAttended = maxAttended

// Nodes is how many names the kernel knows.
func (t *Trap) Nodes() int { return t.table.size() }

// Bound sets how many names are known before some are given back.
func (t *Trap) Bound(most int) { t.most = most }

// A Bare is a served trap without a kernel: requests are given by hand, and
// replies go to what was given as the device.
type Bare struct{ server *server }

// NewBare serves until the context ends.
func NewBare(ctx context.Context, c Config, device int) (*Bare, error) {
	t := New(c)
	d, err := fuse.NewDevice(device)
	if err != nil {
		return nil, err
	}
	return &Bare{&server{trap: t, ctx: ctx, device: d, waiting: waiting{calls: map[uint64]waiter{}}}}, t.fault
}

// Trap is what is served.
func (b *Bare) Trap() *Trap { return b.server.trap }

// Serve answers one request.
func (b *Bare) Serve(message []byte) error {
	h, err := b.server.request(message)
	if h != nil {
		b.server.apart(h)
	}
	return err
}

// Wait returns when no goroutine is left, and closes the device.
func (b *Bare) Wait() {
	b.server.waiting.all.Wait()
	b.server.device.Close()
}
