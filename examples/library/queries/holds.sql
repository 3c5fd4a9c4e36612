-- name: PlaceHold :one
-- PlaceHold puts a member in the line for a book.
INSERT INTO holds (book_id, member_id, created_at)
VALUES (@book_id, @member_id, @created_at)
RETURNING *;

-- name: TakeHolds :many
-- TakeHolds makes up to page_size holds ready, the longest waiting first, and returns them. Holds that somebody else takes at the
-- same time are left to them, so two desks never take the same one.
UPDATE holds
SET ready_at = @ready_at::timestamptz
WHERE id IN (
    SELECT id
    FROM holds
    WHERE ready_at IS NULL
    ORDER BY id
    LIMIT @page_size
    FOR UPDATE SKIP LOCKED
)
RETURNING *;

-- name: EndHold :one
-- EndHold takes a hold out of the line, and returns it; no row when there is none.
DELETE FROM holds
WHERE id = @id
RETURNING *;
