package sdk_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The clients' own tests of how messages are read and written.
func TestUnits(t *testing.T) {
	t.Parallel()
	for _, l := range languages(t) {
		args := []string{"--test", filepath.Join(l.folder, "test/codec.test.mjs")}
		if l.name == "python" {
			args = []string{"-m", "unittest", "discover", "-s", filepath.Join(l.folder, "tests")}
		}
		cmd := l.command(t, place{}, "")
		cmd.Args = append([]string{l.interpreter}, args...)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", l.name, err, out)
		}
	}
}

// The Python client says its types, and nothing in it contradicts them.
func TestPythonTypes(t *testing.T) {
	t.Parallel()
	mypy, err := exec.LookPath("mypy")
	if err != nil {
		t.Skip("requires: mypy")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, mypy, "--strict", "--cache-dir="+t.TempDir(), "ambit", "examples")
	cmd.Dir = "../../sdk/python"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// What programs load is what the compiler makes of the sources, and that finds nothing.
// Its types are strict, and so are the examples'.
func TestTypeScriptTypes(t *testing.T) {
	t.Parallel()
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Skip("requires: npm")
	}
	const client = "../../sdk/typescript"
	dir := t.TempDir()
	for _, name := range []string{"src", "examples"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(client, name))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"package.json", "package-lock.json", "tsconfig.json", "clean.mjs", "stamp.mjs", ".npmrc"} {
		copied(t, filepath.Join(client, name), filepath.Join(dir, name))
	}
	if out, err := compiler(t, npm, dir); err != nil {
		t.Skipf("requires: typescript from a registry of npm (%v: %s)", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	compile := func(name string, args ...string) {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	compile(npm, "run", "-s", "build")
	if made, there := sum(t, filepath.Join(dir, "dist")), sum(t, filepath.Join(client, "dist")); made != there {
		t.Errorf("sdk/typescript/dist is not what is built of its sources: run make sdk\nmade  %s\nthere %s", made, there)
	}
	// The console takes its messages of the contract's, and says what is always there.
	check := filepath.Join(dir, "check")
	for from, to := range map[string]string{"../../console/src/api/types.ts": "console/src/api", filepath.Join(client, "src/json.ts"): "sdk/typescript/src"} {
		if err := os.MkdirAll(filepath.Join(check, to), 0o755); err != nil {
			t.Fatal(err)
		}
		copied(t, from, filepath.Join(check, to, filepath.Base(from)))
	}
	const options = `{"extends": "../tsconfig.json", "compilerOptions": {"rootDir": ".", "noEmit": true, "module": "ESNext", "moduleResolution": "bundler"}, "include": ["."]}`
	if err := os.WriteFile(filepath.Join(check, "tsconfig.json"), []byte(options), 0o644); err != nil {
		t.Fatal(err)
	}
	compile(filepath.Join(dir, "node_modules/.bin/tsc"), "-p", "check")
}

func copied(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// compiler installs what package-lock.json names: of a folder that an earlier run, of
// another user, has kept, where there is one.
func compiler(t *testing.T, npm, dir string) ([]byte, error) {
	t.Helper()
	kept := ""
	if all := os.Getenv("AMBIT_TEST_NPM"); all != "" {
		kept = filepath.Join(all, "sdk")
		if _, err := os.Stat(filepath.Join(kept, "whole")); err == nil {
			return nil, os.Symlink(filepath.Join(kept, "node_modules"), filepath.Join(dir, "node_modules"))
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, npm, "ci", "--prefer-offline", "--fetch-retries=0", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "npm_config_update_notifier=false")
	if out, err := cmd.CombinedOutput(); err != nil || kept == "" {
		return out, err
	}
	if err := os.MkdirAll(kept, 0o755); err != nil {
		return nil, err
	}
	if err := os.CopyFS(filepath.Join(kept, "node_modules"), os.DirFS(filepath.Join(dir, "node_modules"))); err != nil {
		return nil, err
	}
	return nil, os.WriteFile(filepath.Join(kept, "whole"), nil, 0o644)
}

// What programs load was built of the sources that are there, also where nothing can
// be built.
func TestBuilt(t *testing.T) {
	t.Parallel()
	const client = "../../sdk/typescript"
	noted, err := os.ReadFile(filepath.Join(client, "dist/BUILD"))
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("sources %s\nfiles %s\n", sum(t, filepath.Join(client, "src")), sum(t, filepath.Join(client, "dist")))
	if string(noted) != want {
		t.Errorf("sdk/typescript/dist does not belong to its sources: run make sdk.\nnoted:\n%sfound:\n%s", noted, want)
	}
}

// sum is the digest that stamp.mjs makes: of a line for each file but BUILD, with its
// digest and its name, in the order of the names' bytes.
func sum(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		if e.Name() == "BUILD" {
			continue
		}
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, digest(content)+"  "+e.Name()+"\n")
	}
	slices.SortFunc(all, func(a, b string) int { return strings.Compare(a[64:], b[64:]) })
	return digest([]byte(strings.Join(all, "")))
}

func digest(content []byte) string {
	d := sha256.Sum256(content)
	return hex.EncodeToString(d[:])
}
