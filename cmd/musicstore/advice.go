package main

import (
	"context"
	"errors"
	"io/fs"

	"github.com/jackc/pgx/v5/pgconn"

	"musicstore/internal/repo"
	"musicstore/internal/schema"
	"musicstore/layer/localpg"
)

// advisedError is an error with its own sentence about what to do next. Its text does not include that sentence.
type advisedError struct {
	err  error
	next string
}

func (e *advisedError) Error() string { return e.err.Error() }

func (e *advisedError) Unwrap() error { return e.err }

// What to do next after an error. Each text is a sentence without its dot.
const (
	checkURL        = "Correct --database-url or DATABASE_URL"
	checkLogin      = "Correct the user and the password in --database-url or DATABASE_URL"
	checkDatabase   = "Create the database with createdb, or correct its name in --database-url or DATABASE_URL"
	checkServer     = "Check that the server is running, and that --database-url or DATABASE_URL has its host, port and settings"
	checkSchemaName = "Create the schema, or correct search_path in --database-url or DATABASE_URL"
	useOtherServer  = "To use another server, set --database-url or DATABASE_URL"
	waitForOther    = "Wait until the other musicstore command ends, or name another database with --database-url or DATABASE_URL"
	askPrimary      = "Connect to the primary server, in a session that is not read-only"
	askOwner        = "Connect as the owner of the database and of its tables"
	askToConnect    = "Have the owner of the database grant the role CONNECT on it"
	askForGrants    = "Connect as the owner of the tables, or have the owner run the output of 'musicstore grants ROLE'"
	runInit         = "Some tables are missing: run 'musicstore init'"
	runCheck        = "The database differs from db/schema: run 'musicstore check' to list the differences"
	runPlan         = "Run 'musicstore migrate --plan' to see the steps that remove the differences"
	runMigrate      = "Run 'musicstore migrate'"
	runFunction     = "Run 'musicstore migrate' without --sql: it runs the function"
	resolveRefusals = "Change the rows or db/schema, or use the flag that a reason names, then run 'musicstore migrate' again"
	lookFirst       = "Look in the database whether it was done before you run the command again"
	runAgain        = "Run the command again"
	raiseLimit      = "Run the command again later, or raise statement_timeout in --database-url or DATABASE_URL"
	waitForLock     = "Run the command again later, or raise lock_timeout in --database-url or DATABASE_URL"
	raiseTimeout    = "Allow more time, for example with --timeout 5m"
	checkTimeout    = "Check that the server is running, or allow more time, for example with --timeout 5m"
	endLockHolder   = "Wait until that session ends, or end it with: SELECT pg_terminate_backend(%d)"
	checkFile       = "Check the name of the file and that you may read it"
	correctFile     = "Correct the file, then import it again"
	removeKnown     = "Remove that album from the file, or give it another name and URL, then import the file again"
	saveInput       = "Import it again, or save it in a file and import the file"
	checkOutput     = "The output is not complete: check where it goes, then run the command again"
	checkWork       = "The output is not complete, but the work may be done: look before you run the command again"
	endInheritance  = "End the inheritance with: ALTER TABLE %s NO INHERIT %s"
	startOver       = "Search again without --after, or with the same words and flags as for the page before"
	correctWords    = "Search for fewer or other words"
	allowWrite      = "The query writes: with --write it is run and rolled back"
	correctArgument = "Write the argument as PostgreSQL writes a value of that type"
	swapBounds      = "Write the smaller value of the range first"
)

// SQLSTATE codes. https://www.postgresql.org/docs/current/errcodes-appendix.html
var nextByCode = map[string]string{
	"28000": checkLogin,      // invalid_authorization_specification
	"28P01": checkLogin,      // invalid_password
	"3D000": checkDatabase,   // invalid_catalog_name
	"3F000": checkSchemaName, // invalid_schema_name
	"25006": askPrimary,      // read_only_sql_transaction
	"42P01": runInit,         // undefined_table
	"42703": runCheck,        // undefined_column
	"42883": runCheck,        // undefined_function
	"42704": runCheck,        // undefined_object
	"42804": runCheck,        // datatype_mismatch
	"42P10": runCheck,        // invalid_column_reference: ON CONFLICT finds no constraint
	"40001": runAgain,        // serialization_failure
	"40P01": runAgain,        // deadlock_detected
}

// opening is what every command begins with: to connect. It stands in place of the command's name.
const opening = "open"

// nextStep returns a sentence that says what to do after the error of a command. It is empty if the error says so itself,
// if there is nothing to do, or if that is not known.
func nextStep(command string, err error) string {
	if errors.Is(err, repo.ErrOutcomeUnknown) {
		return lookFirst
	}
	if advised, ok := errors.AsType[*advisedError](err); ok {
		return advised.next
	}
	if invalid, ok := errors.AsType[*repo.InvalidError](err); ok {
		return nextOfInvalid(command, invalid)
	}
	const insufficientPrivilege, tooManyConnections, canceled, lockNotAvailable = "42501", "53300", "57014", "55P03"
	code := ""
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		code = pg.Code
	}
	_, isFile := errors.AsType[*fs.PathError](err)
	switch {
	case errors.Is(err, context.Canceled): // the user knows why
		return ""
	case code == insufficientPrivilege && command == opening:
		return askToConnect
	case code == insufficientPrivilege && (command == "init" || command == "migrate" || command == "demo"):
		return askOwner
	case code == insufficientPrivilege:
		return askForGrants
	case nextByCode[code] != "":
		return nextByCode[code]
	case errors.Is(err, repo.ErrReadOnly):
		return askPrimary
	case code == canceled && !errors.Is(err, repo.ErrTimeout):
		return raiseLimit
	case code == lockNotAvailable && errors.Is(err, repo.ErrTimeout):
		return waitForLock
	case code == tooManyConnections, code == canceled, code == lockNotAvailable: // their texts say it
		return ""
	case errors.Is(err, repo.ErrUnavailable):
		return checkServer
	case errors.Is(err, localpg.ErrInUse):
		return waitForOther
	case errors.Is(err, schema.ErrRenamed):
		return runMigrate
	case errors.Is(err, schema.ErrNoSQL):
		return runFunction
	case errors.Is(err, schema.ErrRefused):
		return resolveRefusals
	case errors.Is(err, repo.ErrNotNull): // by a column that db/schema does not have
		return runCheck
	case command == "import" && errors.Is(err, repo.ErrUnique):
		return removeKnown
	case command == "import" && errors.Is(err, repo.ErrInvalid):
		return correctFile
	case command == "import" && isFile:
		return checkFile
	default:
		return ""
	}
}

// nextOfLostOutput is nextStep for results that could not be written.
func nextOfLostOutput(command string) string {
	switch command {
	case "demo", "import", "init", "migrate":
		return checkWork
	default:
		return checkOutput
	}
}

func nextOfInvalid(command string, err *repo.InvalidError) string {
	switch {
	case command == opening:
		return checkURL
	case command == "import":
		return correctFile
	case command == "search" && err.Field == "after":
		return startOver
	case command == "explain" && err.Field != "":
		return correctArgument
	case command == "search" && err.Field == "text":
		return correctWords
	case command == "search" && (err.Field == "year_from" || err.Field == "price_cents_from"):
		return swapBounds
	default:
		return ""
	}
}
