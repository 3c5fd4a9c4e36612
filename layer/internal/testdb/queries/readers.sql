-- name: CreateReader :one
-- CreateReader inserts a reader and returns it. When the same reader is sent again with the same id, it returns the stored
-- one. No row when the id belongs to another reader.
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
-- GetReaderByEmail returns the reader with this key of an address; no row when there is none.
SELECT *
FROM readers
WHERE email_key = @email_key;

-- name: ListReaders :many
-- ListReaders returns the first page_size readers, in the order of their sign-up.
SELECT *
FROM readers
ORDER BY created_at, id
LIMIT @page_size;

-- name: ConfirmEmail :one
-- ConfirmEmail marks the reader's address as confirmed, and returns the reader; no row when there is none.
UPDATE readers
SET email_confirmed = true
WHERE id = @id
RETURNING *;

-- name: SetPasswordHash :one
-- SetPasswordHash replaces the reader's password, and returns the reader; no row when there is none.
UPDATE readers
SET password_hash = @password_hash
WHERE id = @id
RETURNING *;

-- name: DeleteReader :one
-- DeleteReader deletes the reader and its invitations, and returns it; no row when there is none. A reader with sales cannot
-- be deleted.
DELETE FROM readers
WHERE id = @id
RETURNING *;
