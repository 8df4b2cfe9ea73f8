package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"ambit.dev/ambit/internal/core/capability"
)

// portTaken says who has a port of the host, and what to do.
func (a *app) portTaken(inside, host uint16) error {
	fix := ""
	if other := freePort(host); other != 0 {
		fix = fmt.Sprintf("; to reach the program elsewhere: --allow %s:%d/%d", capability.NetListen, inside, other)
	}
	return fmt.Errorf("port %d of this machine %w: %s%s", host, errTaken, a.whoListens(host), fix)
}

// whoListens is who has a port of the host's loopback, in words, as far as this
// user may know.
func (a *app) whoListens(host uint16) string {
	all, _ := a.liveNetworks() // where they cannot be asked, it is some process
	for _, n := range all {
		for _, p := range n.Ports {
			if p.At.Port() == host {
				return fmt.Sprintf("session %s (%s) has it, which runs", n.Session, capability.Printable(filepath.Base(n.Program)))
			}
		}
	}
	for _, inode := range listeners(host) {
		if pid := socketOf(inode); pid > 0 {
			name, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm") // "" if it has ended
			return fmt.Sprintf("%s (process %d) listens there", capability.Printable(strings.TrimSuffix(string(name), "\n")), pid)
		}
	}
	return "somebody listens there"
}

// listeners are the sockets that listen on a port of the host, by their inodes.
func listeners(host uint16) (inodes []string) {
	for _, name := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		text, _ := os.ReadFile(name) // without it nobody is known
		for line := range strings.Lines(string(text)) {
			// sl local_address rem_address st … uid timeout inode (proc_pid_net(5))
			f := strings.Fields(line)
			if len(f) > 9 && f[3] == "0A" && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", host)) {
				inodes = append(inodes, f[9])
			}
		}
	}
	return inodes
}

// socketOf is the process that has a socket; 0 where none may be seen.
func socketOf(inode string) int {
	all, _ := filepath.Glob("/proc/[0-9]*/fd/[0-9]*") // the pattern is a good one
	for _, fd := range all {
		if to, err := os.Readlink(fd); err == nil && to == "socket:["+inode+"]" {
			pid, _ := strconv.Atoi(strings.Split(fd, "/")[2]) // it is a number
			return pid
		}
	}
	return 0
}

// freePort is a port of the host near another one that nobody has now; 0 for none.
func freePort(near uint16) uint16 {
	for p := max(int(near)+1, firstOpen); p < int(near)+64 && p < 1<<16; p++ {
		l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp4", "127.0.0.1:"+strconv.Itoa(p))
		if err != nil {
			continue
		}
		_ = l.Close() // nobody was told of it
		return uint16(p)
	}
	return 0
}
