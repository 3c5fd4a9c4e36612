-- name: CreateAccount :one
-- CreateAccount inserts an account and returns it. When the same account is sent again with the same id, it returns the stored
-- one, so that a write whose reply was lost can be sent again. No row when the id belongs to another account.
-- +keyed
INSERT INTO accounts (id, email, email_key, password_hash, created_at, email_confirmed, is_super_user)
VALUES (@id, @email, @email_key, @password_hash, @created_at, @email_confirmed, @is_super_user)
ON CONFLICT (id) DO UPDATE
SET id = EXCLUDED.id
WHERE (accounts.email_key, accounts.password_hash, accounts.created_at)
    = (EXCLUDED.email_key, EXCLUDED.password_hash, EXCLUDED.created_at)
RETURNING *;

-- name: GetAccount :one
-- GetAccount returns the account with this id; no row when there is none.
SELECT *
FROM accounts
WHERE id = @id;

-- name: GetAccountByEmail :one
-- GetAccountByEmail returns the account that an address belongs to. It compares the key made from the address. No row when there
-- is none.
SELECT *
FROM accounts
WHERE email_key = @email_key;

-- name: ListAccounts :many
-- ListAccounts returns the accounts in the order of their sign-up.
-- +pages
SELECT *
FROM accounts
WHERE (created_at, id) > (@after_created_at::timestamptz, @after_id::text)
ORDER BY created_at, id
LIMIT @page_size;

-- name: ConfirmEmail :one
-- ConfirmEmail marks the account's address as confirmed, and returns the account; no row when there is none.
UPDATE accounts
SET email_confirmed = true
WHERE id = @id
RETURNING *;

-- name: GrantSuperUser :one
-- GrantSuperUser makes the account a super user, and returns it; no row when there is none.
UPDATE accounts
SET is_super_user = true
WHERE id = @id
RETURNING *;

-- name: RevokeSuperUser :one
-- RevokeSuperUser makes the account an ordinary one, and returns it; no row when there is none.
UPDATE accounts
SET is_super_user = false
WHERE id = @id
RETURNING *;

-- name: SetPasswordHash :one
-- SetPasswordHash replaces the account's password, ends its open reset, and returns the account; no row when there is none.
--
-- It changes the reset first and the account second, as RedeemPasswordReset does. So the two never deadlock.
--
-- If a trigger drops the row, the query reads a setting that does not exist, dbtx.rows_not_kept. The statement then fails,
-- and nothing is kept. The check is for an account whose reset was ended: without one, a missing row means no such account.
WITH ended AS (
    DELETE FROM password_resets
    WHERE account_id = @id AND used_at IS NULL
    RETURNING account_id
), accounts AS ( /* named like the table, so that sqlc gives it the table's Go types */
    UPDATE accounts
    SET password_hash = @password_hash
    WHERE accounts.id = @id AND (SELECT count(*) FROM ended) >= 0
    RETURNING *
)
SELECT *
FROM accounts
WHERE (
    SELECT CASE
        WHEN EXISTS (SELECT FROM accounts) OR NOT EXISTS (SELECT FROM ended) THEN true
        ELSE current_setting('dbtx.rows_not_kept')::boolean
    END
);

-- name: DeleteAccount :one
-- DeleteAccount deletes the account and its resets, and returns it; no row when there is none. An account with
-- purchases cannot be deleted.
DELETE FROM accounts
WHERE id = @id
RETURNING *;

-- name: DailyNewAccounts :many
-- DailyNewAccounts counts the accounts of each day. Day n lasts from starts[n] until just before ends[n]. It returns one row for
-- each day, in order. The count of a day without accounts is 0.
SELECT
    d.day_start::timestamptz AS day,
    (
        SELECT count(*)
        FROM accounts
        WHERE created_at >= d.day_start AND created_at < d.day_end
    )::bigint AS accounts
FROM ( /* the inner SELECTs hide the number of days from the planner: one plan serves all reports */
    SELECT unnest((SELECT @starts::timestamptz[])) AS day_start, unnest((SELECT @ends::timestamptz[])) AS day_end
) AS d
ORDER BY d.day_start;
