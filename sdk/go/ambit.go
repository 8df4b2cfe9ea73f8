// Package ambit is a client of the API of an Ambit host: run programs in sandboxes,
// answer what they ask, review and revoke what was granted.
//
// It speaks to `ambit serve` by the socket in the state folder, as the user whose
// host that is (Dial), or by a port, with a token (DialPort). A call that is given no
// deadline has a minute; streams have none. What is not here (packs, the host, pages of the log) the clients of
// the services have, which are fields of Client; docs/api.md says what each route
// does.
//
// It decides nothing: whoever talks to it can do what `ambit` at a terminal can.
package ambit

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"connectrpc.com/connect"

	pb "ambit.dev/ambit/api/ambit/v1"
)

// A Client is a host as its user's programs use it. It is safe for concurrent use.
// The zero value is not a client: Dial makes one.
type Client struct {
	Services

	http *http.Client
}

// Dial makes a client of the host that serves a state folder; "" is the one that
// `ambit` itself uses ($AMBIT_STATE_DIR, $XDG_STATE_HOME/ambit, ~/.local/state/ambit).
// It fails if no host answers there.
func Dial(ctx context.Context, state string) (*Client, error) {
	if state == "" {
		var err error
		if state, err = stateFolder(); err != nil {
			return nil, err
		}
	}
	t := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx, state) }}
	c, err := newClient(ctx, t, "http://ambit") // the socket leads to one host, whatever it is called
	if err != nil {
		return nil, fmt.Errorf("reach the host in %q (`ambit serve` starts one): %w", state, err)
	}
	return c, nil
}

// newClient makes a client of a host that answers.
func newClient(ctx context.Context, t http.RoundTripper, url string) (*Client, error) {
	h := &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error {
		return errors.New("it sends requests elsewhere, which no host does")
	}}
	within := connect.WithInterceptors(connect.UnaryInterceptorFunc(patient))
	c := &Client{Services: newServices(h, url, within, connect.WithReadMaxBytes(most)), http: h}
	if _, err := c.Host.GetVersion(ctx, connect.NewRequest(&pb.GetVersionRequest{})); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// most is how long an answer, or a message of a stream, may be.
const most = 64 << 20

// patience is how long a host may take for an answer where the caller does not say.
const patience = time.Minute

// patient gives a call that has no deadline one. Streams have none: a program may be
// silent for as long as it likes.
func patient(next connect.UnaryFunc) connect.UnaryFunc {
	return func(ctx context.Context, r connect.AnyRequest) (connect.AnyResponse, error) {
		if _, ok := ctx.Deadline(); !ok {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, patience)
			defer cancel()
		}
		return next(ctx, r)
	}
}

// Close closes the connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// stateFolder is where ambit keeps its state.
func stateFolder() (string, error) {
	if dir := os.Getenv("AMBIT_STATE_DIR"); dir != "" {
		return filepath.Abs(dir)
	}
	if xdg := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(xdg) {
		return filepath.Join(xdg, "ambit"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the state folder: %w", err)
	}
	return filepath.Join(home, ".local", "state", "ambit"), nil
}

// dial connects to the socket, also where its path is longer than the name of a
// socket may be.
func dial(ctx context.Context, state string) (net.Conn, error) {
	dir, err := os.Open(state)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	var d net.Dialer
	return d.DialContext(ctx, "unix", fmt.Sprintf("/proc/self/fd/%d/host.sock", dir.Fd()))
}

// Denials are the decisions by which a launch was denied, with their reasons; none
// for any other error.
func Denials(err error) (all []*pb.Denial) {
	e, ok := errors.AsType[*connect.Error](err)
	if !ok {
		return nil
	}
	for _, d := range e.Details() {
		if v, err := d.Value(); err == nil {
			if denial, ok := v.(*pb.Denial); ok {
				all = append(all, denial)
			}
		}
	}
	return all
}
