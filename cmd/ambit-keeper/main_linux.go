package main

import (
	"errors"
	"fmt"
	"os"

	"ambit.dev/ambit/internal/keep"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "ambit-keeper: started by ambit serve, with the folder of a session")
		os.Exit(125)
	}
	if err := keep.Run(os.Args[1], keep.MaxOutput); err != nil && !errors.Is(err, keep.ErrBegun) {
		fmt.Fprintf(os.Stderr, "ambit-keeper: %v\n", err)
		os.Exit(125)
	}
}
