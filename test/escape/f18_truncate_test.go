package escape_test

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestF18Truncate(t *testing.T) {
	hidden, readOnly := refused(unix.ENOENT), refused(unix.EROFS, unix.EACCES)
	attack{
		ID: "F18", Title: "truncate what may be read or not even that",
		Reference: "Landlock before version 3 lets truncate pass (landlock(7))",
		Tiers:     process,
		Tries: []try{
			{Name: "truncate hidden", Do: func(f *field) error { return unix.Truncate(f.Canary, 0) }, Want: hidden},
			{Name: "truncate", Do: func(f *field) error { return unix.Truncate(f.read("file"), 0) }, Want: readOnly},
			{Name: "O_RDONLY with O_TRUNC", Do: func(f *field) error {
				return closing(unix.Open(f.read("file"), unix.O_RDONLY|unix.O_TRUNC, 0))
			}, Want: readOnly},
			{Name: "creat", Do: func(f *field) error { return closing(unix.Creat(f.read("file"), 0o644)) }, Want: readOnly},
		},
	}.run(t)
}
