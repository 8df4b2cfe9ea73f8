// Command waits takes memory, settles, writes a byte, waits for one, and ends well where what it
// has written is as it was.
package main

import (
	"os"

	"golang.org/x/sys/unix"

	"ambit.dev/ambit/internal/memory"
)

// written was changed since it was loaded, and garbage is what nobody uses any more.
var (
	written = [4096]byte{1}
	garbage []byte
)

func main() {
	written[0]++
	garbage = make([]byte, 16<<20)
	for i := range garbage {
		garbage[i] = 1
	}
	garbage = nil
	memory.Settle()
	var b [1]byte
	if _, err := unix.Write(1, b[:]); err != nil {
		panic(err)
	}
	if _, err := unix.Read(0, b[:]); err != nil {
		panic(err)
	}
	if written[0] != 2 {
		os.Exit(1)
	}
}
