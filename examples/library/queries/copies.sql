-- name: CreateCopy :one
-- CreateCopy adds a copy of a book and returns it as stored.
INSERT INTO copies (book_id, shelf, condition, created_at)
VALUES (@book_id, @shelf, @condition, @created_at)
RETURNING *;

-- name: ListCopies :many
-- ListCopies returns the copies of a book in the order in which they came.
SELECT *
FROM copies
WHERE book_id = @book_id
ORDER BY id;

-- name: SetConditions :batchexec
-- SetConditions sets the condition of many copies in one round trip. A copy that is not there is left out.
UPDATE copies
SET condition = @condition
WHERE id = @id;

-- name: DeleteCopy :one
-- DeleteCopy takes a copy away for good, and returns it; no row when there is none. A copy with loans stays.
DELETE FROM copies
WHERE id = @id
RETURNING *;
