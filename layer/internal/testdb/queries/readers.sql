-- name: CreateReader :one
-- CreateReader inserts a reader and returns it. When the same reader is sent again with the same id, it returns the stored
-- one, so that a write whose reply was lost can be sent again. No row when the id belongs to another reader.
-- +keyed
INSERT INTO readers (id, email, email_key, password_hash, created_at, email_confirmed, is_super_user)
VALUES (@id, @email, @email_key, @password_hash, @created_at, @email_confirmed, @is_super_user)
ON CONFLICT (id) DO UPDATE
SET id = EXCLUDED.id
WHERE (readers.email_key, readers.password_hash, readers.created_at)
    = (EXCLUDED.email_key, EXCLUDED.password_hash, EXCLUDED.created_at)
RETURNING *;

-- name: GetReader :one
-- GetReader returns the reader with this id; no row when there is none.
SELECT *
FROM readers
WHERE id = @id;

-- name: GetReaderByEmail :one
-- GetReaderByEmail returns the reader that an address belongs to. It compares the key made from the address. No row when there
-- is none.
SELECT *
FROM readers
WHERE email_key = @email_key;

-- name: ListReaders :many
-- ListReaders returns up to page_size readers in the order of their sign-up. It begins after the reader with the given time
-- and id. With the zero time and the empty id it begins at the first reader.
SELECT *
FROM readers
WHERE (created_at, id) > (@after_created_at::timestamptz, @after_id::text)
ORDER BY created_at, id
LIMIT @page_size;

-- name: ConfirmEmail :one
-- ConfirmEmail marks the reader's address as confirmed, and returns the reader; no row when there is none.
UPDATE readers
SET email_confirmed = true
WHERE id = @id
RETURNING *;

-- name: GrantSuperUser :one
-- GrantSuperUser makes the reader a super user, and returns it; no row when there is none.
UPDATE readers
SET is_super_user = true
WHERE id = @id
RETURNING *;

-- name: RevokeSuperUser :one
-- RevokeSuperUser makes the reader an ordinary one, and returns it; no row when there is none.
UPDATE readers
SET is_super_user = false
WHERE id = @id
RETURNING *;

-- name: SetPasswordHash :one
-- SetPasswordHash replaces the reader's password, ends its open reset, and returns the reader; no row when there is none.
--
-- It changes the reset first and the reader second, as RedeemInvitation does. So the two never deadlock.
--
-- If a trigger drops the row, the query reads a setting that does not exist, dbtx.rows_not_kept. The statement then fails,
-- and nothing is kept. The check is for a reader whose reset was ended: without one, a missing row means no such reader.
WITH ended AS (
    DELETE FROM invitations
    WHERE reader_id = @id AND used_at IS NULL
    RETURNING reader_id
), readers AS ( /* named like the table, so that sqlc gives it the table's Go types */
    UPDATE readers
    SET password_hash = @password_hash
    WHERE readers.id = @id AND (SELECT count(*) FROM ended) >= 0
    RETURNING *
)
SELECT *
FROM readers
WHERE (
    SELECT CASE
        WHEN EXISTS (SELECT FROM readers) OR NOT EXISTS (SELECT FROM ended) THEN true
        ELSE current_setting('dbtx.rows_not_kept')::boolean
    END
);

-- name: DeleteReader :one
-- DeleteReader deletes the reader and its resets, and returns it; no row when there is none. A reader with
-- sales cannot be deleted.
DELETE FROM readers
WHERE id = @id
RETURNING *;

-- name: DailyNewReaders :many
-- DailyNewReaders counts the readers of each day. Day n lasts from starts[n] until just before ends[n]. It returns one row for
-- each day, in order. The count of a day without readers is 0.
SELECT
    d.day_start::timestamptz AS day,
    (
        SELECT count(*)
        FROM readers
        WHERE created_at >= d.day_start AND created_at < d.day_end
    )::bigint AS readers
FROM ( /* the inner SELECTs hide the number of days from the planner: one plan serves all reports */
    SELECT unnest((SELECT @starts::timestamptz[])) AS day_start, unnest((SELECT @ends::timestamptz[])) AS day_end
) AS d
ORDER BY d.day_start;
