package dbtx

import (
	"context"
	"regexp"

	"musicstore/layer/internal/sqlstate"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A reply is out of step when it does not belong to the statement that was sent last. If a proxy or a server sends a message twice
// or too late, pgx reads it as the beginning of the next reply. From then on each caller would get the reply to the caller before.
// So the store closes such a connection, and treats it as lost.

// outOfStepError means that a reply does not belong to its statement.
type outOfStepError struct {
	unsent bool // the statement was not run
}

func (outOfStepError) Error() string {
	return "the server's reply is out of step, and so the connection is closed"
}

func (outOfStepError) ours() {}

// SafeToRetry tells pgconn.SafeToRetry whether the statement can be sent again: only if it was not run.
func (e outOfStepError) SafeToRetry() bool { return e.unsent }

// leftOver reports whether an idle connection has unread bytes after the last reply. A server sends nothing then, except for rare
// notices. If it was a notice, a pool loses nothing: it makes another connection.
func leftOver(conn *pgx.Conn) bool {
	pg := conn.PgConn()

	return !pg.IsClosed() && !pg.IsBusy() && pg.Frontend().ReadBufferLen() > 0
}

// misfit matches the driver's errors for a reply of a kind that it did not expect, and for bytes that are no message.
var misfit = regexp.MustCompile(`received unexpected message type|^unexpected (?:pipeline result|DataRow message)|` +
	`unknown message type: |invalid (?:message|body) length: |\w body (?:must have length of|is invalid) |invalid length for \w+\.\w`)

// inStep returns err. If the reply does not belong to the statement, it closes the connection and returns an outOfStepError
// instead. There are three signs of such a reply:
//
//   - a success without a command tag;
//   - a message that the driver did not expect, or that is none;
//   - a description that has another number of parameters than the query of db/queries.
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
	case sqlstate.Of(err) != "" || cl.ctx.Err() != nil:
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

// misread returns err. If it is that of a reply which the driver did not expect or could not read, misread closes the connection and
// returns an outOfStepError instead.
func misread(ctx context.Context, conn *pgx.Conn, err error) error {
	if err == nil || conn == nil || sqlstate.Of(err) != "" || ctx.Err() != nil || !misfit.MatchString(err.Error()) {
		return err
	}
	_ = conn.Close(ctx)

	return outOfStepError{}
}
