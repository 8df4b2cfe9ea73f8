package main

import (
	"net"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/policy"
	"ambit.dev/ambit/internal/policy/wire"
)

func main() { companion.Main("ambit-policy", wire.NewConn, run) }

// run answers until nobody asks any more.
//
// Security: who asks is read from the system's list of users, not heard from who
// asks; then this process keeps nothing but the folder of policies, to read.
func run(_ *net.UnixConn, conn *companion.Conn, h wire.Hello) error {
	asks, err := policy.Myself()
	if err != nil {
		return err
	}
	folder := policy.Folder{Path: wire.Dir, Managed: true}
	if h.Draft != "" {
		folder = policy.Folder{Path: h.Draft}
	}
	if err := companion.Confine(companion.Files{Read: []string{folder.Path}}); err != nil {
		return err
	}
	return policy.Serve(conn, folder, asks)
}
