package main

import "github.com/spf13/cobra"

// otherCommands are all but run.
func (a *app) otherCommands() []*cobra.Command {
	return nil
}
