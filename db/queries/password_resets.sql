-- name: CreatePasswordReset :one
-- CreatePasswordReset inserts a reset and returns it. The account's open one, if any, gives up its place. No row when the
-- account has one, open or used, that was created less than the interval from now, before or after: one that a clock far
-- ahead has made does not block the account until then. The same reset with the same token once more is returned as it
-- stands.
--
-- Unless the caller says what time it is, the database does. Its clock is one; those of its clients may differ.
-- +keyed a reset with the same token takes its own place, and is returned with the times that it has already
-- +default created_at: the database's clock says it, unless the caller does.
-- +default id: the new reset takes the place of the old one, and has an id of its own.
-- +plan filters password_resets: an account's used resets are few, as each has set its password.
INSERT INTO password_resets (id, account_id, token_hash, created_at, expires_at)
SELECT
    @id, @account_id, @token_hash, made.created_at,
    coalesce(sqlc.narg(expires_at)::timestamptz, made.created_at + make_interval(secs => @lifetime_seconds::float8))
FROM (
    SELECT coalesce(sqlc.narg(created_at)::timestamptz, sqlc.narg(now)::timestamptz, statement_timestamp()) AS created_at
) AS made
WHERE NOT EXISTS (
    SELECT
    FROM password_resets AS used
    WHERE used.account_id = @account_id
        AND used.used_at IS NOT NULL
        AND abs(extract(epoch FROM used.created_at - coalesce(sqlc.narg(now)::timestamptz, statement_timestamp())))
            < @interval_seconds::float8
)
ON CONFLICT (account_id) WHERE used_at IS NULL DO UPDATE
SET
    id = EXCLUDED.id,
    token_hash = EXCLUDED.token_hash,
    created_at = CASE
        WHEN password_resets.token_hash = EXCLUDED.token_hash THEN password_resets.created_at
        ELSE EXCLUDED.created_at
    END,
    expires_at = CASE
        WHEN password_resets.token_hash = EXCLUDED.token_hash THEN password_resets.expires_at
        ELSE EXCLUDED.expires_at
    END
WHERE password_resets.token_hash = EXCLUDED.token_hash
    OR abs(extract(epoch FROM password_resets.created_at - coalesce(sqlc.narg(now)::timestamptz, statement_timestamp())))
        >= @interval_seconds::float8
RETURNING *;

-- name: HasRecentPasswordReset :one
-- HasRecentPasswordReset says whether the account has a reset, open or used, that was created less than the interval
-- from now, before or after.
-- +plan filters password_resets: an account's used resets are few, as each has set its password.
SELECT EXISTS (
    SELECT
    FROM password_resets
    WHERE account_id = @account_id
        AND abs(extract(epoch FROM created_at - coalesce(sqlc.narg(now)::timestamptz, statement_timestamp())))
            < @interval_seconds::float8
);

-- name: GetPasswordReset :one
-- GetPasswordReset returns the reset that a token opens, by the token's digest; no row when the token is unknown,
-- used, expired or superseded. Unless the caller says what time it is, the database does.
SELECT *
FROM password_resets
WHERE token_hash = @token_hash
    AND used_at IS NULL
    AND expires_at > coalesce(sqlc.narg(now)::timestamptz, statement_timestamp());

-- name: RedeemPasswordReset :one
-- RedeemPasswordReset uses up the reset that a token opens, sets the account's password, and returns the account; no
-- row when the token is unknown, used, expired or superseded. Unless the caller says what time it is, the database does.
-- A reset is never used before it was created, whatever a clock says. When a trigger dropped the new password, the
-- statement fails and nothing is kept: no setting has the name musicstore.rows_not_kept. The changed row
-- has the name of its table, and so its types.
WITH redeemed AS (
    UPDATE password_resets
    SET
        used_at = greatest(created_at, coalesce(sqlc.narg(now)::timestamptz, statement_timestamp())),
        used_ip = @used_ip
    WHERE token_hash = @token_hash
        AND used_at IS NULL
        AND expires_at > coalesce(sqlc.narg(now)::timestamptz, statement_timestamp())
    RETURNING account_id
), accounts AS (
    UPDATE accounts
    SET password_hash = @password_hash
    FROM redeemed
    WHERE accounts.id = redeemed.account_id
    RETURNING accounts.*
)
SELECT *
FROM accounts
WHERE (
    SELECT CASE
        WHEN EXISTS (SELECT FROM accounts) OR NOT EXISTS (SELECT FROM redeemed) THEN true
        ELSE current_setting('musicstore.rows_not_kept')::boolean
    END
);

-- name: DeleteExpiredPasswordResets :execrows
-- DeleteExpiredPasswordResets deletes the resets, used or not, that expired before the given time, and returns how many.
-- It deletes none that is good now. Unless the caller says what time it is, the database does.
DELETE FROM password_resets
WHERE expires_at < least(@expired_before::timestamptz, coalesce(sqlc.narg(now)::timestamptz, statement_timestamp()));
