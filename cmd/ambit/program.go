package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"ambit.dev/ambit/internal/approval/deno"
	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/core/grant"
	"ambit.dev/ambit/internal/enforce"
	"ambit.dev/ambit/internal/enforce/view"
)

// program is the command as it will be executed.
type program struct {
	path    string // as found, links and all
	real    string
	argv    []string
	objects []enforce.Object // it, its interpreters, its loader
}

// systemPath is searched last, for people whose PATH names none of it.
var systemPath = []string{"/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"}

// findProgram finds the command as the program's own shell would: only where
// the view will have it.
func (s *prepared) findProgram() (program, error) {
	name := s.argv[0]
	p := program{argv: s.argv}
	var err error
	switch {
	case !strings.Contains(name, "/"):
		p.path, err = s.lookPath(name)
	case filepath.IsAbs(name):
		p.path = filepath.Clean(name)
	case s.packDir != "":
		p.path = filepath.Join(s.packDir, name)
	default:
		p.path = filepath.Join(s.base.Dir, name)
	}
	if err == nil {
		p.objects, err = view.Executables(p.path, s.lookPath)
	}
	if errors.Is(err, os.ErrNotExist) {
		return p, &exitError{exitNotFound, fmt.Errorf("no such command: %s: %w", capability.Printable(name), err)}
	}
	if err != nil {
		return p, &exitError{exitFailed, fmt.Errorf("find the command %s: %w", capability.Printable(name), err)}
	}
	if p.objects[0].Dir {
		return p, &exitError{exitFailed, fmt.Errorf("%s is a directory", capability.Printable(p.path))}
	}
	p.real = p.objects[0].Path
	return p, nil
}

// lookPath finds a command name in the directories of the view's PATH.
func (s *prepared) lookPath(name string) (string, error) {
	if name == "" {
		return "", fmt.Errorf("an empty command name: %w", os.ErrNotExist)
	}
	for _, dir := range s.searchPath() {
		p := filepath.Join(dir, name)
		if fi, err := os.Stat(p); err == nil && fi.Mode().IsRegular() && fi.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	return "", fmt.Errorf("%s is in no directory of the sandbox's PATH (%s); give its path, or grant its folder with --allow fs.read:FOLDER: %w",
		capability.Printable(name), strings.Join(s.searchPath(), ":"), os.ErrNotExist)
}

// searchPath is the person's PATH as far as the view has it, then the system's.
func (s *prepared) searchPath() (dirs []string) {
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), systemPath...) {
		dir = filepath.Clean(dir)
		if !slices.Contains(dirs, dir) && s.shows(dir) {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// shows reports whether the view will have dir: it is the system's, or granted.
func (s *prepared) shows(dir string) bool {
	if !filepath.IsAbs(dir) {
		return false
	}
	if slices.Contains(systemPath, dir) || strings.HasPrefix(dir, "/usr/") { //nolint:forbidigo // the separator is part of the prefix
		return true
	}
	c, err := capability.ForPath(capability.FSRead, dir)
	if err != nil {
		return false
	}
	for _, g := range s.grants() {
		if g.Outcome == grant.Allow && g.Origin != byVolume && g.Capability.Covers(c) && g.Applies(s.app.now(), s.subject.Session) {
			return true
		}
	}
	return false
}

// inherited are the variables of the person's environment that every program
// gets: how the terminal looks and which language is spoken.
var inherited = []string{"TERM", "COLORTERM", "NO_COLOR", "LANG", "LANGUAGE", "TZ"}

// environment is the program's, made from an allow-list.
func (s *prepared) environment(dir, home string) ([]string, error) {
	env := map[string]string{
		"HOME": home, "PATH": strings.Join(s.searchPath(), ":"), "TMPDIR": "/tmp", "SHELL": "/bin/sh", "PWD": dir,
		"USER": who().Name, "LOGNAME": who().Name, "AMBIT_SESSION": s.subject.Session,
	}
	if os.Getuid() == 0 {
		env["USER"], env["LOGNAME"] = "root", "root"
	}
	if s.deno != nil {
		env[deno.Variable] = denoSocket
	}
	s.trustEnvironment(env)
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		if slices.Contains(inherited, name) || strings.HasPrefix(name, "LC_") || slices.Contains(s.manifest.Env, name) { //nolint:forbidigo // a variable's name, not a path
			env[name] = value
		}
	}
	for _, text := range s.flags.env {
		name, value, set := strings.Cut(text, "=")
		if !set {
			if value, set = os.LookupEnv(name); !set {
				continue
			}
		}
		env[name] = value
	}
	if err := s.placeholders(env); err != nil {
		return nil, err
	}
	var list []string
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list, nil
}
