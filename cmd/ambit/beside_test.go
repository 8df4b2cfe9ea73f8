package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"

	"ambit.dev/ambit/internal/store"
	"ambit.dev/ambit/internal/store/database"
)

// TestMain is also ambit-store, where the tests start this program as that.
func TestMain(m *testing.M) {
	if os.Args[0] != store.Program {
		os.Exit(m.Run())
	}
	conn, err := net.FileConn(os.NewFile(3, "line"))
	if err == nil {
		err = database.Serve(context.Background(), conn.(*net.UnixConn))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// executable is this program.
func executable(t testing.TB) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
