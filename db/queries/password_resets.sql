-- name: CreatePasswordReset :one
-- CreatePasswordReset inserts a reset and returns it. The account's open one, if any, gives up its place; no row when
-- the account has one, open or used, that was asked for after the given time. The same reset once more is returned.
-- +keyed a reset of the same id takes its own place, and is returned with the values that it has already
-- +plan filters password_resets: an account's used resets are few, as each has set its password.
INSERT INTO password_resets (id, account_id, token_hash, created_at, expires_at)
SELECT @id, @account_id, @token_hash, @created_at, @expires_at
WHERE NOT EXISTS (
    SELECT
    FROM password_resets AS used
    WHERE used.account_id = @account_id AND used.used_at IS NOT NULL AND used.created_at > @none_after::timestamptz
)
ON CONFLICT (account_id) WHERE used_at IS NULL DO UPDATE
SET
    id = EXCLUDED.id,
    token_hash = EXCLUDED.token_hash,
    created_at = EXCLUDED.created_at,
    expires_at = EXCLUDED.expires_at
WHERE password_resets.created_at <= @none_after::timestamptz OR password_resets.id = EXCLUDED.id
RETURNING *;

-- name: GetPasswordReset :one
-- GetPasswordReset returns the reset that a token opens, by the token's digest; no row when the token is unknown,
-- used, expired or superseded.
SELECT *
FROM password_resets
WHERE token_hash = @token_hash AND used_at IS NULL AND expires_at > @now::timestamptz;

-- name: RedeemPasswordReset :one
-- RedeemPasswordReset uses up the reset that a token opens, sets the account's password, and returns the account; no
-- row when the token is unknown, used, expired or superseded.
WITH redeemed AS (
    UPDATE password_resets
    SET used_at = @used_at::timestamptz, used_ip = @used_ip
    WHERE token_hash = @token_hash AND used_at IS NULL AND expires_at > @used_at::timestamptz
    RETURNING account_id
)
UPDATE accounts
SET password_hash = @password_hash
FROM redeemed
WHERE accounts.id = redeemed.account_id
RETURNING accounts.*;

-- name: DeleteExpiredPasswordResets :execrows
-- DeleteExpiredPasswordResets deletes the resets, used or not, that expired before the given time, and returns how many.
DELETE FROM password_resets
WHERE expires_at < @expired_before;
