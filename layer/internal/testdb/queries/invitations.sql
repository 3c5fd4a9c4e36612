-- name: CreateInvitation :one
-- CreateInvitation inserts a reset and returns it. The new reset replaces the reader's open one, if there is one. When the
-- same reset is sent again with the same token, it is returned with its stored times.
--
-- No row when the reader has a reset, open or used, that was created less than the interval before or after now. Both sides
-- count, so that a creation time far in the future does not block the reader until then.
--
-- The present time is the database's, unless the caller gives one. The clocks of its clients may differ.
-- +keyed a reset with the same token replaces itself, and is returned with its stored times
-- +default created_at: it is the database's present time, unless the caller gives one.
-- +default id: the new reset replaces the old one, and has an id of its own.
-- +plan filters invitations: a reader's used resets are few, as each has set its password.
INSERT INTO invitations (id, reader_id, token_hash, created_at, expires_at)
SELECT
    @id, @reader_id, @token_hash, made.created_at,
    coalesce(sqlc.narg(expires_at)::timestamptz, made.created_at + make_interval(secs => @lifetime_seconds::float8))
FROM (
    SELECT coalesce(sqlc.narg(created_at)::timestamptz, sqlc.narg(now)::timestamptz, statement_timestamp()) AS created_at
) AS made
WHERE NOT EXISTS (
    SELECT
    FROM invitations AS used
    WHERE used.reader_id = @reader_id
        AND used.used_at IS NOT NULL
        AND abs(extract(epoch FROM used.created_at - coalesce(sqlc.narg(now)::timestamptz, statement_timestamp())))
            < @interval_seconds::float8
)
ON CONFLICT (reader_id) WHERE used_at IS NULL DO UPDATE
SET
    id = EXCLUDED.id,
    token_hash = EXCLUDED.token_hash,
    created_at = CASE
        WHEN invitations.token_hash = EXCLUDED.token_hash THEN invitations.created_at
        ELSE EXCLUDED.created_at
    END,
    expires_at = CASE
        WHEN invitations.token_hash = EXCLUDED.token_hash THEN invitations.expires_at
        ELSE EXCLUDED.expires_at
    END
WHERE invitations.token_hash = EXCLUDED.token_hash
    OR abs(extract(epoch FROM invitations.created_at - coalesce(sqlc.narg(now)::timestamptz, statement_timestamp())))
        >= @interval_seconds::float8
RETURNING *;

-- name: HasRecentInvitation :one
-- HasRecentInvitation reports whether the reader has a reset, open or used, that was created less than the interval before or
-- after now.
-- +plan filters invitations: a reader's used resets are few, as each has set its password.
SELECT EXISTS (
    SELECT
    FROM invitations
    WHERE reader_id = @reader_id
        AND abs(extract(epoch FROM created_at - coalesce(sqlc.narg(now)::timestamptz, statement_timestamp())))
            < @interval_seconds::float8
);

-- name: GetInvitation :one
-- GetInvitation returns the open reset with this digest of a token; no row when the token is unknown, used, expired or
-- superseded. The present time is the database's, unless the caller gives one.
SELECT *
FROM invitations
WHERE token_hash = @token_hash
    AND used_at IS NULL
    AND expires_at > coalesce(sqlc.narg(now)::timestamptz, statement_timestamp());

-- name: RedeemInvitation :one
-- RedeemInvitation marks the open reset with this digest of a token as used, sets the reader's password, and returns the
-- reader; no row when the token is unknown, used, expired or superseded.
--
-- The present time is the database's, unless the caller gives one. The time of use is never before the time of creation, even if
-- a clock says so. If a trigger drops the new password, the statement fails and nothing is kept (see SetPasswordHash).
WITH redeemed AS (
    UPDATE invitations
    SET
        used_at = greatest(created_at, coalesce(sqlc.narg(now)::timestamptz, statement_timestamp())),
        used_ip = @used_ip
    WHERE token_hash = @token_hash
        AND used_at IS NULL
        AND expires_at > coalesce(sqlc.narg(now)::timestamptz, statement_timestamp())
    RETURNING reader_id
), readers AS ( /* named like the table, so that sqlc gives it the table's Go types */
    UPDATE readers
    SET password_hash = @password_hash
    FROM redeemed
    WHERE readers.id = redeemed.reader_id
    RETURNING readers.*
)
SELECT *
FROM readers
WHERE (
    SELECT CASE
        WHEN EXISTS (SELECT FROM readers) OR NOT EXISTS (SELECT FROM redeemed) THEN true
        ELSE current_setting('dbtx.rows_not_kept')::boolean
    END
);

-- name: DeleteExpiredInvitations :execrows
-- DeleteExpiredInvitations deletes the resets, used or not, that expired before the given time, and returns how many. It
-- deletes no reset that is still valid. The present time is the database's, unless the caller gives one.
DELETE FROM invitations
WHERE expires_at < least(@expired_before::timestamptz, coalesce(sqlc.narg(now)::timestamptz, statement_timestamp()));
