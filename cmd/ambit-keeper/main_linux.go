package main

import (
	"errors"
	"fmt"
	"os"

	"ambit.dev/ambit/internal/keep"
)

// stand is what a keeper that stands by has, in the order of its descriptors.
func stand() keep.Stand {
	const launch, stands = 3, 4
	return keep.Stand{Name: os.Stdin, Launch: os.NewFile(launch, "the launch"), Stands: os.NewFile(stands, "what says that it stands")}
}

func main() {
	var err error
	switch {
	case len(os.Args) == 2:
		err = keep.Run(os.Args[1], keep.MaxOutput)
	case len(os.Args) == 5 && os.Args[1] == "--"+keep.StandByFlag:
		err = keep.StandBy(stand(), os.Args[2], os.Args[3], os.Args[4], keep.MaxOutput)
	default:
		err = errors.New("started by ambit serve, with the folder of a session, or with --" + keep.StandByFlag + ", the launcher, the state folder and that of sessions")
	}
	if err != nil && !errors.Is(err, keep.ErrBegun) {
		fmt.Fprintf(os.Stderr, "ambit-keeper: %v\n", err)
		os.Exit(125)
	}
}
