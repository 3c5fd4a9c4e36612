// Package schema makes a database into what the schema files of a store say, and says what differs from them.
package schema

import (
	"context"
	"crypto/sha256"
	_ "embed" // for the hash of this file
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"musicstore/layer/dbtx"
	"musicstore/layer/internal/sqlstate"
	"musicstore/layer/settings"

	"github.com/jackc/pgx/v5"
)

// DB is a *pgxpool.Pool, a *pgx.Conn or a pgx.Tx.
type DB = dbtx.DB

// Bootstrap creates the objects of the schema files that are missing from the current schema, in one transaction and in the
// order of the files, and returns what it has created. What belongs to a table, such as its constraints, indexes, triggers, partitions and
// comments, is created with the table. What exists it leaves alone, whatever it looks like: it alters, drops and adds nothing there, also
// where a statement says OR REPLACE. Check says what is different, and Migrate makes it the same.
//
// A table is returned as its name, and another object with its kind before its name: "enum mood", "function f(int4)". A second call creates
// nothing, takes no lock, is one round trip, and returns none.
//
// A table that is missing, and whose old name (the mark +was) a table has, is an error that is ErrRenamed: Migrate renames it. Nothing is created then.
//
// Any number of processes may call it at once: one creates, the others wait for it. Where something holds the tables
// for longer than lockTimeout, Bootstrap gives up with nothing created rather than keep their writers waiting.
//
// The settings of the session that change what SQL means, such as standard_conforming_strings, are set for Bootstrap's own
// transaction, so they make no difference. A database whose encoding is not UTF8 is an error that is ErrSettings. A
// superuser on whose search_path another role can make functions gets ErrUntrusted. Nothing is created then.
func Bootstrap(ctx context.Context, db DB, m *dbtx.Metadata) (created []string, err error) {
	missing, err := missingFrom(ctx, db, m)
	if err != nil || len(missing) == 0 {
		return nil, wrap(err)
	}
	lock := fmt.Sprintf("SELECT pg_catalog.pg_advisory_xact_lock(%d)", LockKey)
	for try := 1; ; try++ {
		created, err = create(ctx, db, m, lock)
		switch state := sqlstate.Of(err); {
		case err == nil:
			return created, nil
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

// ErrRenamed means that a table of the schema files is there by its old name. The text says which.
var ErrRenamed = errors.New("a table has its old name")

var (
	// ErrSettings means that the database does not store text as UTF8, or that session_replication_role turns foreign
	// keys off; a *settings.SettingError says which.
	ErrSettings = settings.ErrSettings
	// ErrUntrusted means that the session is a superuser's, and another role that can log in may make functions and
	// operators on its search_path, which would run with a superuser's rights. The text has the statement that mends it.
	ErrUntrusted = settings.ErrUntrusted
)

// Warnings returns what another role can do to run code with the rights of this session, with the statement that mends
// it: a role that can log in and may make functions in a schema of the search_path, or functions that it has made there.
// For a superuser these are not returned: Bootstrap and Check refuse it, with ErrUntrusted.
//
// It also returns which settings have the server lose rows or commits silently: zero_damaged_pages,
// ignore_checksum_failure, and synchronous_commit = off of the role, the database or the session. When
// session_replication_role turns foreign keys off, it returns ErrSettings, as Bootstrap and Check do. A second call looks
// again.
func Warnings(ctx context.Context, db DB) (warnings []string, err error) {
	tx, err := db.Begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at the search_path: %w", err)
	}
	defer settings.Rollback(ctx, tx) //nolint:errcheck // nothing was changed
	path, err := settings.Look(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("look at the search_path: %w", err)
	}

	return path.Checked()
}

//go:embed bootstrap.go
var source string

// Version names what Bootstrap makes of an empty database: a hash of the schema files and of the code that applies them.
func Version(m *dbtx.Metadata) string {
	h := sha256.New()
	_, _ = io.WriteString(h, source)
	for _, s := range m.Schema {
		_, _ = fmt.Fprintf(h, "%d %s", len(s.SQL), s.SQL)
	}

	return hex.EncodeToString(h.Sum(nil))[:16]
}

// lockTimeout bounds how long Bootstrap waits for each lock. A foreign key asks for one on the table that it refers to which keeps
// writers out, and writers that come later queue behind it.
const lockTimeout = 10 * time.Second

// LockKey is the advisory lock that concurrent bootstraps of a database take. It is the same in every version.
const LockKey int64 = 0x6d75736963

// maxTries bounds the attempts on an engine without that lock, where concurrent creators get in each other's way.
const maxTries = 50

// clashes are the errors by which a creator loses a race: the name appeared between its look and its statement.
var clashes = map[string]bool{
	"23505": true, // unique_violation, of pg_class, pg_type, pg_proc or pg_extension
	"42P07": true, // duplicate_table
	"42710": true, // duplicate_object
	"42723": true, // duplicate_function
	"40P01": true, // deadlock_detected
}

// keysOf returns the keys of the objects that statements make, and of the partitions and indexes among them the key of the table that each
// comes with.
func keysOf(statements []dbtx.Statement) (keys []string, with map[string]string) {
	with = map[string]string{}
	for _, s := range statements {
		key := s.Key()
		if key != "" {
			keys = append(keys, key)
		}
		switch {
		case s.Kind == dbtx.KindPartition:
			with["relation "+s.Name] = "relation " + s.Table
		case s.Kind == dbtx.KindTable && s.Table != "", s.Kind == dbtx.KindIndex:
			with[key] = "relation " + s.Table
		}
	}

	return keys, with
}

// missingSQL runs in the session's own search_path, so every name in it is qualified, operators included: otherwise a
// function of the same name that another role has made there could run in place of PostgreSQL's own.
const missingSQL = `
SELECT pg_catalog.current_setting('server_encoding'),
    coalesce(pg_catalog.current_setting('session_replication_role', true), ''), ARRAY(
    SELECT k.key
    FROM pg_catalog.unnest($1::pg_catalog.text[]) AS k (key), LATERAL (
        SELECT
            pg_catalog.split_part(k.key, ' ', 1),
            pg_catalog.substr(k.key, pg_catalog.strpos(k.key, ' ') OPERATOR(pg_catalog.+) 1)
    ) AS wanted (class, name)
    WHERE NOT CASE
        WHEN wanted.class OPERATOR(pg_catalog.=) 'relation' THEN EXISTS (
            SELECT FROM pg_catalog.pg_class AS c
            JOIN pg_catalog.pg_namespace AS s ON s.oid OPERATOR(pg_catalog.=) c.relnamespace
            WHERE c.relname OPERATOR(pg_catalog.=) wanted.name
                AND s.nspname OPERATOR(pg_catalog.=) pg_catalog.current_schema()
        )
        WHEN wanted.class OPERATOR(pg_catalog.=) 'type' THEN EXISTS (
            SELECT FROM pg_catalog.pg_type AS t
            JOIN pg_catalog.pg_namespace AS s ON s.oid OPERATOR(pg_catalog.=) t.typnamespace
            WHERE t.typname OPERATOR(pg_catalog.=) wanted.name
                AND s.nspname OPERATOR(pg_catalog.=) pg_catalog.current_schema()
        )
        WHEN wanted.class OPERATOR(pg_catalog.=) 'function' THEN EXISTS (
            SELECT FROM pg_catalog.pg_proc AS p
            JOIN pg_catalog.pg_namespace AS s ON s.oid OPERATOR(pg_catalog.=) p.pronamespace
            WHERE p.proname OPERATOR(pg_catalog.=) pg_catalog.split_part(wanted.name, '(', 1)
                AND s.nspname OPERATOR(pg_catalog.=) pg_catalog.current_schema()
                AND wanted.name OPERATOR(pg_catalog.=) pg_catalog.format('%s(%s)', p.proname, pg_catalog.array_to_string(ARRAY(
                    SELECT CASE WHEN e.oid IS NULL THEN t.typname::pg_catalog.text ELSE pg_catalog.format('%s[]', e.typname) END
                    FROM pg_catalog.unnest(p.proargtypes::pg_catalog.oid[]) WITH ORDINALITY AS a (type, n)
                    JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) a.type
                    LEFT JOIN pg_catalog.pg_type AS e ON e.oid OPERATOR(pg_catalog.=) t.typelem
                        AND e.typarray OPERATOR(pg_catalog.=) t.oid
                    ORDER BY a.n
                ), ', '))
        )
        ELSE EXISTS (
            SELECT FROM pg_catalog.pg_extension AS x
            WHERE x.extname OPERATOR(pg_catalog.=) wanted.name
        )
    END
)`

// missingFrom returns the keys of the objects that Bootstrap is to create: those that the current schema lacks, and that do not belong
// to a table which is there. It fails where the database can't store the text or enforce foreign keys, or has one of the tables by its old
// name. It is one round trip.
func missingFrom(ctx context.Context, db DB, m *dbtx.Metadata) ([]string, error) {
	keys, with := keysOf(m.Schema)
	wanted := len(keys)
	for _, t := range m.Tables {
		if t.Was != "" {
			keys = append(keys, "relation "+t.Was)
		}
	}
	rows, err := db.Query(ctx, missingSQL, pgx.QueryExecModeExec, keys)
	if err != nil {
		return nil, err
	}
	type look struct {
		Encoding, Role string
		Missing        []string
	}
	got, err := pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[look])
	if err != nil {
		return nil, err
	}
	if err := settings.CheckEncoding(got.Encoding); err != nil {
		return nil, err
	}
	if err := settings.CheckRole(got.Role); err != nil {
		return nil, err
	}
	lacks := func(name string) bool { return slices.Contains(got.Missing, "relation "+name) }
	for _, t := range m.Tables {
		if t.Was != "" && lacks(t.Name) && !lacks(t.Was) {
			return nil, fmt.Errorf("%w: %s is there as %s; migrate renames it", ErrRenamed, t.Name, t.Was)
		}
	}

	lacking := map[string]bool{}
	for _, key := range got.Missing {
		lacking[key] = true
	}
	var missing []string
	for _, key := range keys[:wanted] {
		creates, of := lacking[key], with[key]
		for ; of != ""; of = with[of] {
			creates = creates && lacking[of]
		}
		if creates {
			missing = append(missing, key)
		}
	}

	return missing, nil
}

// create makes what is missing in one transaction under the lock, and returns what it was.
func create(ctx context.Context, db DB, m *dbtx.Metadata, lock string) (created []string, err error) {
	tx, err := db.Begin(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = settings.Rollback(ctx, tx) // the first error says more
		}
	}()
	_, nested := db.(pgx.Tx)
	if !nested {
		// The default may be a level at which the look below sees what was there before the wait for the lock.
		if err := exec(ctx, tx, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED"); err != nil {
			return nil, err
		}
	}
	path, err := settings.Look(ctx, tx)
	if err == nil {
		err = path.Refuse()
	}
	if err != nil {
		return nil, err
	}
	before, err := settings.Seal(ctx, tx, strconv.FormatInt(lockTimeout.Milliseconds(), 10))
	if err == nil && lock != "" {
		err = exec(ctx, tx, lock)
	}
	if err == nil {
		err = settings.SetPath(ctx, tx, path.Setting)
	}
	if err != nil {
		return nil, err
	}
	// Under the lock: another may have created it all meanwhile.
	missing, err := missingFrom(ctx, tx, m)
	if err == nil && len(missing) > 0 {
		created, err = createMissing(ctx, tx, m.Schema, missing)
	}
	if err != nil {
		return nil, err
	}
	if nested { // the caller's transaction goes on, with its own settings
		if err := settings.Restore(ctx, tx, before); err != nil {
			return nil, err
		}
	}
	if err := tx.Commit(ctx); err != nil {
		return nil, err
	}

	return created, nil
}

