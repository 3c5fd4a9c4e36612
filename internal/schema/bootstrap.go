// Package schema makes a database into what db/schema says.
package schema

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"regexp"
	"slices"
	"time"

	"musicstore/db"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// DB is a *pgxpool.Pool, a *pgx.Conn or a pgx.Tx.
type DB interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	Begin(ctx context.Context) (pgx.Tx, error)
}

// Bootstrap creates the tables and indexes of db/schema that are missing from the current schema, in one transaction,
// and returns their names: the tables, and the indexes that were added to tables which were there. It changes nothing
// that exists, whatever that looks like. A second call creates nothing, takes no lock and returns none.
//
// Any number of processes may call it at once: one creates, the others wait for it. Where something holds the tables
// for longer than lockTimeout, Bootstrap gives up with nothing created rather than keep their writers waiting.
func Bootstrap(ctx context.Context, db DB) (created []string, err error) {
	files, err := Files()
	if err != nil {
		return nil, fmt.Errorf("bootstrap: %w", err)
	}

	return bootstrap(ctx, db, files)
}

// File is a file of db/schema.
type File struct{ Name, SQL string }

// Files returns the files of db/schema in the order in which they are applied.
func Files() ([]File, error) {
	names, err := fs.Glob(db.Schema, "schema/*.sql")
	if err != nil {
		return nil, err
	}
	files := make([]File, len(names))
	for i, name := range names {
		text, err := db.Schema.ReadFile(name)
		if err != nil {
			return nil, err
		}
		files[i] = File{Name: name, SQL: string(text)}
	}

	return files, nil
}

//go:embed bootstrap.go
var source string

// Version names what Bootstrap makes of an empty database: a hash of db/schema and of the code that applies it.
func Version() (string, error) {
	files, err := Files()
	if err != nil {
		return "", err
	}
	h := sha256.New()
	for _, f := range append(files, File{"bootstrap.go", source}) {
		_, _ = fmt.Fprintf(h, "%s %d %s", f.Name, len(f.SQL), f.SQL)
	}

	return hex.EncodeToString(h.Sum(nil))[:16], nil
}

// lockTimeout bounds how long Bootstrap waits for each lock. CREATE INDEX asks for one that keeps writers out, and
// writers that come later queue behind it.
const lockTimeout = 10 * time.Second

// lockKey is the advisory lock that concurrent bootstraps take: "music" in ASCII.
const lockKey = 0x6d75736963

// maxTries bounds the attempts on an engine without that lock, where concurrent creators get in each other's way.
const maxTries = 50

func bootstrap(ctx context.Context, db DB, files []File) ([]string, error) {
	names, tableOf := creations(files)
	missing, err := missingFrom(ctx, db, names)
	if err != nil || len(missing) == 0 {
		return nil, wrap(err)
	}
	lock := fmt.Sprintf("SELECT pg_advisory_xact_lock(%d);", lockKey)
	for try := 1; ; try++ {
		made, err := create(ctx, db, files, names, lock)
		switch state := sqlState(err); {
		case err == nil:
			// The indexes of a table that was made go without saying.
			return slices.DeleteFunc(slices.Clone(made), func(name string) bool {
				return slices.Contains(made, tableOf[name])
			}), nil
		case lock != "" && state == "42883": // undefined_function
			lock = ""
		case lock == "" && try < maxTries && clashes[state]:
			select {
			case <-time.After(rand.N(20 * time.Millisecond)): //nolint:gosec // spreading retries needs no secrecy
			case <-ctx.Done():
				return nil, wrap(ctx.Err())
			}
		default:
			return nil, wrap(err)
		}
	}
}

// clashes are the errors by which IF NOT EXISTS loses a race: the name appeared between its look and its leap.
var clashes = map[string]bool{
	"23505": true, // unique_violation, of pg_class or pg_type
	"42P07": true, // duplicate_table
	"42710": true, // duplicate_object
	"40P01": true, // deadlock_detected
}

// creation finds what a file creates: the name, and of an index its table. That each statement of db/schema has this
// form is checked by a test: IF NOT EXISTS is what makes it safe to run again.
var creation = regexp.MustCompile(`(?m)^CREATE (?:UNIQUE )?(?:TABLE|INDEX) IF NOT EXISTS (\w+)(?: ON (\w+))?`)

// creations returns the names of the tables and indexes that the files create, and the table of each index.
func creations(files []File) (names []string, tableOf map[string]string) {
	tableOf = map[string]string{}
	for _, f := range files {
		for _, match := range creation.FindAllStringSubmatch(f.SQL, -1) {
			names = append(names, match[1])
			tableOf[match[1]] = match[2]
		}
	}

	return names, tableOf
}

const missingSQL = `
SELECT wanted.name
FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, n)
WHERE NOT EXISTS (
    SELECT FROM pg_catalog.pg_class
    WHERE relname = wanted.name AND relnamespace = (
        SELECT oid FROM pg_catalog.pg_namespace WHERE nspname = current_schema()
    )
)
ORDER BY wanted.n`

// missingFrom returns which of the names the current schema lacks. It is one round trip.
func missingFrom(ctx context.Context, db DB, names []string) ([]string, error) {
	rows, err := db.Query(ctx, missingSQL, pgx.QueryExecModeExec, names)
	if err != nil {
		return nil, err
	}

	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// create runs the files in one transaction under the lock, and returns what they created.
func create(ctx context.Context, db DB, files []File, names []string, lock string) (made []string, err error) {
	tx, err := db.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lockTimeout)
			defer cancel()
			_ = tx.Rollback(ctx)
		}
	}()
	setup := fmt.Sprintf("SET LOCAL lock_timeout = '%dms';", lockTimeout.Milliseconds()) + lock
	if _, nested := db.(pgx.Tx); !nested {
		// The default may be a level at which the look below sees what was there before the wait for the lock.
		setup = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;" + setup
	}
	if err := exec(ctx, tx, setup); err != nil {
		return nil, err
	}
	// Under the lock: another may have created it all meanwhile.
	missing, err := missingFrom(ctx, tx, names)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		for _, f := range files {
			if err := exec(ctx, tx, f.SQL); err != nil {
				return nil, fmt.Errorf("%s: %w", f.Name, err)
			}
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return nil, err
	}

	return missing, nil
}

// exec runs any number of statements in one round trip.
func exec(ctx context.Context, tx pgx.Tx, sql string) error {
	return tx.Conn().PgConn().Exec(ctx, sql).Close()
}

func sqlState(err error) string {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pg.Code
	}

	return ""
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	switch sqlState(err) {
	case "55P03": // lock_not_available
		const why = "something has held the tables for %s: end it, or try again when it has ended"

		return fmt.Errorf("bootstrap: "+why+": %w", lockTimeout, err)
	case "3F000": // invalid_schema_name
		return fmt.Errorf("bootstrap: the search_path names no schema that exists: %w", err)
	default:
		return fmt.Errorf("bootstrap: %w", err)
	}
}
