// Command words counts the words of a text. It is an example of a program that declares
// what it wants in Go, says what it got, and hands its parts less than it has.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"ambit.dev/ambit/examples/apps/words/want"
	"ambit.dev/ambit/sdk/go/app"
)

func main() {
	ctx := context.Background() //nolint:forbidigo // a program begins with it
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "words:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	got, err := app.Obtain(ctx, want.Manifest.Wants...)
	for _, o := range got.Outcomes {
		fmt.Fprintf(out, "%s: %v\n", o.Want.Capability.Display(), o.State)
	}
	if err != nil {
		return err
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return err
	}
	// What counts needs to read, and is handed nothing else.
	reading, _ := got.Set.Narrow(want.Text.Capability, want.Extra.Capability)
	words, err := count(reading, filepath.Join(home, "text.txt"))
	if err != nil {
		return err
	}
	if more := filepath.Join(home, "more.txt"); reading.Covers(want.Extra.Capability) {
		n, err := count(reading, more)
		if err != nil {
			return err
		}
		words += n
	}
	f, err := got.Set.Create(filepath.Join(home, "count", "words"))
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(f, words); err != nil {
		return err
	}
	return f.Close()
}

func count(s app.Set, name string) (n int, err error) {
	f, err := s.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	words := bufio.NewScanner(f)
	words.Split(bufio.ScanWords)
	for words.Scan() {
		n++
	}
	return n, words.Err()
}
