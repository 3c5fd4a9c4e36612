-- name: CreateAccount :one
-- CreateAccount inserts an account and returns it. The same account under the same id once more is returned
-- as it stands, so that a write whose reply was lost can be sent again; no row when the id belongs to another.
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
-- GetAccountByEmail returns the account that an address belongs to, by the key made of it; no row when there is none.
SELECT *
FROM accounts
WHERE email_key = @email_key;

-- name: ListAccounts :many
-- ListAccounts returns up to page_size accounts in the order of their sign-up, those after the given one;
-- after the zero time and the empty id comes the first.
SELECT *
FROM accounts
WHERE (created_at, id) > (@after_created_at::timestamptz, @after_id::text)
ORDER BY created_at, id
LIMIT @page_size;

-- name: ConfirmEmail :one
-- ConfirmEmail notes that the account's address was confirmed, and returns the account; no row when there is none.
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
-- SetPasswordHash replaces the account's password and ends its open reset, and returns the account; no row when
-- there is none. The reset goes first, as it does when one is redeemed, so that the two never lock each other out. When a
-- trigger dropped the new password of an account whose reset was ended, the statement fails and nothing is kept: no
-- setting has the name musicstore.rows_not_kept. The changed row has the name of its table, and so its types.
WITH ended AS (
    DELETE FROM password_resets
    WHERE account_id = @id AND used_at IS NULL
    RETURNING account_id
), accounts AS (
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
        ELSE current_setting('musicstore.rows_not_kept')::boolean
    END
);

-- name: DeleteAccount :one
-- DeleteAccount deletes the account and its resets, and returns it; no row when there is none. An account with
-- purchases cannot be deleted.
DELETE FROM accounts
WHERE id = @id
RETURNING *;

-- name: DailyNewAccounts :many
-- DailyNewAccounts counts the accounts of each day. The days come as their bounds: day n lasts from starts[n] until
-- before ends[n]. One row a day, in order; a day without accounts counts 0. Behind a SELECT the planner does not see
-- how many days there are: one plan serves all reports.
SELECT
    d.day_start::timestamptz AS day,
    (
        SELECT count(*)
        FROM accounts
        WHERE created_at >= d.day_start AND created_at < d.day_end
    )::bigint AS accounts
FROM (
    SELECT unnest((SELECT @starts::timestamptz[])) AS day_start, unnest((SELECT @ends::timestamptz[])) AS day_end
) AS d
ORDER BY d.day_start;