// createMissing runs the statements of the objects that are missing, and of their parts, and returns what they created.
func createMissing(ctx context.Context, tx pgx.Tx, statements []dbtx.Statement, missing []string) (created []string, err error) {
	makes := map[string]bool{}
	for _, key := range missing {
		makes[key] = true
	}
	_, with := keysOf(statements)
	for _, s := range statements {
		key := s.Key()
		runs := makes[key] || key == "" && (len(s.Owners()) == 0 || slices.ContainsFunc(s.Owners(), func(owner string) bool { return makes[owner] }))
		if !runs {
			continue
		}
		if err := apply(ctx, tx, []dbtx.Statement{s}); err != nil {
			return nil, err
		}
		switch {
		case s.HasIndex():
			makes["relation "+s.Name] = true // it may be attached to one of a parent, or have a comment
		case key == "", with[key] != "": // a part
		case s.Kind == dbtx.KindTable:
			created = append(created, s.Name)
		default:
			created = append(created, s.Kind+" "+s.Name)
		}
	}

	return created, nil
}

// apply runs the statements one by one: an engine that distributes tables, such as Citus, refuses several in one message.
func apply(ctx context.Context, tx pgx.Tx, statements []dbtx.Statement) error {
	for _, s := range statements {
		if err := exec(ctx, tx, s.SQL); err != nil {
			return fmt.Errorf("%s: %w", s.File, err)
		}
	}

	return nil
}

// exec runs one statement.
func exec(ctx context.Context, tx pgx.Tx, sql string) error {
	_, err := tx.Exec(ctx, sql, pgx.QueryExecModeSimpleProtocol)

	return err
}

func wrap(err error) error {
	if err == nil {
		return nil
	}
	switch sqlstate.Of(err) {
	case "55P03": // lock_not_available
		const why = "something has held the tables for %s: end it, or try again when it has ended"

		return fmt.Errorf("bootstrap: "+why+": %w", lockTimeout, err)
	case "3F000": // invalid_schema_name
		return fmt.Errorf("bootstrap: the search_path names no schema that exists: %w", err)
	default:
		return fmt.Errorf("bootstrap: %w", err)
	}
}
