package escape_test

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// padded makes path n bytes long without changing what it means.
func padded(path string, n int) string {
	dir, name := path[:strings.LastIndexByte(path, '/')], path[strings.LastIndexByte(path, '/'):]
	fill := n - len(path)
	if fill%2 == 1 {
		name, fill = "/"+name, fill-1
	}
	return dir + strings.Repeat("/.", fill/2) + name
}

func TestF12LongPath(t *testing.T) {
	none := "too long for the kernel everywhere"
	attack{
		ID: "F12", Title: "paths as long as paths can be",
		Reference: "checkers that cut a path off and decide about the rest",
		Tiers:     process,
		Flags:     func(*field) []string { return []string{"--watch-files=on"} },
		Tries: []try{
			{Name: "hidden, 4095 bytes", Do: func(f *field) error { return f.readFile(padded(f.Canary, 4095)) }, Want: refused(unix.ENOENT)},
			{Name: "hidden, 4096 bytes", Do: func(f *field) error { return f.readFile(padded(f.Canary, 4096)) }, NoControl: none, Want: refused(unix.ENAMETOOLONG)},
			{Name: "from granted to hidden, 4096 bytes", Do: func(f *field) error {
				return f.readFile(padded(f.Work+"/../outside/canary", 4096))
			}, NoControl: none, Want: refused(unix.ENAMETOOLONG)},
			{Name: "granted, 4095 bytes", Do: func(f *field) error { return f.readFile(padded(f.work("file"), 4095)) }, Want: allowed("it is granted")},
			{Name: "granted, 4096 bytes", Do: func(f *field) error { return f.readFile(padded(f.work("file"), 4096)) }, NoControl: none, Want: refused(unix.ENAMETOOLONG)},
			{Name: "component of 255", Do: func(f *field) error { return os.Mkdir(f.work(strings.Repeat("x", 255)), 0o755) }, Want: allowed("it is granted")},
			{Name: "component of 256", Do: func(f *field) error { return os.Mkdir(f.work(strings.Repeat("x", 256)), 0o755) }, NoControl: none, Want: refused(unix.ENAMETOOLONG)},
		},
	}.run(t)
}
