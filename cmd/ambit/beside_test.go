package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"ambit.dev/ambit/internal/companion"
	"ambit.dev/ambit/internal/store"
	"ambit.dev/ambit/internal/store/database"
)

// TestMain is also ambit-store, where the tests start this program by that name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) != store.Program {
		os.Exit(m.Run())
	}
	line, err := companion.Inherit()
	if err == nil {
		err = database.Serve(context.Background(), line)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// besideTest is the path of ambit-store in tests: a link to this program.
func besideTest(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), store.Program)
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	return link
}
