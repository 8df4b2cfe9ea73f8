// Package want is what the example words declares.
package want

import "ambit.dev/ambit/sdk/go/app"

//go:generate go run ambit.dev/ambit/sdk/go/cmd/manifest -out ../ambit.json Manifest

// Text and Count are where the program reads and writes, and Extra is what it can do
// without.
var (
	Text  = app.Want{Capability: app.Must("fs.read:~/text.txt"), Reason: "the text whose words are counted"}
	Count = app.Want{Capability: app.Must("fs.write:~/count"), Reason: "the number of words is written there"}
	Extra = app.Want{Capability: app.Must("fs.read:~/more.txt"), Reason: "counted as well, where it is shown", Optional: true}
)

// Manifest is what ambit.json says.
var Manifest = app.Manifest{
	ID: "dev.ambit.words", Name: "Words", Version: "1.0.0", Kind: "cli-tool", Description: "Counts the words of a text",
	Entry: []string{"./words"}, Wants: []app.Want{Text, Count, Extra},
}
