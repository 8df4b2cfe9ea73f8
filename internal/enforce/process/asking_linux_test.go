package process_test

import (
	"os"
	"testing"

	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/enforcetest"
	"ambit.dev/ambit/internal/enforce/process"
)

func TestAsking(t *testing.T) {
	f := facts(t)
	dev, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("requires: /dev/fuse that this user can open (%v)", err)
	}
	if err := dev.Close(); err != nil {
		t.Fatal(err)
	}
	f.FUSE = true
	enforcetest.RunAsking(t, func(a enforce.Asker) enforce.Tier { return process.Tier{Asker: a} }, f)
}
