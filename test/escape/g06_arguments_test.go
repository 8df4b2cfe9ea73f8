package escape_test

import (
	"bytes"
	"strings"
	"testing"
)

// G6 and the defect of others number 2: no shell on the way.
func TestG06Arguments(t *testing.T) {
	t.Parallel()
	f := newField(t)
	hostile := []string{"a b", "", ";touch pwned", "$(touch pwned)", "`touch pwned`", "a\nb", "-rf", "--", "--allow", "fs.read:/", "'", `"`, `\`, "*", "~", "$HOME", "\xff\xfe", "\x01", "|cat", "&", ">pwned",
		"--help", "a\tb", "#x", "!x", "%s", "é", strings.Repeat("x", 100_000)}
	out, err := f.box(t, append([]string{"/usr/bin/printf", "%s\\0"}, hostile...)...).Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(hostile, "\x00") + "\x00"; string(out) != want {
		i := 0
		for i < len(out) && i < len(want) && out[i] == want[i] {
			i++
		}
		t.Errorf("G6: the arguments differ at byte %d: %.40q", i, out[i:])
	}
	if bytes.Contains(out, []byte("pwned: ")) {
		t.Error("G6: something ran")
	}
	// The program's name, too.
	for _, name := range []string{"a b", "-x", "$(id)", "a;b", "é"} {
		path := f.work(name)
		write(t, path, []byte("#!/bin/sh\necho \"$0\"\n"))
		out, err := f.box(t, path).Output()
		if err != nil || string(out) != path+"\n" {
			t.Errorf("G6: program %q: %v %q", name, err, out)
		}
	}
}
