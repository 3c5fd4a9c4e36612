//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package localpg

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	anyVersion = 0
	oldest     = 14
)

// distributions are the folders of packages that leave PostgreSQL out of PATH.
var distributions = []string{
	"/usr/lib/postgresql/*/bin",          // Debian, Ubuntu
	"/usr/pgsql-*/bin",                   // postgresql.org's packages for Fedora and its kin
	"/usr/libexec/postgresql*",           // Alpine
	"/usr/local/pgsql/bin",               // from source
	"/usr/local/opt/postgresql@*/bin",    // Homebrew, Intel
	"/opt/homebrew/opt/postgresql@*/bin", // Homebrew, Apple silicon
	"/opt/homebrew/bin",                  // Homebrew, when not on PATH
	"/Library/PostgreSQL/*/bin",          // EDB's installer for macOS
}

var versionText = regexp.MustCompile(`^postgres \(PostgreSQL\) ((\d+)[\w.]*)`)

// installation is a folder with an initdb and a postgres that can be run.
type installation struct {
	bin     string
	version string // such as 17.6
	major   int
}

// find returns the installation to use: the first on PATH, else the one that pg_config names, else the newest of the
// distributions' folders. One that is too old, or not of the wanted major version, is passed over. It is
// ErrNotInstalled if none is left.
func (h host) find(ctx context.Context, major int) (installation, error) {
	var found []installation

	look := func(dir string) {
		pg := h.inspect(ctx, dir)
		if pg.major >= oldest && (major == anyVersion || pg.major == major) {
			found = append(found, pg)
		}
	}

	dirs := filepath.SplitList(h.path)
	for _, dir := range dirs {
		look(dir)
	}

	for _, dir := range dirs {
		if config := filepath.Join(dir, "pg_config"); len(found) == 0 && isExecutable(config) {
			out, _ := h.command(ctx, config, "--bindir").Output()
			look(strings.TrimSpace(string(out)))
		}
	}

	if len(found) == 0 {
		for _, glob := range h.globs {
			folders, _ := filepath.Glob(glob)
			for _, dir := range folders {
				look(dir)
			}
		}

		slices.SortStableFunc(found, func(a, b installation) int { return b.major - a.major })
	}

	switch {
	case len(found) > 0:
		return found[0], nil
	case ctx.Err() != nil: // nothing could be run
		return installation{}, ctx.Err()
	case major != anyVersion:
		return installation{}, missingVersion(major)
	default:
		return installation{}, ErrNotInstalled
	}
}

// missingVersion is the error for a data folder whose version of PostgreSQL is not installed. Only that version can read it.
// https://www.postgresql.org/docs/current/upgrading.html
type missingVersion int

func (v missingVersion) Error() string {
	return fmt.Sprintf("the data was made by PostgreSQL %d, which is not installed: install version %[1]d (Debian/Ubuntu: "+
		"apt-get install postgresql-%[1]d) or set DATABASE_URL", int(v))
}

func (missingVersion) Is(target error) bool { return target == ErrNotInstalled }

// inspect returns the installation in a folder, or the zero value if it has none that the server's user can run.
func (h host) inspect(ctx context.Context, dir string) installation {
	postgres := filepath.Join(dir, "postgres")
	if !isExecutable(postgres) || !isExecutable(filepath.Join(dir, "initdb")) {
		return installation{}
	}

	out, err := h.command(ctx, postgres, "--version").Output()
	match := versionText.FindStringSubmatch(string(out))

	if err != nil || match == nil {
		return installation{}
	}

	major, _ := strconv.Atoi(match[2])

	return installation{bin: dir, version: match[1], major: major}
}

// isExecutable reports whether a path is of a program, and does not depend on the current folder.
func isExecutable(path string) bool {
	info, err := os.Stat(path)

	return err == nil && filepath.IsAbs(path) && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
