package microvm_test

import (
	"os"
	"testing"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
)

// What stands in a machine for something that it was not given comes back under no other
// name, when a program renames a folder above it; what it stands for stays on the host.
func TestStrays(t *testing.T) {
	in := input(t, "")
	dir := folder(t, &in, true)
	if err := os.Mkdir(dir+"/sub", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "sub/secret", "secret\n")
	write(t, dir, "sub/other", "other\n")
	deny, err := capability.Parse("fs.read:" + dir + "/sub/secret")
	if err != nil {
		t.Fatal(err)
	}
	in.Masked, in.Objects[deny.String()] = append(in.Masked, deny), []enforce.Object{object(t, dir+"/sub/secret")}
	in.Program.Argv[2] = "mv " + dir + "/sub " + dir + "/moved; cat " + dir + "/moved/other; cat " + dir + "/moved/secret 2>/dev/null || echo closed"
	if _, out, errs := run(t, tier(t), in, ""); out != "other\nclosed\n" {
		t.Errorf("it got %q %s", out, errs)
	}
	has(t, dir, map[string]string{"moved/other": "other\n", "moved/secret": "-", "sub/secret": "secret\n", "sub/other": "-"})
}

// has checks what is in a folder; "-" is nothing.
func has(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	for name, text := range want {
		got, err := os.ReadFile(dir + "/" + name)
		if os.IsNotExist(err) {
			got = []byte("-")
		}
		if string(got) != text {
			t.Errorf("%s on the host is %q, want %q", name, got, text)
		}
	}
}
