// Command manifest writes an ambit.json from values of Go: those of a package that has a
// variable of the type app.Manifest. It is for go generate, in that package:
//
//	//go:generate go run ambit.dev/ambit/sdk/go/cmd/manifest -out ../ambit.json Manifest
//
// The package is not the program itself, since nobody can import that. With -check
// nothing is written: it fails where the file is not what would be.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	out := flag.String("out", "ambit.json", "the `file` to write")
	check := flag.Bool("check", false, "write nothing, and fail where the file is another one")
	flag.Parse()
	if flag.NArg() != 1 || !token.IsExported(flag.Arg(0)) || !token.IsIdentifier(flag.Arg(0)) {
		fmt.Fprintln(os.Stderr, "usage: manifest [-check] [-out FILE] VARIABLE")
		os.Exit(2)
	}
	if err := run(flag.Arg(0), *out, *check); err != nil {
		fmt.Fprintf(os.Stderr, "manifest: %v\n", err)
		os.Exit(1)
	}
}

func run(variable, out string, check bool) error {
	text, err := printed(variable)
	if err != nil {
		return err
	}
	there, err := os.ReadFile(out)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	switch {
	case err == nil && bytes.Equal(there, text):
		return nil
	case check:
		return fmt.Errorf("%q is not what %s says: run go generate", out, variable)
	}
	return os.WriteFile(out, text, 0o644)
}

const program = `// Code generated to print a manifest. DO NOT EDIT.

package main

import (
	"fmt"
	"os"

	from %q
)

func main() {
	text, err := from.%s.JSON()
	if err == nil {
		_, err = os.Stdout.Write(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
`

// printed is the manifest that a variable of the package in the working directory has:
// a program beneath that folder, which may import what is internal there, prints it. The
// folder is not changed: the go command is told that the program is there.
func printed(variable string) ([]byte, error) {
	path, err := command("go", "list", "-f", "{{.ImportPath}} {{.Name}}", ".")
	if err != nil {
		return nil, err
	}
	name, kind, _ := strings.Cut(strings.TrimSpace(string(path)), " ")
	if kind == "main" {
		return nil, errors.New("a program cannot be imported: the variable has to stand in a package beside it")
	}
	there, err := filepath.Abs(filepath.Join("_manifest", "main.go"))
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "ambit-manifest-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // it is for temporary files
	file, overlay := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json")
	said, err := json.Marshal(map[string]map[string]string{"Replace": {there: file}})
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.WriteFile(file, fmt.Appendf(nil, program, name, variable), 0o600), os.WriteFile(overlay, said, 0o600)); err != nil {
		return nil, err
	}
	return command("go", "run", "-overlay", overlay, there)
}

// command is what a program prints; what it says goes where ours goes.
func command(name string, args ...string) ([]byte, error) {
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(append([]string{name}, args...), " "), err)
	}
	return out, nil
}
