package main

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"ambit.dev/ambit/internal/core/capability"
	"ambit.dev/ambit/internal/enforce"
)

// limits reads the manifest's bounds and then the flags'.
func (s *prepared) limits() (enforce.Limits, error) {
	var l enforce.Limits
	for name, value := range s.manifest.Limits {
		if err := setLimit(&l, name, value); err != nil {
			return l, fmt.Errorf("manifest: %w", err)
		}
	}
	for _, text := range s.flags.limits {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return l, fmt.Errorf("--limit %s: want NAME=VALUE", capability.Printable(text))
		}
		if _, _, zone := zoneLimit(name); zone {
			continue
		}
		if err := setLimit(&l, name, value); err != nil {
			return l, err
		}
	}
	return l, nil
}

// zoneLimit takes a limit apart that is one zone's: disk.output is the bytes in the
// volume whose place is called output, files.output how many files and folders.
func zoneLimit(name string) (what, zone string, ok bool) {
	what, zone, ok = strings.Cut(name, ".")
	return what, zone, ok && (what == "disk" || what == "files")
}

// boundZones gives volumes the bounds that the manifest says of them, and then flags.
func (s *prepared) boundZones(volumes []enforce.Volume) error {
	if err := s.boundDeclared(volumes); err != nil {
		return err
	}
	for _, text := range s.flags.limits {
		name, value, _ := strings.Cut(text, "=")
		what, zone, ok := zoneLimit(name)
		if !ok {
			continue
		}
		v, err := volumeCalled(volumes, zone)
		if err == nil && what == "disk" {
			v.Bytes, err = parseSize(value)
		} else if err == nil {
			v.Files, err = parseCount(value)
		}
		if err != nil {
			return fmt.Errorf("limit %s=%s: %w", capability.Printable(name), capability.Printable(value), err)
		}
	}
	return nil
}

// volumeCalled is the one volume that is shown at a place of that name.
func volumeCalled(volumes []enforce.Volume, name string) (found *enforce.Volume, err error) {
	for i := range volumes {
		if path.Base(volumes[i].Target) != name {
			continue
		}
		if found != nil {
			return nil, errors.New("two volumes are called so")
		}
		found = &volumes[i]
	}
	if found == nil {
		return nil, errors.New("no volume (-v) is called so")
	}
	return found, nil
}

// minFDs are the three standard descriptors and the one by which init is let go.
const minFDs = 4

func setLimit(l *enforce.Limits, name, value string) (err error) {
	switch name {
	case "memory":
		l.Memory, err = parseSize(value)
	case "disk":
		l.Disk, err = parseSize(value)
	case "storage":
		l.Storage, err = parseSize(value)
	case "versions":
		l.Versions, err = parseCount(value)
	case "pids":
		l.PIDs, err = parseCount(value)
	case "fds":
		if l.FDs, err = parseCount(value); err == nil && l.FDs < minFDs {
			err = fmt.Errorf("want %d or more, which the start itself needs", minFDs)
		}
	case "cpu":
		var cores float64
		if cores, err = strconv.ParseFloat(value, 64); err == nil && !(cores >= 0.01 && cores <= 4096) { // also not NaN
			err = errors.New("want cores, as in 1.5")
		}
		l.CPU = int64(cores * 1000)
	case "wall":
		if l.Wall, err = time.ParseDuration(value); err == nil && l.Wall <= 0 {
			err = errors.New("want a time, as in 30s or 5m")
		}
	default:
		return fmt.Errorf("limit %s: there are memory, pids, cpu, wall, disk, fds, storage and versions", capability.Printable(name))
	}
	if err != nil {
		return fmt.Errorf("limit %s=%s: %w", name, capability.Printable(value), err)
	}
	return nil
}

// parseSize reads bytes with an optional K, M, G or T (powers of 1024).
func parseSize(text string) (int64, error) {
	shift, digits := 0, text
	if i := strings.IndexByte("KMGT", lastByte(text)); i >= 0 {
		shift, digits = 10*(i+1), text[:len(text)-1]
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > 1<<62>>shift {
		return 0, errors.New("want a size, as in 512M or 2G")
	}
	return n << shift, nil
}

func lastByte(s string) byte {
	if s == "" {
		return 0
	}
	return s[len(s)-1]
}

func parseCount(text string) (int64, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n <= 0 || n > 1<<30 {
		return 0, errors.New("want a number above 0")
	}
	return n, nil
}
