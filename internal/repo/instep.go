package repo

import (
	"regexp"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A reply belongs to the statement that was sent last. If a proxy, or a server, sends something twice or too late, pgx takes
// it for the beginning of the next reply, and each caller gets what was meant for the one before. So a connection whose
// replies are out of step is closed, and counts as lost.

// outOfStepError is a reply that can't be the statement's.
type outOfStepError struct {
	unsent bool // the statement was not run
}

func (outOfStepError) Error() string {
	return "the server's reply is out of step, and so the connection is closed"
}

func (outOfStepError) ours() {}

// SafeToRetry tells pgconn.SafeToRetry whether nothing of the statement was run.
func (e outOfStepError) SafeToRetry() bool { return e.unsent }

// leftOver reports whether a connection that waits for a statement has already read something after the last reply. A server
// says nothing there, except for rare notices, at which nothing is lost if a pool makes another connection.
func leftOver(conn *pgx.Conn) bool {
	pg := conn.PgConn()

	return !pg.IsClosed() && !pg.IsBusy() && pg.Frontend().ReadBufferLen() > 0
}

// misfit matches the driver's errors for a reply that is not the next one.
var misfit = regexp.MustCompile(`received unexpected message type|^unexpected (?:pipeline result|DataRow message)`)

// inStep returns err, or an outOfStepError in its place if the reply can't be the statement's, and closes the connection then.
//
// Every statement that succeeds has a tag, and the server describes a statement of db/queries with all its parameters.
func (cl *call) inStep(tag pgconn.CommandTag, err error) error {
	if err == nil && tag.String() != "" {
		return nil
	}
	conn := connOf(cl.db)
	if conn == nil { // a DB of the caller's own
		return err
	}
	switch {
	case err == nil:
		err = outOfStepError{}
	case code(err) != "" || cl.ctx.Err() != nil:
		return err
	case misfit.MatchString(err.Error()):
		err = outOfStepError{}
	case describedOtherwise.MatchString(err.Error()):
		if q := cl.c.known.Query(cl.sql); q == nil || len(q.Params) != len(cl.args) {
			return err
		}
		err = outOfStepError{unsent: true}
	default:
		return err
	}
	_ = conn.Close(cl.ctx)

	return err
}

// describedOtherwise matches the driver's errors for a statement with another number of parameters than arguments.
var describedOtherwise = regexp.MustCompile(`^(?:expected \d+ arguments, got \d+|mismatched param and argument count)$`)
