package learn

import "strings"

// caches are the directories below a home that tools fill for themselves and
// that can be thrown away: what is written there while learning does no harm.
var caches = []string{
	".cache/go-build", "go/pkg/mod", "go/pkg/sumdb", ".cache/golangci-lint", ".cache/staticcheck", ".cache/gopls",
	".npm", ".cache/node", ".cache/node-gyp", ".cache/yarn", ".cache/pnpm", ".local/share/pnpm/store", ".cache/deno", ".bun/install/cache",
	".cache/pip", ".cache/uv", ".cache/pypoetry", ".cache/pre-commit", ".cache/mypy", ".cache/ruff", ".cache/black", ".cache/matplotlib",
	".cargo/registry", ".cargo/git", ".cache/sccache", ".ccache", ".cache/ccache", ".cache/bazel", ".cache/bazelisk", ".cache/meson",
	".m2/repository", ".gradle/caches", ".gradle/wrapper", ".cache/composer", ".bundle/cache", ".cache/coursier", ".ivy2/cache",
	".nuget/packages", ".local/share/nuget", ".hex/packages", ".cabal/packages", ".stack/pantry", ".cache/zig", ".cache/nix", ".cache/fontconfig",
}

// cache returns the named cache that p is, or lies in.
func (b Base) cache(p string) (dir string, ok bool) {
	if b.Home == "" {
		return "", false
	}
	rest, inHome := strings.CutPrefix(p, b.Home+"/")
	if !inHome {
		return "", false
	}
	for _, c := range caches {
		if within(rest, c) {
			return b.Home + "/" + c, true
		}
	}
	return "", false
}
